//! Promise 2: every future of every socket is dropped at every point at which it waits.
//!
//! A script of all calls runs again and again; in run `n` the `n`-th time that any of its futures
//! is left pending, that future is dropped, and the call made anew (or given up, where the call
//! takes the socket along). Whatever is dropped, the bytes, the connections and the descriptors are
//! exactly those of a run in which nothing is.
pub(crate) mod axe;
mod messages;
mod script;

use super::everywhere;
use super::stage::{self, config};
use crate::alone::{alone, descriptors};
use axe::{Axe, Habit};
use reseau::{Config, Kind, Loop};

everywhere!(
    each_point_once,
    each_point_and_then_a_pause,
    each_point_of_another_task,
    many_points_at_random,
);

mod of_messages {
    use super::*;
    everywhere!(;
        plain "messages are not TLS's":
        each_message_once, each_message_and_then_a_pause, each_message_of_another_task
    );

    fn each_message_once(kind: Kind) {
        alone!(kind, each_message_once);
        each_point(Script::Messages, kind, Habit::AtOnce);
    }

    fn each_message_and_then_a_pause(kind: Kind) {
        alone!(kind, each_message_and_then_a_pause);
        each_point(Script::Messages, kind, Habit::AfterAPause);
    }

    fn each_message_of_another_task(kind: Kind) {
        alone!(kind, each_message_of_another_task);
        each_point(Script::Messages, kind, Habit::AfterAnotherTask);
    }
}

/// What is played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Streams,
    Messages,
}

/// Runs the script with one axe; says how many points there were, and how often it fell.
fn play(script: Script, config: &Config, axe: Axe) -> Axe {
    let lp = Loop::with(config).unwrap();
    let axe = std::rc::Rc::new(axe);
    match script {
        Script::Streams => {
            lp.block_on(script::play(axe.clone(), config.kind == Some(Kind::Sim)));
        }
        Script::Messages => {
            lp.block_on(messages::play(axe.clone(), config.kind == Some(Kind::Sim)));
        }
    }
    drop(lp);
    std::rc::Rc::into_inner(axe).expect("everybody is done")
}

fn tight(kind: Kind, seed: u64) -> Config {
    // Small, so that everything waits.
    Config { block_size: 1024, blocks_max: 64, window: 8 << 10, seed, ..config(kind) }
}

fn each_point(script: Script, kind: Kind, habit: Habit) {
    let config = tight(kind, habit as u64);
    let whole = play(script, &config, Axe::never());
    assert!(whole.points() > 30, "the script waits {} times only", whole.points());
    let before = descriptors();
    let mut number = 0;
    loop {
        let axe = play(script, &config, Axe::at(number, habit));
        assert_eq!(descriptors(), before, "after point {number}");
        // On a real kernel no two runs are alike; past the last point nothing falls.
        if axe.falls() == 0 && number >= whole.points() {
            break;
        }
        number += 1;
    }
}

fn each_point_once(kind: Kind) {
    alone!(kind, each_point_once);
    each_point(Script::Streams, kind, Habit::AtOnce);
}

fn each_point_and_then_a_pause(kind: Kind) {
    alone!(kind, each_point_and_then_a_pause);
    each_point(Script::Streams, kind, Habit::AfterAPause);
}

fn each_point_of_another_task(kind: Kind) {
    alone!(kind, each_point_of_another_task);
    each_point(Script::Streams, kind, Habit::AfterAnotherTask);
}

fn many_points_at_random(kind: Kind) {
    let seeds = if kind == Kind::Sim { stage::SEEDS } else { 12 };
    let mut falls = 0;
    for seed in 0..seeds {
        let habit = [Habit::AtOnce, Habit::AfterAPause, Habit::AfterAnotherTask][seed % 3];
        let axe = Axe::often(1 + seed % stage::PENDING_MOST, habit);
        falls += play(Script::Streams, &tight(kind, seed as u64), axe).falls();
    }
    assert!(falls > seeds * 10, "the axe fell {falls} times");
}

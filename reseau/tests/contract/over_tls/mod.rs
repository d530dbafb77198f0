//! The same bodies once more, with TLS between the two ends: the files are those next door, on
//! another [`stage`].
//!
//! Left out are the files that know nothing of streams of bytes (`datagrams`, `packets`, `records`,
//! `passing`, `names`), those about what is under a stream (`dialling`, `proxies`, `families`,
//! `refusal`, `listening`, `exhaustion`, `own_calls`), and `moving`: a stream that speaks TLS stays
//! on its loop. What is left out of the files that are here, they say, and why: `plain`. `peers`
//! are threads, and with peers of other makes `tests/tls` speaks.
#![allow(clippy::duplicate_mod, dead_code)]

#[path = "../bounds.rs"]
mod bounds;
#[path = "../closing.rs"]
mod closing;
#[path = "../deadlines.rs"]
mod deadlines;
#[path = "../drop_points/mod.rs"]
mod drop_points;
#[path = "../dropping.rs"]
mod dropping;
#[path = "../echo.rs"]
mod echo;
#[path = "../ending.rs"]
mod ending;
#[path = "../fairness.rs"]
mod fairness;
#[path = "../futures.rs"]
mod futures;
#[path = "../halves.rs"]
mod halves;
#[path = "../peers.rs"]
mod peers;
mod stage;
#[path = "../teardown.rs"]
mod teardown;

macro_rules! everywhere {
    (
        $($(#[$when:meta])? $name:ident),* $(,)?
        $(; plain $why:literal: $($(#[$if:meta])? $plain:ident),* $(,)?)*
    ) => {
        $crate::on_backends! {
            uring: Uring, ready: Ready, sim: Sim; $($(#[$when])? $name,)*
        }
    };
}

macro_rules! on_kernels {
    (
        $($(#[$when:meta])? $name:ident),* $(,)?
        $(; plain $why:literal: $($(#[$if:meta])? $plain:ident),* $(,)?)*
    ) => {
        $crate::on_backends! { uring: Uring, ready: Ready; $($(#[$when])? $name,)* }
    };
}

use {everywhere, on_kernels};

//! The protocols between a loop and other threads, in every interleaving that loom can think of.
//!
//! This compiles the very files `src/driver/door.rs` and `src/driver/alarm.rs`, with loom's locks
//! in the place of `crate::sync`. A lost wake-up is a deadlock, which loom reports; everything else
//! is asserted. What the home does around them is repeated here in a few lines. The watchdog is
//! loom's: it reports a deadlock, and ends a model that goes on for too long.
// (Loom's own stacks do not run under Wine, and it does not compile for 32 bits; nothing here asks
// the system for anything.)
#![cfg(all(not(windows), target_pointer_width = "64"))]
#![allow(dead_code)]

#[path = "../src/driver/alarm.rs"]
mod alarm;
#[path = "../src/driver/door.rs"]
mod door;

/// What the files above see as `crate::sync`.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }

    pub(crate) fn wake(waker: std::task::Waker) {
        waker.wake();
    }
}

/// What the alarm sees as `driver::timer`.
mod timer {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct TimerKey(pub(crate) u32);
}

use alarm::Alarm;
use door::{Door, Mark, Posted};
use loom::sync::Condvar;
use loom::sync::atomic::AtomicU8;
use loom::thread;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;
use sync::{Mutex, Ordering, lock};
use timer::TimerKey;

// ---- the home, as in driver/home.rs and rt/mod.rs -----------------------------------------------

/// What other threads see of a loop.
struct Home {
    door: Door<Post>,
    event: Event,
}

enum Post {
    Kick,
    Alarm(Arc<Alarm>),
    Stop,
}

/// What a parked loop sleeps on: an eventfd, a poller's notification.
struct Event {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Home {
    fn new() -> Arc<Self> {
        let event = Event { rung: Mutex::new(false), bell: Condvar::new() };
        Arc::new(Self { door: Door::new(), event })
    }

    fn post(&self, post: Post) -> Result<(), Post> {
        if self.door.post(post)? == Posted::Unpark {
            self.event.ring();
        }
        Ok(())
    }

    fn knock(&self) {
        if self.door.knock() == Posted::Unpark {
            self.event.ring();
        }
    }

    /// Called by the alarm.
    fn ring(&self, alarm: &Arc<Alarm>) {
        if !alarm.kicked().set()
            && let Err(Post::Alarm(alarm)) = self.post(Post::Alarm(alarm.clone()))
        {
            alarm.fail();
        }
    }

    fn take(&self) -> Vec<Post> {
        let mut posts = Vec::new();
        self.door.take(&mut posts);
        posts
    }

    fn sleep(&self) {
        if self.door.park() {
            self.event.wait();
        }
        self.door.awake();
    }
}

impl Event {
    /// Rung twice, or when nobody sleeps, it ends the next sleep at once.
    fn ring(&self) {
        *lock(&self.rung) = true;
        self.bell.notify_one();
    }

    fn wait(&self) {
        let mut rung = lock(&self.rung);
        while !*rung {
            rung = self.bell.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// As in `driver/socket.rs`.
struct Socket {
    home: Arc<Home>,
    kicked: Mark,
    fate: AtomicU8,
    lane: Mutex<Lane>,
}

/// Changes that other threads made, and those that somebody has answered.
#[derive(Default)]
struct Lane {
    changes: u32,
    answered: u32,
}

impl Socket {
    fn new() -> Arc<Self> {
        let lane = Mutex::new(Lane::default());
        let (kicked, fate) = (Mark::new(), AtomicU8::new(0));
        Arc::new(Self { home: Home::new(), kicked, fate, lane })
    }

    /// From another thread: a change under the lane's lock, then a kick.
    fn change(&self) {
        lock(&self.lane).changes += 1;
        self.kick();
    }

    fn kick(&self) {
        if self.kicked.set() {
            return;
        }
        if self.home.post(Post::Kick).is_err() {
            self.kicked.clear();
            self.answer_lane();
        }
    }

    /// At home.
    fn answer(&self) {
        self.kicked.clear();
        self.answer_lane();
    }

    fn answer_lane(&self) {
        let mut lane = lock(&self.lane);
        lane.answered = lane.changes;
    }

    fn answered(&self) -> u32 {
        lock(&self.lane).answered
    }
}

fn look(socket: &Socket) {
    let posts = socket.home.take();
    assert!(posts.len() <= 1, "two kicks are one");
    posts.iter().for_each(|_| socket.answer());
}

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.max_branches = BRANCHES_MAX;
    builder.check(body);
}

// ---- the models ---------------------------------------------------------------------------------

/// Two other threads change one lane; the home answers both and never sleeps through one.
#[test]
fn kicks_are_not_lost() {
    model(|| {
        let socket = Socket::new();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let socket = socket.clone();
                thread::spawn(move || socket.change())
            })
            .collect();
        look(&socket);
        while socket.answered() < 2 {
            socket.home.sleep();
            look(&socket);
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// What was written before a kick that found the mark set is seen by the home that clears it,
/// even without a lock: a socket's fate is such a thing.
#[test]
fn a_kick_carries_what_came_before_it() {
    model(|| {
        let socket = Socket::new();
        let other = socket.clone();
        let other = thread::spawn(move || {
            other.fate.store(1, Ordering::Release);
            other.kick();
        });
        let third = socket.clone();
        let third = thread::spawn(move || third.kick());
        let mut seen = 0;
        while seen == 0 {
            for _ in socket.home.take() {
                socket.kicked.clear();
                seen = socket.fate.load(Ordering::Acquire);
            }
            if seen == 0 {
                socket.home.sleep();
            }
        }
        other.join().unwrap();
        third.join().unwrap();
    });
}

/// A loop ends while others change a lane: every change is answered, by the home or by its maker.
#[test]
fn an_end_answers_everyone() {
    model(|| {
        let socket = Socket::new();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let socket = socket.clone();
                thread::spawn(move || socket.change())
            })
            .collect();
        look(&socket);
        let left = socket.home.door.close();
        assert!(left.len() <= 1, "two kicks are one");
        left.iter().for_each(|_| socket.answer());
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(socket.answered(), 2);
        socket.change();
        assert_eq!(socket.answered(), 3, "after the end, too");
    });
}

/// A loop that is asked to stop wakes for it; what comes later is looked at, left, or refused, and
/// nothing twice.
#[test]
fn a_stop_is_heard_and_nothing_is_dropped() {
    model(|| {
        let home = Home::new();
        let other = home.clone();
        let stop = thread::spawn(move || assert!(other.post(Post::Stop).is_ok()));
        let other = home.clone();
        let late = thread::spawn(move || u32::from(other.post(Post::Kick).is_err()));
        let (mut stopped, mut found) = (false, 0);
        while !stopped {
            for post in home.take() {
                match post {
                    Post::Stop => stopped = true,
                    _ => found += 1,
                }
            }
            if !stopped {
                home.sleep();
            }
        }
        found += home.door.close().len() as u32;
        stop.join().unwrap();
        let refused = late.join().unwrap();
        assert_eq!(found + refused, 1, "looked at, left, or refused");
        assert!(home.post(Post::Kick).is_err(), "closed for good");
        assert_eq!(home.door.knock(), Posted::Seen);
    });
}

/// A block comes home from another thread while the loop decides to sleep for want of one.
#[test]
fn a_returned_block_wakes_the_starving() {
    /// As in `pool/mod.rs`.
    #[derive(Default)]
    struct Free {
        blocks: u32,
        starving: bool,
    }
    model(|| {
        let home = Home::new();
        let pool = Arc::new(Mutex::new(Free::default()));
        let (other, its) = (home.clone(), pool.clone());
        let other = thread::spawn(move || {
            let starving = {
                let mut free = lock(&its);
                free.blocks += 1;
                std::mem::take(&mut free.starving)
            };
            if starving {
                other.knock();
            }
        });
        loop {
            // As in `Loop::turn`: look, announce sleep, ask for a block, sleep.
            home.take();
            let park = home.door.park();
            let ready = {
                let mut free = lock(&pool);
                let ready = free.blocks > 0;
                free.starving |= !ready;
                ready
            };
            if ready {
                break;
            }
            if park {
                home.event.wait();
            }
            home.door.awake();
        }
        other.join().unwrap();
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Armed,
    Direct,
}

/// A send lane, as in `driver/lane.rs`: one byte is a chunk that is sent half.
struct SendLane {
    state: State,
    queue: Vec<u8>,
}

/// Two threads send, directly when the lane is quiet, and leave the rest to the home: the kernel
/// sees every byte, and each chunk in one piece.
#[test]
fn direct_sends_keep_the_order() {
    model(|| {
        let socket = Socket::new();
        let lane = Arc::new(Mutex::new(SendLane { state: State::Idle, queue: vec![] }));
        let kernel = Arc::new(Mutex::new(Vec::new()));
        let senders = [[1, 2], [3, 4]].map(|chunk| {
            let (socket, lane, kernel) = (socket.clone(), lane.clone(), kernel.clone());
            thread::spawn(move || {
                if send(&lane, &kernel, chunk) {
                    socket.kick();
                }
            })
        });
        while lock(&kernel).len() < 4 {
            for _ in socket.home.take() {
                socket.kicked.clear();
            }
            // Settles: one operation at a time, and what it took leaves the queue when it is over.
            while let Some(byte) = arm(&lane) {
                lock(&kernel).push(byte);
                let mut lane = lock(&lane);
                lane.state = State::Idle;
                lane.queue.remove(0);
            }
            if lock(&kernel).len() < 4 {
                socket.home.sleep();
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let sent = lock(&kernel).clone();
        assert!(sent == [1, 2, 3, 4] || sent == [3, 4, 1, 2], "{sent:?}");
    });
}

/// As `poll_send` from another thread. True: the home is to be kicked.
fn send(lane: &Mutex<SendLane>, kernel: &Mutex<Vec<u8>>, [first, second]: [u8; 2]) -> bool {
    let mut reserved = lock(lane);
    if reserved.state == State::Idle && reserved.queue.is_empty() {
        reserved.state = State::Direct;
        drop(reserved);
        lock(kernel).push(first);
        let mut lane = lock(lane);
        lane.state = State::Idle;
        lane.queue.insert(0, second);
        true
    } else {
        reserved.queue.extend([first, second]);
        reserved.state == State::Idle
    }
}

fn arm(lane: &Mutex<SendLane>) -> Option<u8> {
    let mut lane = lock(lane);
    let byte = *lane.queue.first().filter(|_| lane.state == State::Idle)?;
    lane.state = State::Armed;
    Some(byte)
}

/// An owner that is awake is not unparked, one that sleeps is unparked once, and the hint says
/// which it is.
#[test]
fn who_is_awake_is_left_alone() {
    model(|| {
        let door = Door::new();
        assert!(!door.asleep());
        assert!(door.park() && door.asleep());
        // It wakes by itself: a timer, a packet.
        door.awake();
        assert!(!door.asleep());
        assert_eq!(door.post(1), Ok(Posted::Seen));
        assert!(!door.park() && !door.asleep(), "something came meanwhile");
        door.take(&mut Vec::new());
        assert!(door.park());
        assert_eq!(door.post(2), Ok(Posted::Unpark));
        assert!(!door.asleep(), "somebody is waking it");
        assert_eq!(door.knock(), Posted::Seen);
        let mut left = Vec::new();
        door.take(&mut left);
        assert_eq!(left, [2]);
        assert!(door.park() && door.close().is_empty());
        assert_eq!(door.knock(), Posted::Seen, "nobody is there any more");
    });
}

/// Each sleep is ended once, however many come at the same time.
#[test]
fn a_sleep_is_ended_once() {
    model(|| {
        let door = Arc::new(Door::new());
        assert!(door.park());
        let others: Vec<_> = (0..2)
            .map(|number| {
                let door = door.clone();
                thread::spawn(move || u32::from(door.post(number) == Ok(Posted::Unpark)))
            })
            .collect();
        let unparked: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(unparked, 1);
    });
}

// ---- alarms -------------------------------------------------------------------------------------

/// A waker that a loom thread can sleep on.
struct Bell(Event);

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self(Event { rung: Mutex::new(false), bell: Condvar::new() }))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *lock(&self.0.rung) = true;
        self.0.bell.notify_one();
    }
}

/// The home's side of alarms, as in `driver/table.rs`.
#[derive(Default)]
struct Clock {
    issued: u32,
    timers: Vec<(TimerKey, Arc<Alarm>)>,
}

impl Clock {
    fn settle(&mut self, alarm: &Arc<Alarm>) {
        alarm.kicked().clear();
        let (away, at) = alarm.settle();
        self.timers.retain(|(key, _)| Some(*key) != away);
        if at.is_some() {
            self.issued += 1;
            alarm.set_timer(TimerKey(self.issued));
            self.timers.push((TimerKey(self.issued), alarm.clone()));
        }
    }

    fn look(&mut self, home: &Home) {
        for post in home.take() {
            if let Post::Alarm(alarm) = post {
                self.settle(&alarm);
            }
        }
    }

    /// The time has come for everything.
    fn fire(&mut self) {
        for (_, alarm) in self.timers.drain(..) {
            alarm.strike().into_iter().for_each(Waker::wake);
        }
    }
}

/// Who waits for an alarm is woken when it rings, even if the waiter changes meanwhile.
#[test]
fn an_alarm_rings() {
    let at = now();
    model(move || {
        let home = Home::new();
        let alarm = Alarm::new(home.clone(), at);
        let waiter = alarm.clone();
        let waiter = thread::spawn(move || {
            let first = waiter.poll(&mut Context::from_waker(&Waker::from(Bell::new())));
            if first.is_ready() {
                return;
            }
            let bell = Bell::new();
            let waker = Waker::from(bell.clone());
            while waiter.poll(&mut Context::from_waker(&waker)) == Poll::Pending {
                bell.0.wait();
            }
        });
        let mut clock = Clock::default();
        clock.look(&home);
        while clock.timers.is_empty() {
            home.sleep();
            clock.look(&home);
        }
        let again = clock.timers[0].1.clone();
        clock.settle(&again);
        assert_eq!(clock.timers.len(), 1, "settled is settled");
        clock.fire();
        waiter.join().unwrap();
    });
}

/// An alarm that nobody waits for any more leaves no timer, whenever the home looked.
#[test]
fn a_cancelled_alarm_leaves_no_timer() {
    let at = now();
    model(move || {
        let home = Home::new();
        let alarm = Alarm::new(home.clone(), at);
        let waiter = thread::spawn(move || {
            let waker = Waker::from(Bell::new());
            assert!(alarm.poll(&mut Context::from_waker(&waker)).is_pending());
            alarm.cancel();
        });
        let mut clock = Clock::default();
        clock.look(&home);
        clock.look(&home);
        waiter.join().unwrap();
        clock.look(&home);
        assert!(clock.timers.is_empty());
        assert!(home.take().is_empty());
    });
}

/// A loop that ends keeps nobody waiting for a time that nobody watches.
#[test]
fn the_end_of_a_loop_rings_its_alarms() {
    let at = now();
    model(move || {
        let home = Home::new();
        let alarm = Alarm::new(home.clone(), at);
        let waiter = thread::spawn(move || {
            let bell = Bell::new();
            let waker = Waker::from(bell.clone());
            while alarm.poll(&mut Context::from_waker(&waker)) == Poll::Pending {
                bell.0.wait();
            }
        });
        let mut clock = Clock::default();
        clock.look(&home);
        for post in home.door.close() {
            if let Post::Alarm(alarm) = post {
                alarm.fail();
            }
        }
        clock.timers.drain(..).for_each(|(_, alarm)| alarm.fail());
        waiter.join().unwrap();
    });
}

#[allow(clippy::disallowed_methods)] // Some point in time; nobody looks at it.
fn now() -> Instant {
    Instant::now()
}

/// Interleavings with so many unforced switches: more finds nothing here, and takes minutes.
const PREEMPTIONS_MAX: usize = 3;
/// A model that goes on for longer than this goes round in circles.
const BRANCHES_MAX: usize = 2_000;

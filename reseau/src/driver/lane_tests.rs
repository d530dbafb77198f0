//! Each transition by itself; and all of them together, at random, against a model.
use super::*;
use crate::addr::Addr;
use crate::driver::lane_model;
use crate::driver::waiters::Who;
use crate::driver::words::PAUSE_MIN;
use crate::sys::Domain;
use crate::sys::Fd;
use crate::sys::sim::World;
use proptest::prelude::*;
use std::io::ErrorKind;
use std::task::Waker;

// No test here waits for anything: a watchdog would have nothing to watch.

const STREAM: Shape = Shape { accepts: false, polls: false, passes: false, block: 64 };
const LISTENER: Shape = Shape { accepts: true, polls: false, passes: false, block: 64 };

fn data(count: usize) -> Event {
    Event::Data(Chunk::from(vec![b'x'; count]))
}

fn conn(world: &World) -> Event {
    Event::Conn(Fd::Sim(world.open(Domain::IPV4)), None)
}

fn failed(kind: ErrorKind) -> Event {
    Event::Failed(Fault::Kind(kind))
}

fn sized(item: Option<Item>) -> usize {
    item.map_or(0, |item| item.size())
}

/// A chunk with an owner of the user's, whose drop is to happen where no lock is held.
fn owned(text: &'static str) -> Chunk {
    Chunk::from(text.to_owned())
}

/// Somebody waits for a receive lane, or for a send lane.
fn wait(waiters: &mut Waiters) {
    drop(waiters.leave(&mut Who::Owner, Waker::noop().clone()));
}

/// A lane with somebody waiting, armed.
fn armed(window: usize, shape: Shape) -> RecvLane {
    let mut lane = RecvLane::new(window);
    wait(&mut lane.waiters);
    assert!(lane.arm(shape).is_some());
    lane
}

fn stop_waiting(lane: &mut RecvLane) {
    lane.waiters.take(&mut Vec::new());
}

// ---- receiving ----------------------------------------------------------------------------------

#[test]
fn a_lane_is_armed_once_and_for_somebody() {
    let mut lane = RecvLane::new(100);
    assert!(lane.arm(STREAM).is_none(), "nobody asks");
    lane.want();
    assert!(matches!(lane.arm(STREAM), Some(Op::Recv { multi: true, .. })));
    assert_eq!(lane.state, State::Armed);
    lane.want();
    assert!(lane.arm(STREAM).is_none(), "one operation at a time");
    assert!(matches!(armed(100, LISTENER).op(LISTENER), Op::Accept));
}

#[test]
fn who_tried_is_served_once() {
    let mut lane = RecvLane::new(100);
    lane.want();
    assert!(lane.arm(STREAM).is_some());
    assert_eq!(lane.deliver(Event::Starved, true, STREAM), Next::Starve);
    lane.state = State::Idle;
    assert!(lane.arm(STREAM).is_none(), "nobody has come back");
}

#[test]
fn what_comes_is_queued_in_order_and_counted() {
    let mut lane = armed(1000, STREAM);
    assert_eq!(lane.deliver(data(10), false, STREAM), Next::Nothing);
    assert_eq!(lane.deliver(data(20), false, STREAM), Next::Nothing);
    assert_eq!((lane.queued(), lane.state), (30, State::Armed));
    let mut spent = Vec::new();
    lane.consume(4, &mut spent);
    assert!(spent.is_empty());
    lane.consume(6, &mut spent);
    assert_eq!((spent.len(), lane.queued()), (1, 20));
    let item = lane.pop().unwrap();
    assert_eq!((lane.queued(), lane.is_empty()), (0, true));
    lane.unpop(item);
    assert_eq!(lane.queued(), 20);
    lane.consume(99, &mut spent);
    assert_eq!(lane.queued(), 0, "no more than there is");
    assert!(lane.pop().is_none());
}

#[test]
fn a_drained_lane_is_empty() {
    let mut lane = armed(1000, STREAM);
    lane.deliver(data(10), false, STREAM);
    assert_eq!(lane.drain().len(), 1);
    assert_eq!((lane.queued(), lane.is_empty(), lane.state), (0, true, State::Armed));
}

#[test]
fn a_flood_is_cancelled_and_then_read_in_single_shots() {
    let mut lane = armed(100, STREAM);
    stop_waiting(&mut lane);
    assert_eq!(lane.deliver(data(64), false, STREAM), Next::Nothing);
    assert_eq!(lane.deliver(data(64), false, STREAM), Next::Cancel);
    assert_eq!(lane.state, State::Cancelling);
    assert_eq!(lane.deliver(data(64), false, STREAM), Next::Nothing, "cancelled only once");
    assert_eq!(lane.deliver(Event::Cancelled, true, STREAM), Next::Nothing);
    assert_eq!((lane.state, lane.queued()), (State::Idle, 192));
    assert!(lane.arm(STREAM).is_none(), "the peer has to wait");
    assert_eq!(sized(lane.pop()) + sized(lane.pop()), 128);
    assert!(lane.arm(STREAM).is_none(), "more than half of the window is queued");
    lane.pop();
    assert!(matches!(lane.arm(STREAM), Some(Op::Recv { multi: false, .. })), "ahead of the user");
}

#[test]
fn exactly_a_window_is_a_flood() {
    let mut lane = armed(64, STREAM);
    assert_eq!(lane.deliver(data(64), false, STREAM), Next::Cancel);
}

#[test]
fn single_shots_read_ahead_as_far_as_the_window() {
    let mut lane = armed(128, STREAM);
    lane.demoted = true;
    stop_waiting(&mut lane);
    assert_eq!(lane.deliver(data(64), true, STREAM), Next::Rearm);
    assert_eq!(lane.state, State::Armed);
    assert_eq!(lane.deliver(data(64), true, STREAM), Next::Nothing, "and no further");
    assert_eq!((lane.state, lane.queued()), (State::Idle, 128));
    assert!(lane.demoted);
}

#[test]
fn a_single_shot_that_drains_the_kernel_ends_the_flood() {
    let mut lane = armed(128, STREAM);
    lane.demoted = true;
    stop_waiting(&mut lane);
    assert_eq!(lane.deliver(data(63), true, STREAM), Next::Nothing);
    assert_eq!(lane.state, State::Idle, "nobody asks for more");
    lane.pop();
    wait(&mut lane.waiters);
    assert!(matches!(lane.arm(STREAM), Some(Op::Recv { multi: true, .. })));
}

#[test]
fn who_comes_back_while_it_is_cancelled_is_served() {
    let mut lane = armed(64, STREAM);
    stop_waiting(&mut lane);
    assert_eq!(lane.deliver(data(64), false, STREAM), Next::Cancel);
    lane.pop();
    wait(&mut lane.waiters);
    assert!(lane.arm(STREAM).is_none(), "it is still in the kernel");
    assert_eq!(lane.deliver(Event::Cancelled, true, STREAM), Next::Rearm);
    assert_eq!(lane.state, State::Armed);
}

#[test]
fn an_operation_that_ends_by_itself_goes_on_for_who_waits() {
    let world = World::new(0);
    let mut lane = armed(64 << 10, LISTENER);
    stop_waiting(&mut lane);
    assert_eq!(lane.deliver(conn(&world), true, LISTENER), Next::Nothing);
    assert_eq!(lane.state, State::Idle, "what is there is enough");
    let mut lane = armed(100, STREAM);
    lane.need(50);
    assert_eq!(lane.deliver(data(20), true, STREAM), Next::Rearm, "too little for who waits");
}

#[test]
fn who_needs_more_than_there_is_arms_the_lane() {
    let mut lane = RecvLane::new(100);
    lane.want();
    assert!(lane.arm(STREAM).is_some());
    lane.deliver(data(20), true, STREAM);
    wait(&mut lane.waiters);
    assert!(lane.arm(STREAM).is_none(), "there is something");
    lane.need(21);
    assert!(lane.arm(STREAM).is_some(), "but not enough");
    assert_eq!(lane.deliver(data(1), true, STREAM), Next::Nothing);
    lane.need(1 << 20);
    assert!(lane.arm(STREAM).is_some());
    assert_eq!(lane.deliver(data(79), false, STREAM), Next::Cancel);
    let next = lane.deliver(Event::Cancelled, true, STREAM);
    assert_eq!(next, Next::Nothing, "nobody needs more than the window");
}

#[test]
fn an_end_is_sticky_and_comes_last() {
    let mut lane = armed(100, STREAM);
    lane.deliver(data(5), false, STREAM);
    assert!(lane.ended().is_none());
    assert_eq!(lane.deliver(failed(ErrorKind::ConnectionReset), true, STREAM), Next::Nothing);
    lane.finish(End::Gone);
    assert_eq!(lane.ended().unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((lane.state, sized(lane.pop())), (State::Idle, 5));
    wait(&mut lane.waiters);
    lane.want();
    assert!(lane.arm(STREAM).is_none(), "never armed again");

    let mut lane = armed(100, STREAM);
    assert_eq!(lane.deliver(Event::Eof, true, STREAM), Next::Nothing);
    assert!(matches!(lane.ended(), Some(Ok(()))));
    assert_eq!(lane.state, State::Idle);
}

#[test]
fn a_lane_that_ended_from_outside_is_not_armed_again() {
    for event in [data(64), data(3), Event::Cancelled] {
        let mut lane = armed(1000, STREAM);
        lane.demoted = true;
        lane.finish(End::Gone);
        assert_eq!(lane.deliver(event, true, STREAM), Next::Nothing);
        assert_eq!(lane.state, State::Idle);
    }
    for kind in [ErrorKind::ConnectionAborted, ErrorKind::OutOfMemory] {
        let mut lane = armed(1000, LISTENER);
        lane.finish(End::Gone);
        assert_eq!(lane.deliver(failed(kind), true, LISTENER), Next::Nothing);
        assert_eq!(lane.state, State::Idle);
    }
}

#[test]
fn a_starved_lane_waits_for_a_block() {
    let mut lane = armed(100, STREAM);
    assert_eq!(lane.deliver(Event::Starved, true, STREAM), Next::Starve);
    assert_eq!(lane.state, State::Starved);
    assert!(lane.arm(STREAM).is_none());
    lane.state = State::Idle;
    assert!(lane.arm(STREAM).is_some(), "who waited still waits");
}

// ---- accepting ----------------------------------------------------------------------------------

#[test]
fn one_peer_that_gave_up_is_not_the_listeners_business() {
    let mut lane = armed(64 << 10, LISTENER);
    assert_eq!(lane.deliver(failed(ErrorKind::ConnectionAborted), true, LISTENER), Next::Rearm);
    assert_eq!((lane.state, lane.ended().is_none()), (State::Armed, true));
}

#[test]
fn a_full_listener_is_not_armed_for_a_peer_that_gave_up() {
    let world = World::new(0);
    let mut lane = armed(1024, LISTENER);
    assert_eq!(lane.deliver(conn(&world), false, LISTENER), Next::Cancel);
    assert_eq!(lane.deliver(failed(ErrorKind::ConnectionAborted), true, LISTENER), Next::Nothing);
    assert_eq!(lane.state, State::Idle);
    lane.pop();
    assert!(lane.arm(LISTENER).is_some());
}

#[test]
fn a_listener_without_descriptors_pauses_longer_and_longer() {
    let world = World::new(0);
    let mut lane = armed(64 << 10, LISTENER);
    let mut pauses = Vec::new();
    for _ in 0..40 {
        let Next::Shed(pause) = lane.deliver(failed(ErrorKind::OutOfMemory), true, LISTENER) else {
            panic!("it sheds and pauses");
        };
        pauses.push(pause);
        assert_eq!(lane.state, State::Paused);
        assert!(lane.arm(LISTENER).is_none());
        lane.state = State::Idle;
        assert!(lane.arm(LISTENER).is_some());
    }
    assert_eq!(pauses[0], PAUSE_MIN);
    assert!(pauses.windows(2).all(|two| two[1] == (two[0] * 2).min(PAUSE_MAX)), "{pauses:?}");
    lane.deliver(conn(&world), false, LISTENER);
    let next = lane.deliver(failed(ErrorKind::OutOfMemory), true, LISTENER);
    assert_eq!(next, Next::Shed(PAUSE_MIN), "a connection is good news");
}

#[cfg(unix)]
#[test]
fn running_out_of_descriptors_is_such_a_pause() {
    for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
        let event = Event::Failed(Fault::Os(code));
        assert_eq!(armed(1, LISTENER).deliver(event, true, LISTENER), Next::Shed(PAUSE_MIN));
    }
}

#[test]
fn a_broken_listener_ends() {
    let mut lane = armed(64 << 10, LISTENER);
    assert_eq!(lane.deliver(failed(ErrorKind::InvalidInput), true, LISTENER), Next::Nothing);
    assert_eq!((lane.state, lane.ended().is_some()), (State::Idle, true));
}

// ---- sending ------------------------------------------------------------------------------------

fn sends(op: Option<Op>) -> Chunk {
    match op {
        Some(Op::Send(chunk)) => chunk,
        _ => panic!("a send"),
    }
}

fn answer(lane: &mut SendLane, event: Event, chunk: &Chunk) -> Vec<Op> {
    let mut spent = Vec::new();
    assert_eq!(lane.deliver(event, Op::Send(chunk.clone()), &mut spent), Next::Nothing);
    spent
}

#[test]
fn chunks_go_out_in_order_one_at_a_time() {
    let mut lane = SendLane::new(100);
    assert!(lane.next().is_none());
    lane.push(Chunk::default());
    assert!(lane.flushed() && lane.next().is_none(), "an empty chunk is nothing");
    lane.push(owned("one"));
    lane.push("two".into());
    let one = sends(lane.next());
    assert_eq!(&*one, b"one");
    assert!(lane.next().is_none(), "one operation at a time");
    assert_eq!(lane.queued(), 6, "what is in flight counts");
    assert_eq!(answer(&mut lane, Event::Sent(3), &one).len(), 1);
    assert_eq!((lane.queued(), lane.state), (3, State::Idle));
    assert_eq!(&*sends(lane.next()), b"two");
}

#[test]
fn what_was_sent_half_goes_on_before_the_rest() {
    let mut lane = SendLane::new(100);
    lane.push("onetwo".into());
    lane.push("three".into());
    let first = sends(lane.next());
    assert!(answer(&mut lane, Event::Sent(3), &first).is_empty());
    assert_eq!(lane.queued(), 8);
    assert_eq!(&*sends(lane.next()), b"two");
}

#[test]
fn small_writes_gather_behind_an_operation() {
    let mut lane = SendLane::new(100);
    assert_eq!(lane.append(b"a"), 1);
    let first = sends(lane.next());
    assert_eq!(lane.append(b"b") + lane.append(b"c"), 2);
    lane.push("d".into());
    assert_eq!(lane.append(b"e"), 1);
    assert_eq!(lane.queued(), 5);
    answer(&mut lane, Event::Sent(1), &first);
    for expected in [&b"bc"[..], b"d", b"e"] {
        let chunk = sends(lane.next());
        assert_eq!(&*chunk, expected);
        answer(&mut lane, Event::Sent(chunk.len()), &chunk);
    }
    assert!(lane.flushed());
}

#[test]
fn writes_larger_than_the_tail_lose_nothing() {
    let bytes: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
    let mut lane = SendLane::new(15_000);
    lane.push("x".into());
    let first = sends(lane.next());
    let mut count = lane.append(&bytes[..100]);
    count += lane.append(&bytes[100..]);
    assert_eq!(count, 14_999, "as much as there is room for");
    assert!(!lane.room());
    assert_eq!(lane.append(b"more"), 0);
    answer(&mut lane, Event::Sent(1), &first);
    let mut out = Vec::new();
    while let Some(Op::Send(chunk)) = lane.next() {
        out.extend_from_slice(&chunk);
        answer(&mut lane, Event::Sent(chunk.len()), &chunk);
    }
    assert!(out == bytes[..count]);
}

#[test]
fn a_failure_is_sticky_and_drops_everything() {
    let mut lane = SendLane::new(10);
    lane.push(owned("first"));
    lane.push(owned("second"));
    let first = sends(lane.next());
    assert_eq!(lane.append(b"tail"), 0, "there is no room");
    lane.set_window(20);
    assert_eq!(lane.append(b"tail"), 4);
    let spent = answer(&mut lane, failed(ErrorKind::BrokenPipe), &first);
    assert_eq!(spent.len(), 3, "the one in flight, and all that was queued");
    assert_eq!((lane.queued(), lane.state), (0, State::Idle));
    let mut more = Vec::new();
    lane.fail(End::Gone, &mut more);
    assert!(more.is_empty());
    assert_eq!(lane.error().unwrap().kind(), ErrorKind::BrokenPipe, "the first is said");
    assert!(lane.next().is_none());
}

#[test]
fn a_failed_lane_waits_for_what_is_in_flight_and_counts_right() {
    for event in [Event::Sent(2), Event::Sent(5), failed(ErrorKind::BrokenPipe), Event::Cancelled] {
        let mut lane = SendLane::new(10);
        lane.push(owned("first"));
        let first = sends(lane.next());
        lane.fail(End::Failed(Fault::Kind(ErrorKind::TimedOut)), &mut Vec::new());
        assert_eq!((lane.queued(), lane.state), (0, State::Armed));
        assert_eq!(answer(&mut lane, event, &first).len(), 1);
        assert_eq!((lane.queued(), lane.state), (0, State::Idle));
        assert!(lane.next().is_none(), "nothing more is sent");
        assert_eq!(lane.error().unwrap().kind(), ErrorKind::TimedOut);
    }
}

#[test]
fn nothing_is_sent_before_the_connect() {
    let to = Destination::new(&Addr::Inet(([127, 0, 0, 1], 1).into())).unwrap();
    let mut lane = SendLane::new(10);
    lane.connect(Box::new(to));
    assert!(!lane.room() && lane.connecting() && !lane.quiet());
    lane.ask_finish();
    assert!(!lane.take_finish(), "not before it is connected");
    let op = lane.next().unwrap();
    assert!(matches!(op, Op::Connect(_)));
    let busy = lane.deliver(failed(ErrorKind::WouldBlock), op, &mut Vec::new());
    assert_eq!((busy, lane.state), (Next::Pause(PAUSE_MIN), State::Paused));
    assert!(lane.next().is_none());
    lane.state = State::Idle;
    let op = lane.next().expect("another try");
    let mut spent = Vec::new();
    assert_eq!(lane.deliver(Event::Connected, op, &mut spent), Next::Nothing);
    assert!(!lane.connecting() && lane.room() && lane.take_finish());
}

#[test]
fn a_refused_connect_ends_the_lane() {
    let to = Destination::new(&Addr::Inet(([127, 0, 0, 1], 1).into())).unwrap();
    let mut lane = SendLane::new(10);
    lane.connect(Box::new(to));
    let op = lane.next().unwrap();
    let mut spent = Vec::new();
    let next = lane.deliver(failed(ErrorKind::ConnectionRefused), op, &mut spent);
    assert_eq!((next, spent.len(), lane.connecting()), (Next::Nothing, 1, false));
    assert_eq!(lane.error().unwrap().kind(), ErrorKind::ConnectionRefused);
    assert!(lane.next().is_none());
}

#[test]
fn a_cancelled_connect_ends_the_lane() {
    let to = Destination::new(&Addr::Inet(([127, 0, 0, 1], 1).into())).unwrap();
    let mut lane = SendLane::new(10);
    lane.connect(Box::new(to));
    let op = lane.next().unwrap();
    assert!(start_cancel(&mut lane.state));
    assert_eq!(lane.deliver(Event::Cancelled, op, &mut Vec::new()), Next::Nothing);
    assert_eq!((lane.state, lane.connecting()), (State::Idle, false));
    assert!(lane.failed() && lane.next().is_none());
}

#[test]
fn the_end_comes_behind_everything_and_once() {
    let mut lane = SendLane::new(10);
    assert!(!lane.take_finish(), "nobody asked");
    lane.push("last".into());
    lane.ask_finish();
    assert!(!lane.open() && !lane.take_finish(), "not before the last byte");
    let last = sends(lane.next());
    assert!(!lane.take_finish());
    answer(&mut lane, Event::Sent(4), &last);
    assert!(!lane.finished() && lane.take_finish() && lane.finished());
    lane.ask_finish();
    assert!(!lane.take_finish(), "once");

    let mut lane = SendLane::new(10);
    lane.ask_finish();
    assert!(lane.take_finish(), "there was nothing to send");
}

#[test]
fn a_direct_send_holds_the_lane() {
    let mut lane = SendLane::new(10);
    assert!(lane.quiet());
    lane.state = State::Direct;
    assert!(!lane.quiet());
    lane.append(b"behind");
    assert!(lane.next().is_none(), "the home keeps away");
    lane.state = State::Idle;
    lane.push_front("rest".into());
    assert_eq!(lane.queued(), 10);
    assert_eq!(&*sends(lane.next()), b"rest");

    let mut lane = SendLane::new(10);
    lane.state = State::Direct;
    lane.ask_finish();
    assert!(!lane.take_finish(), "the end does not overtake it");
}

#[test]
fn what_a_failed_lane_gets_back_is_not_sent() {
    let mut lane = SendLane::new(10);
    lane.state = State::Direct;
    lane.fail(End::Gone, &mut Vec::new());
    lane.state = State::Idle;
    lane.push_front("rest".into());
    assert!(lane.next().is_none());
}

#[test]
fn a_lane_is_quiet_with_nothing_to_do() {
    let mut lane = SendLane::new(10);
    lane.push("x".into());
    assert!(!lane.quiet());
    let x = sends(lane.next());
    assert!(!lane.quiet());
    answer(&mut lane, Event::Sent(1), &x);
    assert!(lane.quiet());
    lane.ask_finish();
    assert!(!lane.quiet(), "nothing goes behind the end");
}

#[test]
fn only_what_is_armed_can_be_cancelled() {
    for state in
        [State::Idle, State::Cancelling, State::Starved, State::Paused, State::Direct, State::Armed]
    {
        let mut now = state;
        assert_eq!(start_cancel(&mut now), state == State::Armed);
        assert_eq!(now, if state == State::Armed { State::Cancelling } else { state });
    }
}

// ---- all together -------------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_nothing_is_lost(script in prop::collection::vec(any::<u8>(), 0..800)) {
        lane_model::run(&script);
    }
}

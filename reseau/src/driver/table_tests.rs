//! What blocks do for lanes that starve.
use super::*;
use crate::clock::tests::watched;
use crate::driver::{Home, Kind, Post, Who, chunk, open};
use crate::sys;
use std::task::{Context, Poll, Waker};

/// Takes in what was posted, and goes to the kernel and back without waiting for anything.
fn turn(driver: &mut Driver, home: &Home) {
    let mut posts = Vec::new();
    home.door().take(&mut posts);
    for post in posts {
        if let Post::Kick(socket) = post {
            driver.answer(&socket);
        }
    }
    driver.turn(Some(clock::past())).unwrap();
    let mut after = Aftermath::default();
    driver.take_aftermath(&mut after);
    after.release();
}

/// Only a ring fills what was lent to it: where bytes are taken by a call, the lane has to wait for
/// another block, not to ask again and again.
#[test]
fn who_is_served_by_calls_waits_for_what_a_call_can_fill() {
    watched(starve);
}

fn starve() {
    let limits = Limits { blocks_max: 4, ..Limits::SMALL };
    let Ok((mut driver, home)) = open(Some(Kind::Uring), &limits) else {
        return eprintln!("skipped: there are no rings here");
    };
    turn(&mut driver, &home);
    let mut held: Vec<_> = std::iter::from_fn(|| driver.pool.take()).collect();
    assert!(driver.backend.has_blocks(false) && held.len() == 2);
    let (fd, peer) = home.pair(sys::Kind::Stream).unwrap();
    peer.send(b"hello").unwrap();
    let socket = Socket::stream(fd, home.clone()).passing(true);
    let asked = &mut Context::from_waker(Waker::noop());
    let mut recv = || socket.poll_recv(Who::Owner, asked, chunk);
    assert!(recv().is_pending());
    while socket.recv_lane().state != State::Starved {
        turn(&mut driver, &home);
    }
    driver.rearm_starved();
    assert_eq!(socket.recv_lane().state, State::Starved, "nobody has a block for it");
    held.pop();
    let got = loop {
        turn(&mut driver, &home);
        if let Poll::Ready(got) = recv() {
            break got.unwrap();
        }
    };
    assert_eq!(got.as_deref(), Some(&b"hello"[..]));
    driver.shutdown();
}

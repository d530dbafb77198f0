//! A batch against the plainest model of it: a queue.
use super::groups::{GROUP_BYTES_MAX, GROUP_MAX};
use super::*;
use proptest::prelude::*;
use std::net::SocketAddr;

fn to(port: u16) -> Packet {
    Packet::to(SocketAddr::from(([127, 0, 0, 1], port)))
}

fn bytes(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at + seed * 7) as u8).collect()
}

fn all(batch: &Batch) -> Vec<(Packet, Vec<u8>)> {
    batch.iter().map(|(packet, bytes)| (packet.clone(), bytes.to_vec())).collect()
}

/// What the groups say, cut as the system cuts.
fn cut(batch: &Batch) -> Vec<(Packet, Vec<u8>)> {
    let mut found = Vec::new();
    for group in batch.groups() {
        assert!(group.count <= GROUP_MAX && (group.count == 1 || group.segment > 0));
        assert!(group.count == 1 || group.bytes.len() <= GROUP_BYTES_MAX);
        let mut parts: Vec<&[u8]> = group.bytes.chunks(group.segment.max(1)).collect();
        if group.bytes.is_empty() {
            parts.push(&[]);
        }
        assert_eq!(parts.len(), group.count);
        for part in parts {
            let mut packet = group.packet.clone();
            packet.len = part.len();
            found.push((packet, part.to_vec()));
        }
    }
    found
}

proptest! {
    #[test]
    fn pushing_skipping_and_cutting_is_a_queue(
        steps in prop::collection::vec((0_u16..3, 0_usize..60, 0_usize..5), 1..80),
        offload: bool,
    ) {
        let mut batch = Batch::new(20, 50);
        batch.set_offload(offload);
        let mut model: VecDeque<(Packet, Vec<u8>)> = VecDeque::new();
        for (nth, (port, len, skip)) in steps.into_iter().enumerate() {
            // Lengths that often repeat, so that there are runs.
            let len = if len < 40 { len / 10 * 10 } else { len };
            let (mut packet, sent) = (to(port), bytes(nth, len));
            let pushed = batch.push(&packet, &sent).is_ok();
            prop_assert_eq!(pushed, model.len() < 20 && len <= 50);
            if pushed {
                packet.len = len;
                model.push_back((packet, sent));
            }
            if skip == 4 {
                batch.skip(nth % 4);
                model.drain(..model.len().min(nth % 4));
            }
            prop_assert_eq!(batch.len(), model.len());
            prop_assert_eq!(&all(&batch), model.make_contiguous());
            prop_assert_eq!(&cut(&batch), model.make_contiguous());
        }
    }

    #[test]
    fn a_joined_message_comes_apart_as_it_was_joined(
        whole in 0_usize..400,
        segment in 1_usize..60,
        each in 1_usize..60,
    ) {
        let mut batch = Batch::new(2, each);
        let came = bytes(1, whole);
        batch.empty(400);
        batch.room(0, whole).copy_from_slice(&came);
        let mut packet = to(5);
        packet.len = whole;
        batch.received(0, packet, Some(segment));
        let mut expected: Vec<&[u8]> = came.chunks(segment).collect();
        if whole == 0 {
            expected.push(&[]);
        }
        prop_assert_eq!(batch.len(), expected.len());
        for ((packet, bytes), expected) in batch.iter().zip(expected) {
            prop_assert_eq!(bytes, &expected[..expected.len().min(each)]);
            prop_assert_eq!(packet.len, bytes.len());
            prop_assert_eq!(packet.truncated, expected.len() > each);
        }
        // It goes out again as what it is.
        let again: Vec<_> = cut(&batch).into_iter().map(|(_, bytes)| bytes).collect();
        prop_assert_eq!(again, all(&batch).into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>());
        if batch.len() < 2 {
            batch.push(&to(6), &[9][..]).unwrap();
            prop_assert_eq!(&all(&batch)[1].1, &[9]);
        }
    }
}

#[test]
fn datagrams_of_one_length_go_out_as_one_message() {
    let mut batch = Batch::new(200, 1000);
    for nth in 0..150 {
        batch.push(&to(1), &bytes(nth, 100)).unwrap();
    }
    batch.push(&to(1), &bytes(9, 40)).unwrap();
    batch.push(&to(1), &bytes(9, 30)).unwrap();
    batch.push(&to(2), &bytes(9, 30)).unwrap();
    let counts = |batch: &Batch| batch.groups().map(|group| group.count).collect::<Vec<_>>();
    assert_eq!(counts(&batch), [64, 64, 23, 1, 1]);
    batch.skip(1);
    assert_eq!(counts(&batch), [64, 64, 22, 1, 1]);
    batch.refused(100, false);
    assert_eq!(counts(&batch)[148..], [1, 2, 1], "shorter ones may be cut still");
    batch.set_offload(true);
    batch.refused(100, true);
    assert_eq!(counts(&batch).len(), 152);
    batch.clear();
    assert!(batch.is_empty() && counts(&batch).is_empty());
}

#[test]
fn long_datagrams_are_few_to_a_message() {
    let mut batch = Batch::new(8, 30_000);
    for nth in 0..5 {
        batch.push(&to(1), &bytes(nth, 30_000)).unwrap();
    }
    let counts: Vec<_> = batch.groups().map(|group| group.count).collect();
    assert_eq!(counts, [2, 2, 1]);
}

#[test]
fn answers_go_back_with_the_bytes_that_came() {
    let mut batch = Batch::new(4, 100);
    batch.empty(100);
    batch.room(0, 30).copy_from_slice(&bytes(3, 30));
    let mut packet = to(7);
    (packet.len, packet.ttl, packet.interface) = (30, Some(9), Some(1));
    batch.received(0, packet, Some(10));
    batch.reply();
    let found: Vec<_> = batch.groups().map(|group| (group.packet.clone(), group.count)).collect();
    assert_eq!(found.len(), 1);
    let (packet, count) = &found[0];
    assert_eq!((packet.ttl, packet.interface, packet.peer, *count), (None, Some(1), to(7).peer, 3));
    assert_eq!(all(&batch)[1].1, &bytes(3, 30)[10..20]);
}

#[test]
fn a_batch_that_is_full_stays_as_it_is() {
    let mut batch = Batch::new(1, 4);
    let long = batch.push(&to(1), b"12345").unwrap_err();
    batch.push(&to(1), b"1234").unwrap();
    assert_eq!(batch.push(&to(1), b""), Err(long));
    assert_eq!(batch.len(), 1);
    let error = io::Error::from(long);
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(format!("{batch:?}").starts_with("Batch { len: 1, packets_max: 1, bytes_each: 4"));
}

//! Bytes: parts, room, order, and nothing lost.
use super::*;
use std::net::Shutdown;

#[test]
fn two_ports_echo() {
    for unix in [false, true] {
        let world = World::new(20);
        let (client, server) = either(&world, unix);
        client.send(b"ping").unwrap();
        assert_eq!(kind(recv(&server, 64)), ErrorKind::WouldBlock, "bytes take their time");
        client.shutdown(Shutdown::Write).unwrap();
        let (heard, end) = recv_all(&world, &server);
        assert!(b"ping".starts_with(&heard) && !heard.is_empty());
        end.unwrap();
        send_all(&world, &server, &heard);
        drop(server);
        let (echo, end) = recv_all(&world, &client);
        assert_eq!(echo, heard);
        end.unwrap();
    }
}

#[test]
fn a_sender_waits_for_room_and_gets_it() {
    for unix in [false, true] {
        let world = World::new(21);
        let (client, server) = either(&world, unix);
        world.set_faults(whole());
        assert_eq!(client.send(&[7; 100_000]).unwrap(), 65536);
        assert_eq!(kind(client.send(&[7; 10])), ErrorKind::WouldBlock);
        settle(&world);
        assert_eq!(kind(client.send(&[7; 10])), ErrorKind::WouldBlock, "nobody has read");
        assert_eq!(recv(&server, 1000).unwrap().len(), 1000);
        assert_eq!(kind(client.send(&[7; 10])), ErrorKind::WouldBlock, "the news takes its time");
        let mut stirred = Vec::new();
        world.stirred(&mut stirred);
        let sent = wait(&world, "room", || client.send(&[7; 5000])).unwrap();
        assert_eq!(sent, 1000);
        stirred.clear();
        world.stirred(&mut stirred);
        assert!(stirred.contains(&client.index()));
        // Reads that follow each other are one piece of news.
        settle(&world);
        recv(&server, 100).unwrap();
        recv(&server, 200).unwrap();
        settle(&world);
        assert_eq!(client.send(&[7; 5000]).unwrap(), 300);
        // The other direction has room of its own.
        assert_eq!(server.send(&[8; 100_000]).unwrap(), 65536);
    }
}

#[test]
fn nothing_is_done_on_empty_slices() {
    let world = World::new(22);
    let (client, server) = tcp(&world);
    let trace = world.trace();
    assert_eq!(client.send(b"").unwrap(), 0);
    assert_eq!(recv(&server, 0).unwrap(), b"");
    assert_eq!(world.trace(), trace);
}

/// Random parts in random order, both ways at once: every byte comes once and in order.
#[test]
fn partial_reads_and_writes_lose_nothing() {
    for seed in 0..200 {
        let world = World::new(seed);
        let (a, b) = either(&world, seed % 4 == 3);
        let whole = [0, 0, 500, 1000][world.below(4) as usize];
        let slow = [0, 100][world.below(2) as usize];
        let faults = Faults { whole_sends: whole, whole_recvs: whole, slow, ..Faults::default() };
        world.set_faults(faults);
        if world.below(2) == 0 {
            b.set_option("recv_buffer_size", 1 + world.below(500)).unwrap();
        }
        let length = 1 + world.below(20_000) as usize;
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + i / 256) as u8).collect();
        let mut flows = [(&a, &b, 0, Vec::new(), false), (&b, &a, 0, Vec::new(), false)];
        until(&world, "end of both flows", || {
            for (from, to, sent, got, ended) in &mut flows {
                let most = 1 + world.below(3000) as usize;
                let part = &bytes[*sent..(*sent + most).min(length)];
                match from.send(part) {
                    Ok(0) if part.is_empty() => from.shutdown(Shutdown::Write).unwrap_or(()),
                    Ok(count) => *sent += count,
                    Err(error) if error.kind() == ErrorKind::BrokenPipe && part.is_empty() => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                match recv(to, most) {
                    Ok(some) if some.is_empty() => *ended = true,
                    Ok(some) => got.extend(some),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            (flows[0].4 && flows[1].4).then_some(())
        });
        for (_, _, sent, got, _) in &flows {
            assert_eq!(*sent, length, "seed {seed}");
            assert!(got == &bytes, "seed {seed}: {} of {length} bytes", got.len());
        }
    }
}

#[test]
fn parts_are_of_every_size() {
    let world = World::new(23);
    let (a, b) = tcp(&world);
    let mut sizes = std::collections::BTreeSet::new();
    for _ in 0..300 {
        sizes.insert(("sent", a.send(b"abcd").unwrap()));
        settle(&world);
        sizes.insert(("received", recv(&b, 4).unwrap().len()));
        while recv(&b, 64).is_ok() {}
        settle(&world);
    }
    let all: Vec<_> = ["received", "sent"].iter().flat_map(|w| (1..=4).map(|n| (*w, n))).collect();
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), all);
}

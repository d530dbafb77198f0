//! Deadlines and time limits: they come in time, and they cost nobody a byte.
use super::everywhere;
use super::stage::{TcpStream, drain, pair, pattern, poll_once, run, scaled, settle, take};
use reseau::{Kind, clock, spawn, timeout};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

everywhere!(
    a_past_deadline_is_at_once,
    a_deadline_wakes_who_waits,
    each_direction_has_its_own,
    a_stream_is_usable_after_its_deadline,
    data_outlives_the_deadline,
    deadlines_move_both_ways,
    sends_have_deadlines_and_stay_whole,
    a_timeout_loses_nothing,
    timers_come_in_order,
    an_interval_keeps_its_beat,
    far_deadlines_are_never,
);

fn soon(millis: u64) -> Option<Instant> {
    Some(clock::now() + Duration::from_millis(millis))
}

#[track_caller]
fn late<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
}

fn a_past_deadline_is_at_once(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        for past in [clock::now(), clock::now() - Duration::from_millis(1)] {
            client.set_deadlines(Some(past), Some(past));
            // At the first poll, without a turn of the loop.
            late(poll_once(client.recv()).await.expect("at once"));
            late(poll_once(client.read_exact(&mut [0; 4])).await.expect("at once"));
            late(poll_once(client.peek(&mut [0; 4])).await.expect("at once"));
            late(poll_once(client.send("x")).await.expect("at once"));
            late(poll_once(client.flush()).await.expect("at once"));
            late(client.try_read(&mut [0; 4]));
            late(client.try_write(b"x"));
        }
        drop(server);
    });
}

fn a_deadline_wakes_who_waits(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        for _ in 0..3 {
            let start = clock::now();
            client.set_deadlines(soon(20), None);
            late(client.recv().await);
            assert!(clock::now() - start >= Duration::from_millis(20), "not before");
            late(client.recv().await);
            late(client.peek(&mut [0; 4]).await);
            client.readable().await.unwrap(); // Reading would say something.
        }
        client.set_deadlines(soon(20), None);
        late(client.read_exact(&mut [0; 4]).await);
        drop(server);
    });
}

fn each_direction_has_its_own(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.set_deadlines(Some(clock::now()), None);
        late(client.recv().await);
        client.send("ping").await.unwrap();
        client.flush().await.unwrap();
        assert_eq!(take(&mut server, 4).await, b"ping");
        client.set_deadlines(None, Some(clock::now()));
        server.send("pong").await.unwrap();
        assert_eq!(take(&mut client, 4).await, b"pong");
        late(client.send("ping").await);
        late(client.flush().await);
        client.set_deadlines(None, None);
        client.send("again").await.unwrap();
        client.close().await.unwrap();
        assert_eq!(drain(&mut server).await, b"again");
    });
}

fn a_stream_is_usable_after_its_deadline(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        for i in 0..20u8 {
            server.set_deadlines(soon(1), None);
            late(server.recv().await);
            server.set_deadlines(if i % 2 == 0 { None } else { soon(60_000) }, None);
            client.send(vec![i; 100]).await.unwrap();
            assert_eq!(take(&mut server, 100).await, [i; 100]);
        }
    });
}

/// What came before the deadline, and what came after it, is there when it is cleared.
fn data_outlives_the_deadline(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.send(pattern(1000)).await.unwrap();
        server.peek(&mut [0]).await.unwrap();
        server.set_deadlines(soon(5), None);
        late(server.read_exact(&mut [0; 5000]).await);
        client.send(pattern(1000)).await.unwrap();
        settle().await;
        late(server.recv().await);
        server.set_deadlines(None, None);
        let both = [pattern(1000), pattern(1000)].concat();
        assert!(take(&mut server, 2000).await == both);
        client.close().await.unwrap();
        server.set_deadlines(Some(clock::now()), None);
        late(server.recv().await);
        server.set_deadlines(None, None);
        assert!(server.recv().await.unwrap().is_none());
    });
}

fn deadlines_move_both_ways(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let (mut one, mut two, mut three) = ([0; 4], [0; 4], [0; 4]);
        // Nearer, while somebody waits. (`peek` does so through `&`.)
        let waits = waiting(&client, &mut one).await;
        let then = soon(15);
        client.set_deadlines(then, None);
        late(waits.await);
        assert!(Some(clock::now()) >= then, "not before");
        // Farther, and off: the first of them passes, and nobody hears of it.
        let waits = waiting(&client, &mut two).await;
        let then = postponed(&client, |first| Some(first + Duration::from_millis(20))).await.1;
        late(waits.await);
        assert!(Some(clock::now()) >= then, "not before");
        let mut waits = waiting(&client, &mut three).await;
        let (first, _) = postponed(&client, |_| None).await;
        reseau::sleep_until(first + Duration::from_millis(10)).await;
        assert!(poll_once(waits.as_mut()).await.is_none());
        server.send("x").await.unwrap();
        assert_eq!(waits.await.unwrap(), 1);
    });
}

/// Somebody who waits already, with a deadline that is far.
async fn waiting<'a>(
    client: &'a TcpStream,
    buf: &'a mut [u8],
) -> Pin<Box<dyn Future<Output = io::Result<usize>> + 'a>> {
    client.set_deadlines(soon(600_000), None);
    let mut waits = Box::pin(client.peek(buf));
    assert!(poll_once(waits.as_mut()).await.is_none());
    waits
}

/// Sets a deadline, and another before it has passed: with more time on a machine that is busy.
async fn postponed(
    client: &TcpStream,
    then: impl Fn(Instant) -> Option<Instant>,
) -> (Instant, Option<Instant>) {
    let mut span = Duration::from_millis(10);
    loop {
        let first = clock::now() + span;
        client.set_deadlines(Some(first), None);
        reseau::yield_now().await;
        let then = then(first);
        client.set_deadlines(then, None);
        if clock::now() < first {
            return (first, then);
        }
        span *= 2;
    }
}

fn sends_have_deadlines_and_stay_whole(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let mut sent = 0;
        client.set_deadlines(None, soon(40));
        loop {
            match client.send(vec![7; 50_000]).await {
                Ok(()) => sent += 50_000,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    break;
                }
            }
        }
        late(client.flush().await);
        let reader = spawn(async move { drain(&mut server).await });
        settle().await;
        late(client.send("x").await);
        client.set_deadlines(None, None);
        client.send(vec![8; 10]).await.unwrap();
        client.close().await.unwrap();
        let got = reader.await.unwrap();
        assert_eq!(got.len(), sent + 10);
        assert!(got[..sent].iter().all(|byte| *byte == 7));
    });
}

fn a_timeout_loses_nothing(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let total = scaled(kind, 400_000);
        let writer = spawn(async move {
            for frame in pattern(total).chunks(1009) {
                client.send(frame.to_vec()).await.unwrap();
                reseau::sleep(Duration::from_micros(500)).await;
            }
            client.close().await.unwrap();
        });
        let (mut got, mut elapsed) = (Vec::new(), 0);
        loop {
            match timeout(Duration::from_micros(200), server.recv()).await {
                Err(_) => elapsed += 1,
                Ok(chunk) => match chunk.unwrap() {
                    Some(chunk) => got.extend_from_slice(&chunk),
                    None => break,
                },
            }
        }
        assert!(elapsed > 0 || cfg!(windows)); // (Its timers are coarser.)
        assert!(got == pattern(total));
        writer.await.unwrap();
    });
}

fn timers_come_in_order(kind: Kind) {
    run(kind, async {
        // All are to wait before the second is due: with more time on a machine that is busy.
        let mut unit = Duration::from_millis(1);
        while !five_timers(unit).await {
            unit *= 2;
        }
        // A sleep that was dropped, and one that was polled by another waker before.
        drop(reseau::sleep(Duration::from_millis(1)));
        let mut sleep = Box::pin(reseau::sleep(Duration::from_millis(5)));
        assert!(poll_once(&mut sleep).await.is_none());
        reseau::spawn_local(sleep).await.unwrap();
    });
}

/// Whether all of them waited before the second was due; then they must have come in order.
async fn five_timers(unit: Duration) -> bool {
    let start = clock::now();
    let (armed, order) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
    let tasks = [30, 10, 20, 0, 25].map(|count| {
        let (armed, order) = (armed.clone(), order.clone());
        reseau::spawn_local(async move {
            armed.set(armed.get() + 1);
            reseau::sleep_until(start + unit * count).await;
            assert!(clock::now() >= start + unit * count);
            order.borrow_mut().push(count);
        })
    });
    while armed.get() < 5 {
        reseau::yield_now().await;
    }
    let in_time = clock::now() < start + unit * 10;
    for task in tasks {
        task.await.unwrap();
    }
    assert!(!in_time || *order.borrow() == [0, 10, 20, 25, 30], "{order:?}");
    in_time
}

fn an_interval_keeps_its_beat(kind: Kind) {
    run(kind, async {
        let period = Duration::from_millis(4);
        let mut interval = reseau::interval(period);
        let first = interval.tick().await;
        for beat in 1..10 {
            if beat % 3 == 0 {
                reseau::sleep(Duration::from_millis(9)).await;
            }
            let given_up = poll_once(interval.tick()).await; // Misses no tick.
            let due = match given_up {
                Some(due) => due,
                None => interval.tick().await,
            };
            assert!(due <= clock::now());
            assert_eq!(due - first, period * beat);
        }
    });
}

fn far_deadlines_are_never(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let never = timeout(Duration::MAX, client.recv());
        server.send("x").await.unwrap();
        assert_eq!(&*never.await.unwrap().unwrap().unwrap(), b"x");
        assert!(timeout(Duration::ZERO, client.recv()).await.is_err());
    });
}

//! By way of proxies: what they say may come in any pieces, and nothing of the tunnel is lost.
use crate::everywhere;
use crate::stage::{drain, run, take};
use reseau::addr::Addr;
use reseau::dial::{DialReport, HopError, SocksReply};
use reseau::error::Phase;
use reseau::{Any, Kind, Listener, Stream, clock, connect, listen, spawn};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::Duration;

everywhere!(
    the_tunnel_begins_where_the_answer_ends,
    hops_are_taken_one_after_the_other,
    a_refusal_closes_everything,
    silence_ends_in_time_and_is_not_waited_for,
    answers_without_end_are_ended,
    what_a_proxy_says_early_does_not_hurry_us,
);

/// A proxy in the hands of `serve`: its port.
async fn proxy<F>(serve: impl FnOnce(Stream<Any>) -> F + Send + 'static) -> u16
where
    F: Future<Output = io::Result<()>> + Send,
{
    let listener: Listener<Any> = listen(":0").await.unwrap();
    let port = port(&listener);
    spawn(async move {
        let (stream, _) = listener.accept().await?;
        serve(stream).await
    })
    .detach();
    port
}

fn port(listener: &Listener<Any>) -> u16 {
    listener.local_addr().unwrap().inet().unwrap().port()
}

/// Says something, in pieces of that length.
async fn say(stream: &mut Stream<Any>, bytes: &[u8], piece: usize) -> io::Result<()> {
    for piece in bytes.chunks(piece) {
        stream.send(piece.to_vec()).await?;
        stream.flush().await?;
        if bytes.len() > piece.len() {
            reseau::sleep(Duration::from_micros(200)).await;
        }
    }
    Ok(())
}

/// The client's side of SOCKS5, as far as the request for `db.internal:5432`.
async fn asked(stream: &mut Stream<Any>, piece: usize) -> io::Result<()> {
    assert_eq!(take(stream, 3).await, [5, 1, 0]);
    say(stream, &[5, 0], piece).await?;
    assert_eq!(take(stream, 18).await, b"\x05\x01\0\x03\x0bdb.internal\x15\x38");
    Ok(())
}

const LED: [u8; 10] = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];

fn the_tunnel_begins_where_the_answer_ends(kind: Kind) {
    run(kind, async {
        for piece in [1, 3, 100] {
            let socks = proxy(move |mut stream| async move {
                asked(&mut stream, piece).await?;
                say(&mut stream, &[&LED[..], b"\x05\0greeting"].concat(), piece).await?;
                assert_eq!(drain(&mut stream).await, b"thanks");
                stream.close().await
            });
            let socks = format!("socks5://127.0.0.1:{}", socks.await);
            let http = proxy(move |mut stream| async move {
                let request = "CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal:5432\r\n\r\n";
                assert_eq!(take(&mut stream, request.len()).await, request.as_bytes());
                let answer = b"HTTP/1.1 200 Go\r\nVia: x\r\n\r\n\x05\0greeting";
                say(&mut stream, answer, piece).await?;
                assert_eq!(drain(&mut stream).await, b"thanks");
                stream.close().await
            });
            let http = format!("http://127.0.0.1:{}", http.await);
            for via in [socks, http] {
                let mut stream = connect("db.internal:5432").via(&via).await.unwrap();
                assert_eq!(take(&mut stream, 10).await, b"\x05\0greeting", "{via}, by {piece}");
                stream.send("thanks").await.unwrap();
                stream.finish().await.unwrap();
                assert_eq!(drain(&mut stream).await, b"");
            }
        }
    });
}

fn hops_are_taken_one_after_the_other(kind: Kind) {
    run(kind, async {
        // One connection plays both: the second proxy is what the first one's tunnel leads to.
        let first = proxy(|mut stream| async move {
            assert_eq!(take(&mut stream, 3).await, [5, 1, 0]);
            say(&mut stream, &[5, 0], 1).await?;
            assert_eq!(take(&mut stream, 10).await, [5, 1, 0, 1, 192, 0, 2, 1, 0x1f, 0x90]);
            say(&mut stream, &LED, 1).await?;
            let request = "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n";
            assert_eq!(take(&mut stream, request.len()).await, request.as_bytes());
            say(&mut stream, b"HTTP/1.0 204 \r\n\r\nhello", 1).await?;
            stream.close().await
        });
        let first = format!("socks5://127.0.0.1:{}", first.await);
        let dial = connect("[2001:db8::1]:443").via(first).via("http://192.0.2.1:8080");
        let (mut stream, report) = dial.with_report().await.unwrap();
        assert_eq!(drain(&mut stream).await, b"hello");
        assert_eq!(report.hops().len(), 2, "{report}");
        assert!(report.hops().iter().all(|hop| hop.error().is_none()), "{report}");
    });
}

fn a_refusal_closes_everything(kind: Kind) {
    run(kind, async {
        let (tell, told) = std::sync::mpsc::channel();
        let at = proxy(move |mut stream| async move {
            asked(&mut stream, 1).await?;
            say(&mut stream, &[5, 5], 1).await?;
            // It ends with that, though the answer is not whole.
            let end = stream.recv().await;
            tell.send(end.map(|chunk| chunk.is_none()).unwrap_or(true)).unwrap();
            Ok(())
        });
        let via = format!("socks5://127.0.0.1:{}", at.await);
        let error = connect("db.internal:5432").via(via).await.unwrap_err();
        assert_eq!(HopError::of(&error), Some(&HopError::Socks(SocksReply::Refused)), "{error}");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let report = DialReport::of(&error).expect("it says what was tried");
        assert!(report.won().is_some() && report.hops()[0].error().is_some(), "{report}");
        while told.try_recv().map_or(true, |closed| !closed) {
            reseau::sleep(Duration::from_millis(1)).await;
        }
    });
}

fn silence_ends_in_time_and_is_not_waited_for(kind: Kind) {
    run(kind, async {
        let limit = Duration::from_millis(60);
        for scheme in ["socks5", "http"] {
            let (tell, told) = std::sync::mpsc::channel();
            let at = proxy(move |mut stream| async move {
                // What comes is read, and nothing said of it.
                while stream.recv().await?.is_some() {}
                tell.send(()).unwrap();
                Ok(())
            });
            let via = format!("{scheme}://127.0.0.1:{}", at.await);
            let begun = clock::now();
            let dial = connect("db.internal:5432").via(via).limit(limit);
            let error = dial.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            assert_eq!(reseau::Error::of(&error).unwrap().phase(), Some(Phase::Proxy));
            let taken = clock::now() - begun;
            assert!(taken >= limit, "{taken:?}");
            if kind == Kind::Sim {
                assert!(taken < limit + Duration::from_millis(10), "{taken:?}");
            }
            // The connection goes with it.
            while told.try_recv().is_err() {
                reseau::sleep(Duration::from_millis(1)).await;
            }
        }
    });
}

fn answers_without_end_are_ended(kind: Kind) {
    run(kind, async {
        let at = proxy(|mut stream| async move {
            stream.send("HTTP/1.1 200 OK\r\n").await?;
            // Until nobody listens any more.
            while stream.send("x".repeat(1000) + ": y\r\n").await.is_ok() {
                reseau::sleep(Duration::from_micros(100)).await;
            }
            Ok(())
        });
        let via = format!("http://127.0.0.1:{}", at.await);
        let error = connect("db.internal:5432").via(via).await.unwrap_err();
        assert_eq!(HopError::of(&error), Some(&HopError::TooLong), "{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    });
}

/// A proxy that answers before it was asked has our request all the same.
fn what_a_proxy_says_early_does_not_hurry_us(kind: Kind) {
    run(kind, async {
        let at = proxy(|mut stream| async move {
            say(&mut stream, &[&[5, 0][..], &LED, b"hello"].concat(), 100).await?;
            assert_eq!(take(&mut stream, 3 + 18).await[3..8], *b"\x05\x01\0\x03\x0b");
            stream.close().await
        });
        let via = format!("socks5://127.0.0.1:{}", at.await);
        let mut stream = connect("db.internal:5432").via(via).await.unwrap();
        assert!(matches!(stream.peer_addr(), Ok(Addr::Inet(_)) | Err(_)));
        assert_eq!(take(&mut stream, 5).await, b"hello");
    });
}

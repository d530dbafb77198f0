//! Connections that are cut after each number of bytes, one way or the other: at every byte of the
//! handshake, of the data, and of the last word. What both ends then say is an error with a name;
//! they never hang, and never give what was not sent.
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::future::{try_zip, zip};
use reseau::sim::World;
use reseau::tls::{Side, TlsStream};
use reseau::{Inet, TcpListener, TcpStream, clock};

use crate::simulated::SIDES;
use crate::stage::{pattern, watched};

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// This way it ends, and the other way it goes on.
    End,
    /// It is reset, both ways.
    Reset,
    /// This way nothing comes any more, and nobody says so.
    Silence,
}

/// One way of a connection, which is cut after so many bytes.
struct Way {
    cut: Cut,
    left: Cell<usize>,
    carried: Cell<usize>,
}

impl Way {
    fn new(cut: Cut, left: usize) -> Self {
        Self { cut, left: Cell::new(left), carried: Cell::new(0) }
    }

    async fn carry(
        &self,
        from: &mut reseau::net::OwnedReadHalf<Inet>,
        into: &mut reseau::net::OwnedWriteHalf<Inet>,
    ) -> io::Result<()> {
        while let Some(mut chunk) = from.recv().await? {
            let fits = chunk.len().min(self.left.get());
            let whole = fits == chunk.len();
            self.left.set(self.left.get() - fits);
            self.carried.set(self.carried.get() + fits);
            into.send(chunk.split_to(fits)).await?;
            if !whole {
                match self.cut {
                    Cut::Reset => return Err(ErrorKind::ConnectionReset.into()),
                    Cut::End => into.finish().await?,
                    Cut::Silence => {}
                }
                while from.recv().await?.is_some() {}
                return Ok(());
            }
        }
        into.finish().await
    }
}

/// Somebody between two ends.
async fn wire(listener: TcpListener, to: SocketAddr, ways: [Way; 2]) -> [usize; 2] {
    let (client, _) = listener.accept().await.unwrap();
    let server = TcpStream::connect(to).await.unwrap();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let carried = try_zip(
        ways[0].carry(&mut from_client, &mut to_server),
        ways[1].carry(&mut from_server, &mut to_client),
    );
    if carried.await.is_err() {
        let _ = from_client.reunite(to_client).unwrap().abort();
        let _ = from_server.reunite(to_server).unwrap().abort();
    }
    ways.map(|way| way.carried.get())
}

/// What one end has received, and how it ended.
type Told = (Vec<u8>, io::Result<()>);

/// Says `words` and that it was all, hears what the other says, and waits for its end.
async fn talk(stream: TcpStream, side: Side, words: Vec<u8>) -> Told {
    let deadline = clock::now() + PATIENCE;
    let mut got = Vec::new();
    stream.set_deadlines(Some(deadline), Some(deadline));
    let told = async {
        let mut stream: TlsStream<Inet> = stream.start_tls(side).await?;
        stream.send(words).await?;
        stream.finish().await?;
        while let Some(chunk) = stream.recv().await? {
            got.extend_from_slice(&chunk);
        }
        Ok(())
    };
    let told = told.await;
    (got, told)
}

/// Plays it; gives what client and server say, and how many bytes went each way.
fn play(seed: u64, ways: [Way; 2]) -> (Told, Told, [usize; 2]) {
    World::new(seed).run(async {
        let (client, server) = &*SIDES;
        let at_wire = TcpListener::bind("127.0.0.1:1").await.unwrap();
        let at_server = TcpListener::bind("127.0.0.1:2").await.unwrap();
        let to = at_server.local_addr().unwrap();
        let asking = async {
            let stream = TcpStream::connect("127.0.0.1:1").await.unwrap();
            talk(stream, client.to("localhost"), pattern(ASKED)).await
        };
        let answering = async {
            match reseau::timeout(PATIENCE, at_server.accept()).await {
                Ok(accepted) => {
                    let (stream, _) = accepted.unwrap();
                    talk(stream, Side::from(server), pattern(ANSWERED)).await
                }
                // It was reset before anybody met it.
                Err(_) => (Vec::new(), Err(ErrorKind::ConnectionReset.into())),
            }
        };
        let ((client, server), carried) =
            zip(zip(asking, answering), wire(at_wire, to, ways)).await;
        (client, server, carried)
    })
}

fn whole() -> Way {
    Way::new(Cut::End, usize::MAX)
}

/// What an end may say whose connection was cut: nothing is refused, and nothing is broken.
fn is_a_name(error: &io::Error, cut: Cut) -> bool {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => true,
        ErrorKind::TimedOut => cut == Cut::Silence,
        _ => false,
    }
}

/// Cuts one way (0: from the client, 1: to it) at each byte there is.
fn cut_everywhere(way: usize, cut: Cut) {
    let (client, server, lengths) = play(7, [whole(), whole()]);
    assert!(client.1.is_ok() && server.1.is_ok(), "{client:?}, {server:?}");
    assert!(client.0 == pattern(ANSWERED) && server.0 == pattern(ASKED));
    // Silence is as long wherever it falls: not each byte is worth the wait.
    let step = if cut == Cut::Silence { 11 } else { 1 };
    for at in (0..lengths[way]).step_by(step) {
        let mut ways = [whole(), whole()];
        ways[way] = Way::new(cut, at);
        let (client, server, _) = play(at as u64, ways);
        let (hears, other) = if way == 0 { (&server, &client) } else { (&client, &server) };
        assert!(hears.1.is_err(), "{cut:?} at {at}: not all came, and yet the end");
        for (told, words) in [(&client, ANSWERED), (&server, ASKED)] {
            assert!(pattern(words).starts_with(&told.0), "{cut:?} at {at}: not what was sent");
            match &told.1 {
                Ok(()) => assert_eq!(told.0.len(), words, "{cut:?} at {at}: the end, too early"),
                Err(error) => assert!(is_a_name(error, cut), "{cut:?} at {at}: {error:?}"),
            }
        }
        if cut == Cut::End && at == 0 {
            assert!(other.1.is_err(), "who hears nothing says nothing");
        }
    }
}

#[test]
fn what_goes_to_the_server_ends_at_each_byte() {
    watched(|| cut_everywhere(0, Cut::End));
}

#[test]
fn what_goes_to_the_client_ends_at_each_byte() {
    watched(|| cut_everywhere(1, Cut::End));
}

#[test]
fn a_reset_comes_at_each_byte_to_the_server() {
    watched(|| cut_everywhere(0, Cut::Reset));
}

#[test]
fn a_reset_comes_at_each_byte_to_the_client() {
    watched(|| cut_everywhere(1, Cut::Reset));
}

#[test]
fn silence_falls_on_the_way_to_the_server() {
    watched(|| cut_everywhere(0, Cut::Silence));
}

#[test]
fn silence_falls_on_the_way_to_the_client() {
    watched(|| cut_everywhere(1, Cut::Silence));
}

const PATIENCE: Duration = Duration::from_secs(60);
const ASKED: usize = 200;
const ANSWERED: usize = 100;

//! A server's tickets come behind the handshake, and its client need not read them: who closes with
//! them unread takes them out of its socket first, or else the system would reset the connection.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use reseau::tls::Client;
use rustls::{ServerConfig, ServerConnection};

use crate::stage::{Authority, watched};

/// A server that waits for a word before it ends the handshake, and so before its tickets.
struct Host {
    listener: TcpListener,
    client: Client,
    config: Arc<ServerConfig>,
}

/// The words that it waits for.
struct Cue {
    /// The client has said what it has to say.
    said: Sender<()>,
    /// The tickets are on their way.
    sent: Receiver<()>,
    /// The client is gone.
    left: Sender<()>,
}

impl Host {
    fn new() -> Self {
        let authority = Authority::new();
        let mut config = authority.other_server();
        // More than is taken out at a time.
        config.send_tls13_tickets = TICKETS;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new().trust_only(&authority.roots);
        Self { listener, client, config: Arc::new(config) }
    }

    /// Serves one, to whom nothing may happen because tickets are unread. `ends`: it says the end.
    fn serve(self, ends: bool) -> (Cue, JoinHandle<()>) {
        let ((said, hears), (sends, sent), (left, goes_on)) = (channel(), channel(), channel());
        let serving = thread::spawn(move || {
            let mut stream = self.listener.accept().unwrap().0;
            let mut tls = ServerConnection::new(self.config).unwrap();
            while !tls.wants_write() {
                tls.read_tls(&mut stream).unwrap();
                tls.process_new_packets().unwrap();
            }
            push(&mut tls, &mut stream);
            hears.recv().unwrap();
            while tls.is_handshaking() {
                tls.read_tls(&mut stream).unwrap();
                tls.process_new_packets().unwrap();
            }
            push(&mut tls, &mut stream);
            sends.send(()).unwrap();
            goes_on.recv().unwrap();
            let mut got = Vec::new();
            let end = rustls::Stream::new(&mut tls, &mut stream).read_to_end(&mut got);
            assert_eq!(got, b"that is all");
            match end {
                Ok(_) => assert!(ends, "it said no end"),
                Err(cut) => {
                    let reset = cut.kind() != std::io::ErrorKind::UnexpectedEof;
                    assert!(!ends && !reset, "{cut:?}");
                }
            }
            // Not by what is sent now, but by what was: nothing has gone wrong.
            assert!(stream.take_error().unwrap().is_none());
            tls.send_close_notify();
            push(&mut tls, &mut stream);
        });
        (Cue { said, sent, left }, serving)
    }
}

fn push(tls: &mut ServerConnection, stream: &mut TcpStream) {
    while tls.wants_write() {
        tls.write_tls(stream).unwrap();
    }
}

impl Cue {
    /// Has the tickets come.
    fn tickets(&self) {
        self.said.send(()).unwrap();
        self.sent.recv().unwrap();
    }

    /// The same, and waits until they are in that socket.
    fn tickets_in(&self, socket: &socket2::Socket) {
        self.tickets();
        let mut space = [std::mem::MaybeUninit::uninit(); 5_000];
        while socket.peek(&mut space).unwrap() < space.len() {
            thread::yield_now();
        }
    }
}

#[test]
fn a_thread_that_leaves_without_reading_resets_nobody() {
    for ends in [true, false] {
        watched(move || {
            let host = Host::new();
            let at = host.listener.local_addr().unwrap();
            let side = host.client.to("localhost");
            let (cue, serving) = host.serve(ends);
            let stream = reseau::blocking::TcpStream::connect(at).unwrap();
            let socket = socket2::SockRef::from(&stream).try_clone().unwrap();
            let mut stream = stream.start_tls(side).unwrap();
            stream.write_all(b"that is all").unwrap();
            if ends {
                stream.finish().unwrap();
            }
            cue.tickets_in(&socket);
            drop((socket, stream));
            cue.left.send(()).unwrap();
            serving.join().unwrap();
        });
    }
}

#[cfg(feature = "async")]
#[test]
fn a_task_that_leaves_without_reading_resets_nobody() {
    use crate::backends::config;
    use reseau::{Kind, Loop};
    let (ready, uring) = (Kind::Ready, Kind::Uring);
    for (kind, ends) in [(ready, true), (ready, false), (uring, true), (uring, false)] {
        watched(move || {
            let home = match Loop::with(&config(kind)) {
                Ok(home) => home,
                Err(error) if kind == Kind::Uring => return eprintln!("skipped: {error}"),
                Err(error) => panic!("{kind} must work here: {error}"),
            };
            let host = Host::new();
            let at = host.listener.local_addr().unwrap();
            let side = host.client.to("localhost");
            let (cue, serving) = host.serve(ends);
            home.block_on(async {
                let stream = reseau::TcpStream::connect(at).await.unwrap();
                let socket = socket2::SockRef::from(&stream).try_clone().unwrap();
                let (read, mut write) = stream.start_tls(side).await.unwrap().into_split();
                write.send("that is all").await.unwrap();
                write.flush().await.unwrap();
                // The loop stands still, and so nobody takes them, unless the system does: a ring.
                match kind {
                    Kind::Ready => cue.tickets_in(&socket),
                    _ => cue.tickets(),
                }
                drop(socket);
                if ends {
                    drop(write);
                } else {
                    write.forget();
                }
                drop(read);
            });
            drop(home); // It ends once it has sent what is left.
            cue.left.send(()).unwrap();
            serving.join().unwrap();
        });
    }
}

/// About a tenth of a kilobyte each.
const TICKETS: usize = 100;

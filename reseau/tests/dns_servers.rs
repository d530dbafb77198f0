//! Name servers that are asked directly: real ones on loopback, with every bad habit.
mod watchdog;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use reseau::Resolver;
use reseau::dns::{CacheConfig, Cause, Families, IpFamily, LookupError, Query, Source};
use watchdog::watched;

/// A name server: what it says to a question, as messages, one after the other.
struct Server {
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new(say: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (addr, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = asked.clone();
        thread::spawn(move || {
            let mut space = [0; 2048];
            while let Ok((len, peer)) = socket.recv_from(&mut space) {
                counted.fetch_add(1, Ordering::SeqCst);
                for message in say(&space[..len]) {
                    socket.send_to(&message, peer).unwrap();
                }
            }
        });
        Self { addr, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// What answers a question: its own head and question, this code, and one record of each address.
fn answer(question: &[u8], code: u8, ttl: u32, addrs: &[[u8; 4]]) -> Vec<u8> {
    // Without the addition, which is the last eleven bytes.
    let asked = &question[12..question.len() - 11];
    let mut bytes = question[..2].to_vec();
    bytes.extend([0x81, 0x80 | code, 0, 1, 0, addrs.len() as u8, 0, 0, 0, 0]);
    bytes.extend(asked);
    for addr in addrs {
        bytes.extend([0xc0, 12, 0, 1, 0, 1]);
        bytes.extend(ttl.to_be_bytes());
        bytes.extend([0, 4]);
        bytes.extend(addr);
    }
    bytes
}

fn ip(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn v4(servers: &[&Server]) -> Resolver {
    Resolver::servers(servers.iter().map(|server| server.addr)).families(Families::V4Only)
}

fn cause(resolver: &Resolver) -> Cause {
    let error = resolver.lookup("a.example").wait().unwrap_err();
    LookupError::of(&error).unwrap().cause()
}

#[test]
fn an_answer_says_how_long_it_holds() {
    watched("an_answer_says_how_long_it_holds", || {
        let server = Server::new(|question| vec![answer(question, 0, 77, &[[192, 0, 2, 1]])]);
        let resolver = v4(&[&server]);
        let query = Query::new("a.example", IpFamily::V4).unwrap();
        let found = resolver.query(&query).wait().unwrap();
        assert_eq!((found.addrs(), found.source()), (&[ip(1)][..], Source::Server));
        assert_eq!(found.ttl(), Some(Duration::from_secs(77)));
        // A cache goes by it.
        let config = CacheConfig { ttl_max: Duration::from_secs(300), ..CacheConfig::default() };
        let resolver = resolver.cached(config);
        for _ in 0..3 {
            let ttl = resolver.query(&query).wait().unwrap().ttl().unwrap();
            assert!(ttl > Duration::from_secs(10) && ttl <= Duration::from_secs(77));
        }
        assert_eq!(server.asked(), 2);
    });
}

#[test]
fn what_does_not_answer_the_question_is_passed_over() {
    watched("what_does_not_answer_the_question_is_passed_over", || {
        let server = Server::new(|question| {
            let mut other_id = answer(question, 0, 1, &[[192, 0, 2, 66]]);
            other_id[0] ^= 0xff;
            let mut other_name = answer(question, 0, 1, &[[192, 0, 2, 66]]);
            other_name[13] = b'b';
            let good = answer(question, 0, 1, &[[192, 0, 2, 1]]);
            vec![vec![], b"garbage".to_vec(), question.to_vec(), other_id, other_name, good]
        });
        assert_eq!(v4(&[&server]).lookup("a.example").wait().unwrap(), [ip(1)]);
    });
}

#[test]
fn servers_are_asked_in_order_until_one_knows() {
    watched("servers_are_asked_in_order_until_one_knows", || {
        let failing = || Server::new(|question| vec![answer(question, 2, 0, &[])]);
        let good = Server::new(|question| vec![answer(question, 0, 1, &[[192, 0, 2, 1]])]);
        let (bad, worse) = (
            failing(),
            Server::new(|question| {
                vec![question[..2].to_vec(), {
                    let mut cut = answer(question, 0, 1, &[[192, 0, 2, 1]]);
                    cut.truncate(cut.len() - 1);
                    cut
                }]
            }),
        );
        assert_eq!(v4(&[&bad, &worse, &good]).lookup("a.example").wait().unwrap(), [ip(1)]);
        assert_eq!((bad.asked(), worse.asked(), good.asked()), (1, 1, 1));
        // All fail: each is asked twice.
        assert_eq!(cause(&v4(&[&bad])), Cause::Temporary);
        assert_eq!(bad.asked(), 3);
        // What one knows not to be there is not asked of the next.
        let none = Server::new(|question| vec![answer(question, 3, 0, &[])]);
        assert_eq!(cause(&v4(&[&none, &good])), Cause::NotFound);
        let empty = Server::new(|question| vec![answer(question, 0, 0, &[])]);
        assert_eq!(cause(&v4(&[&empty, &good])), Cause::NoData);
        assert_eq!(good.asked(), 1);
        assert_eq!(cause(&v4(&[])), Cause::Failed);
    });
}

#[test]
fn a_dead_or_silent_server_costs_no_more_than_the_deadline() {
    watched("a_dead_or_silent_server_costs_no_more_than_the_deadline", || {
        let silent = Server::new(|_| Vec::new());
        let limit = Duration::from_millis(30);
        let error = v4(&[&silent]).lookup("a.example").limit(limit).wait().unwrap_err();
        assert_eq!(LookupError::of(&error).unwrap().cause(), Cause::Late);
        // Nobody is there: the system says so, and the next one is asked.
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let good = Server::new(|question| vec![answer(question, 0, 1, &[[192, 0, 2, 1]])]);
        let resolver = Resolver::servers([gone, good.addr]).families(Families::V4Only);
        assert_eq!(resolver.lookup("a.example").wait().unwrap(), [ip(1)]);
    });
}

#[test]
fn what_is_cut_is_asked_for_by_a_stream() {
    watched("what_is_cut_is_asked_for_by_a_stream", || {
        let many: Vec<_> = (0..200).map(|last| [192, 0, 2, last]).collect();
        // Both at one address, as name servers are.
        let (listener, socket) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
                break (listener, socket);
            }
        };
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut space = [0; 2048];
            let (len, peer) = socket.recv_from(&mut space).unwrap();
            let mut cut = answer(&space[..len], 0, 1, &[]);
            cut[2] |= 2;
            socket.send_to(&cut, peer).unwrap();
        });
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut len = [0; 2];
            stream.read_exact(&mut len).unwrap();
            let mut question = vec![0; u16::from_be_bytes(len).into()];
            stream.read_exact(&mut question).unwrap();
            let said = {
                let mut said = answer(&question, 0, 9, &many);
                said[6..8].copy_from_slice(&200u16.to_be_bytes());
                said
            };
            // One byte at a time.
            for byte in (said.len() as u16).to_be_bytes().iter().chain(&said) {
                stream.write_all(&[*byte]).unwrap();
            }
        });
        let resolver = Resolver::servers([addr]).families(Families::V4Only);
        let found = resolver.lookup("a.example").wait().unwrap();
        assert_eq!((found.len(), found[199]), (200, ip(199)));
    });
}

#[test]
fn names_of_addresses_are_asked_for_too() {
    watched("names_of_addresses_are_asked_for_too", || {
        let server = Server::new(|question| {
            assert!(question[12..].starts_with(b"\x011\x012\x010\x03192\x07in-addr\x04arpa"));
            let mut said = answer(question, 0, 1, &[]);
            said[7] = 1;
            said.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 1, 0, 9]);
            said.extend(b"\x01a\x05local\0");
            vec![said]
        });
        assert_eq!(v4(&[&server]).reverse(ip(1)).wait().unwrap(), "a.local");
    });
}

#[cfg(feature = "async")]
#[test]
fn a_world_has_no_servers() {
    watched("a_world_has_no_servers", || {
        let server = Server::new(|question| vec![answer(question, 0, 1, &[[192, 0, 2, 1]])]);
        let resolver = v4(&[&server]);
        let error = reseau::sim::World::new(1).run(async { resolver.lookup("a.example").await });
        let error = error.unwrap_err();
        assert_eq!(LookupError::of(&error).unwrap().cause(), Cause::Unsupported);
        assert_eq!(server.asked(), 0);
    });
}

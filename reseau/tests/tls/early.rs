//! Early data (0-RTT), to a server that is not ours: ours take nothing early.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use reseau::tls::Client;
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::stage::{Authority, watched};

/// Answers `WORDS` on each of so many connections with what it has heard, and says how much of it
/// came before the handshake was done.
fn serve(connections: usize) -> (SocketAddr, Client, JoinHandle<Vec<usize>>) {
    let authority = Authority::new();
    let mut config = authority.other_server();
    config.max_early_data_size = 1 << 10;
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let one = |_| answer(config.clone(), listener.accept().unwrap().0);
        (0..connections).map(one).collect()
    });
    (addr, Client::new().trust_only(&authority.roots).resume(1), serving)
}

fn answer(config: Arc<ServerConfig>, mut stream: TcpStream) -> usize {
    let mut tls = ServerConnection::new(config).unwrap();
    let mut heard = Vec::new();
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).unwrap();
        if let Some(mut early) = tls.early_data() {
            early.read_to_end(&mut heard).unwrap();
        }
    }
    let count = heard.len();
    let mut tls = Stream::new(&mut tls, &mut stream);
    heard.resize(WORDS.len(), 0);
    tls.read_exact(&mut heard[count..]).unwrap();
    tls.write_all(&heard).unwrap();
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    // The other one closes first.
    let _ = tls.read(&mut [0]);
    count
}

const WORDS: &[u8] = b"GET / HTTP/1.0";

#[test]
fn threads_speak_early() {
    watched(|| {
        let (addr, client, serving) = serve(3);
        for early in [0, WORDS.len(), 0] {
            // What is said the ordinary way takes up the session, too, and says nothing early.
            let side = client.to("localhost");
            let ordinary = early == 0;
            let side = if ordinary { side } else { side.early(WORDS) };
            let stream = reseau::blocking::TcpStream::connect(addr).unwrap();
            let mut stream = stream.start_tls(side).unwrap();
            assert_eq!(stream.session().early(), early);
            if ordinary {
                stream.write_all(WORDS).unwrap();
            }
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).unwrap();
            assert_eq!(heard, WORDS);
        }
        assert_eq!(serving.join().unwrap(), [0, WORDS.len(), 0]);
    });
}

#[cfg(feature = "async")]
#[test]
fn tasks_speak_early() {
    watched(|| {
        let (addr, client, serving) = serve(3);
        reseau::block_on(async {
            // The first has no session to take up.
            for early in [0, WORDS.len(), WORDS.len()] {
                let stream = reseau::TcpStream::connect(addr).await.unwrap();
                let side = client.to("localhost").early(WORDS);
                let mut stream = stream.start_tls(side).await.unwrap();
                assert_eq!(stream.session().early(), early);
                let mut heard = Vec::new();
                while let Some(chunk) = stream.recv().await.unwrap() {
                    heard.extend_from_slice(&chunk);
                }
                assert_eq!(heard, WORDS);
            }
        });
        assert_eq!(serving.join().unwrap(), [0, WORDS.len(), WORDS.len()]);
    });
}

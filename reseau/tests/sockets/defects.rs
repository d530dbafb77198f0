//! What was wrong in the seeds' own code (part A.11), and is not so here.
use std::net::TcpStream;
use std::thread;

use reseau::sockets::codon;

use crate::watched;

fn codon_server(host: &str) -> (codon::Socket, u16) {
    let server = codon::Socket::new(0, 0, 0).unwrap();
    server.bind(host, 0).unwrap();
    server.listen(16).unwrap();
    let port = server.local_addr().unwrap().1;
    (server, port)
}

/// Defect 1: `bind(host, …)` took every address of the machine, whatever the host.
#[test]
fn defect_1_a_private_service_stays_private() {
    watched(|| {
        let (server, port) = codon_server("127.0.0.1");
        assert_eq!(server.local_addr().unwrap().0, "127.0.0.1");
        if cfg!(target_os = "linux") {
            // All of 127.0.0.0/8 is this machine, but this service is at one of its addresses.
            assert!(TcpStream::connect(("127.0.0.2", port)).is_err());
        }
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, port) = codon_server("0.0.0.0");
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(server.local_addr().unwrap().0, "0.0.0.0");
    });
}

/// Defect 2: `send` was short and there was nothing else; `recv` took any bytes for text; a signal
/// ended a call; a peer that was gone ended the program.
#[test]
fn defect_2_all_is_sent_as_bytes_and_nothing_raises_a_signal() {
    watched(|| {
        let (server, port) = codon_server("127.0.0.1");
        let client = codon::Socket::new(0, 0, 0).unwrap();
        client.connect("127.0.0.1", port).unwrap();
        let accepted = server.accept().unwrap();
        // More than any buffer holds, and none of it text.
        let bytes: Vec<u8> = (0..16_u32 << 20).map(|at| ((at * 31) >> 3) as u8 | 0x80).collect();
        let expected = bytes.clone();
        let sending = thread::spawn(move || client.send_all(bytes).map(|()| client));
        let mut came = Vec::new();
        while came.len() < expected.len() {
            came.extend(accepted.recv(1 << 20).unwrap());
        }
        assert!(came == expected);
        let client = sending.join().unwrap().unwrap();
        drop(accepted);
        // Sooner or later the peer's reset is known here; a SIGPIPE would end the test's process.
        let error = loop {
            if let Err(error) = client.send("x") {
                break error;
            }
            thread::yield_now();
        };
        assert!(matches!(error, codon::Error::ValueError(_)), "{error}");
    });
}

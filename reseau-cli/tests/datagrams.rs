//! `reseau echo` and datagrams, through the real program.
#![allow(missing_docs)]
mod program;

use std::net::UdpSocket;

use program::{LIMIT, Program, drivers};

/// A socket of UDP that talks to the server at an endpoint alone.
fn udp(endpoint: &str) -> UdpSocket {
    let addr = endpoint.strip_prefix("udp://").expect("an endpoint of UDP");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(addr).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

/// Sends one datagram, of which nothing may be lost, added or changed.
fn exchange(socket: &UdpSocket, len: usize) {
    let sent = bytes(len);
    socket.send(&sent).unwrap_or_else(|error| panic!("{len} bytes: {error}"));
    let mut back = vec![0; 70_000];
    let got = socket.recv(&mut back).unwrap_or_else(|error| panic!("{len} bytes: {error}"));
    assert_eq!(got, len);
    assert!(back[..got] == sent, "{len} bytes came back changed");
}

#[test]
fn udp_comes_back_whole_on_every_driver() {
    for driver in drivers() {
        let mut server = Program::start(&["echo", "--driver", driver, "udp://127.0.0.1:0"]);
        let socket = udp(&server.listening());
        let runs = server.line("driver");
        assert!(runs.contains(driver), "asked for {driver}, runs {runs}");
        // The last is the longest that fits into a packet of IPv4.
        for len in [1, 0, 1472, 1473, 9000, 0, 65_507, 5] {
            exchange(&socket, len);
        }
    }
}

#[test]
fn udp_keeps_datagrams_apart_when_many_are_on_their_way() {
    let mut server = Program::start(&["echo", "--loops", "2", "udp://127.0.0.1:0", ":0"]);
    let socket = udp(&server.listening());
    let other = udp(&format!("udp://{}", socket.peer_addr().unwrap()));
    for round in 0..50_usize {
        // Few enough for the buffer of a socket.
        let lens: Vec<usize> = (0..30).map(|nth| (round * 7 + nth / 3 * 40) % 1200).collect();
        for len in &lens {
            socket.send(&bytes(*len)).unwrap();
            other.send(&bytes(*len + 1)).unwrap();
        }
        for (socket, more) in [(&socket, 0), (&other, 1)] {
            let mut back = [0; 2000];
            let came: Vec<usize> = lens.iter().map(|_| socket.recv(&mut back).unwrap()).collect();
            let sent: Vec<usize> = lens.iter().map(|len| len + more).collect();
            assert_eq!(came, sent, "in order, each once");
        }
    }
}

#[test]
fn several_loops_share_the_senders_of_udp() {
    let mut server = Program::start(&["echo", "--loops", "2", "udp://127.0.0.1:0"]);
    let endpoint = server.listening();
    let sockets: Vec<UdpSocket> = (0..16).map(|_| udp(&endpoint)).collect();
    for round in 0..5 {
        sockets.iter().for_each(|socket| exchange(socket, round * 100));
    }
    #[cfg(unix)]
    {
        let summary = server.stop(rustix::process::Signal::TERM);
        assert!(summary.ends_with("; udp 80 packets, 15.6 KiB in, 15.6 KiB out"), "{summary}");
    }
}

#[test]
fn udp_senders_that_are_gone_do_no_harm() {
    for driver in drivers() {
        let mut server = Program::start(&["echo", "--driver", driver, "udp://127.0.0.1:0"]);
        let endpoint = server.listening();
        let socket = udp(&endpoint);
        for _ in 0..50 {
            udp(&endpoint).send(b"gone").unwrap();
            exchange(&socket, 10);
        }
    }
}

#[test]
fn udp_of_ipv6_comes_back() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    let mut server = Program::start(&["echo", "udp://[::1]:0"]);
    let endpoint = server.listening();
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    socket.connect(endpoint.strip_prefix("udp://").unwrap()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    exchange(&socket, 1000);
}

/// All of 127.0.0.0/8 is this machine only there.
#[cfg(target_os = "linux")]
#[test]
fn udp_answers_come_from_the_address_that_was_asked() {
    for driver in drivers() {
        let mut server = Program::start(&["echo", "--driver", driver, "udp://0.0.0.0:0"]);
        let endpoint = server.listening();
        let port = endpoint.rsplit(':').next().unwrap();
        // Who is connected hears no other address.
        exchange(&udp(&format!("udp://127.0.0.2:{port}")), 100);
        exchange(&udp(&format!("udp://127.0.0.1:{port}")), 100);
    }
}

#[cfg(windows)]
#[test]
fn unix_datagrams_are_skipped_where_there_are_none() {
    let mut server = Program::start(&["echo"]);
    server.listening();
    let udp_endpoint = server.listening();
    assert!(server.line("skipped").starts_with("unixgram:"));
    exchange(&udp(&udp_endpoint), 100);
    let (status, _, errors) = Program::start(&["echo", "unixgram:x"]).end();
    assert_eq!(status.code(), Some(1), "who asks for them is told: {errors}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::UnixDatagram;
    use std::path::{Path, PathBuf};

    use rustix::process::Signal;

    use super::*;
    use program::Directory;

    /// A directory with a server's socket and those of its clients.
    struct Place(Directory);

    impl Place {
        fn new(name: &str) -> Self {
            Self(Directory::new(name))
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn endpoint(&self) -> String {
            format!("unixgram:{}", self.path("echo.sock").display())
        }

        /// A server that listens.
        fn serve(&self, more: &[&str]) -> Program {
            let endpoint = self.endpoint();
            let arguments: Vec<&str> =
                ["echo", &endpoint].into_iter().chain(more.iter().copied()).collect();
            let mut server = Program::start(&arguments);
            assert_eq!(server.listening(), endpoint);
            server
        }

        /// A socket that talks to the server.
        fn client(&self, name: &str) -> UnixDatagram {
            let socket = UnixDatagram::bind(self.path(name)).unwrap();
            self.connect(&socket);
            socket
        }

        fn connect(&self, socket: &UnixDatagram) {
            socket.connect(self.path("echo.sock")).unwrap();
            socket.set_read_timeout(Some(LIMIT)).unwrap();
            socket.set_write_timeout(Some(LIMIT)).unwrap();
        }
    }

    fn exchange(socket: &UnixDatagram, len: usize) {
        let sent = bytes(len);
        socket.send(&sent).unwrap_or_else(|error| panic!("{len} bytes: {error}"));
        let mut back = vec![0; len + 10];
        let got = socket.recv(&mut back).unwrap_or_else(|error| panic!("{len} bytes: {error}"));
        assert_eq!(got, len);
        assert!(back[..got] == sent, "{len} bytes came back changed");
    }

    #[test]
    fn unix_datagrams_come_back_whole_and_their_file_goes() {
        for driver in drivers() {
            let place = Place::new("dgram");
            let server = place.serve(&["--driver", driver]);
            let client = place.client("client.sock");
            for len in [1, 0, 1000, 2000, 0, 7] {
                exchange(&client, len);
            }
            let summary = server.stop(Signal::INT);
            assert!(
                summary.ends_with("; unixgram 6 packets, 2.9 KiB in, 2.9 KiB out"),
                "{summary}"
            );
            assert!(!place.path("echo.sock").exists(), "the socket's file was left behind");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn long_unix_datagrams_come_back_or_are_counted() {
        use reseau::opt;
        let place = Place::new("long");
        let server = place.serve(&[]);
        let client = place.client("client.sock");
        exchange(&client, 150_000);
        let _ = opt::of(&client).set(opt::SendBuffer(1 << 20));
        let opt::SendBuffer(most) = opt::of(&client).get().unwrap();
        exchange(&client, most.min(1 << 20) - 1000);
        // Only the privileged may send what is longer than all that others may.
        let forced = opt::of(&client).set(opt::SendBufferForce(4 << 20)).is_ok();
        if forced {
            client.send(&bytes((1 << 20) + 1)).unwrap();
            exchange(&client, 10);
        }
        let summary = server.stop(Signal::TERM);
        assert_eq!(summary.ends_with(", 1 too long"), forced, "{summary}");
    }

    #[test]
    fn those_who_cannot_be_answered_are_counted() {
        let place = Place::new("nobody");
        let server = place.serve(&[]);
        let nameless = UnixDatagram::unbound().unwrap();
        place.connect(&nameless);
        nameless.send(b"from nobody").unwrap();
        // Stopped, it answers only when the sender has gone.
        server.freeze();
        place.client("gone.sock").send(b"gone").unwrap();
        std::fs::remove_file(place.path("gone.sock")).unwrap();
        server.signal(Signal::CONT);
        exchange(&place.client("client.sock"), 10);
        let summary = server.stop(Signal::TERM);
        assert!(summary.contains("unixgram 3 packets, 25 B in, 10 B out,"), "{summary}");
        assert!(summary.contains(", 1 from senders without a name"), "{summary}");
        assert!(summary.contains(", 1 whose sender took no answer"), "{summary}");
    }

    #[test]
    fn who_does_not_read_holds_up_nobody_and_loses_nothing() {
        let place = Place::new("busy");
        let server = place.serve(&[]);
        let client = place.client("client.sock");
        // Not connected: a socket takes as many as its peer can send, and few of others.
        let busy = UnixDatagram::bind(place.path("busy.sock")).unwrap();
        busy.set_read_timeout(Some(LIMIT)).unwrap();
        busy.set_write_timeout(Some(LIMIT)).unwrap();
        for len in 0..100 {
            busy.send_to(&bytes(len), place.path("echo.sock")).unwrap();
        }
        for _ in 0..100 {
            exchange(&client, 20);
        }
        let mut back = [0; 200];
        let came: Vec<usize> = (0..100).map(|_| busy.recv(&mut back).unwrap()).collect();
        assert!(came.into_iter().eq(0..100), "in order, each once");
        let summary = server.stop(Signal::TERM);
        assert!(summary.contains("unixgram 200 packets"), "{summary}");
        assert!(!summary.contains("took no answer"), "{summary}");
    }

    #[test]
    fn a_file_of_a_dead_server_is_taken_over_and_that_of_another_is_not() {
        let place = Place::new("again");
        place.serve(&[]).kill_at(&place.path("echo.sock"));
        assert!(place.path("echo.sock").exists());
        let second = place.serve(&[]);
        let (status, _, errors) = Program::start(&["echo", &place.endpoint()]).end();
        assert_eq!(status.code(), Some(1), "{errors}");
        assert!(errors.contains("echo.sock"), "{errors}");
        exchange(&place.client("client.sock"), 10);
        // A file that somebody else has put there is not ours to remove.
        std::fs::remove_file(place.path("echo.sock")).unwrap();
        std::fs::write(place.path("echo.sock"), "another's").unwrap();
        second.stop(Signal::TERM);
        assert!(Path::new(&place.path("echo.sock")).exists());
    }

    #[test]
    fn datagrams_are_counted_beside_connections() {
        let mut server = Program::start(&["echo", "udp://127.0.0.1:0"]);
        let socket = udp(&server.listening());
        (0..3).for_each(|_| super::exchange(&socket, 100));
        let line = server.line("0 open, 0 in all");
        assert!(line.contains(" | udp 3 packets, "), "{line}");
        assert!(line.ends_with(", in 300 B, out 300 B"), "{line}");
        let summary = server.stop(Signal::INT);
        assert!(summary.contains(": 0 connections, 0 messages, 0 B in, 0 B out"), "{summary}");
        assert!(summary.ends_with("; udp 3 packets, 300 B in, 300 B out"), "{summary}");
    }
}

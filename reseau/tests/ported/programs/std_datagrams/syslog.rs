//! A receiver of log lines from many senders: `<priority>text`, one to a datagram.
use super::net::{SocketAddr, UdpSocket};
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

#[derive(Debug, PartialEq, Eq, Clone)]
struct Line {
    severity: u8,
    text: String,
    from: SocketAddr,
}

fn parse(datagram: &[u8], from: SocketAddr) -> Option<Line> {
    let text = str::from_utf8(datagram).ok()?;
    let (priority, text) = text.strip_prefix('<')?.split_once('>')?;
    let severity = priority.parse::<u8>().ok()? % 8;
    Some(Line { severity, text: text.to_owned(), from })
}

/// Runs until an empty datagram comes. How many datagrams were nonsense?
fn receive(socket: &UdpSocket, lines: &Sender<Line>) -> io::Result<u32> {
    let (mut buf, mut nonsense) = ([0; 64], 0);
    loop {
        match socket.recv_from(&mut buf)? {
            (0, _) => return Ok(nonsense),
            (n, from) => match parse(&buf[..n], from) {
                Some(line) => lines.send(line).unwrap(),
                None => nonsense += 1,
            },
        }
    }
}

fn log(server: SocketAddr, name: &str, count: u32) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    for number in 0..count {
        let priority = 8 + number % 8;
        socket.send(format!("<{priority}>{name}: event {number}").as_bytes())?;
    }
    socket.local_addr()
}

pub(super) fn main() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let server = socket.local_addr()?;
    let (sender, lines) = channel();
    let receiving = thread::spawn(move || receive(&socket, &sender));

    let loggers: Vec<_> = ["ann", "bob", "cid"]
        .map(|name| thread::spawn(move || log(server, name, 24).map(|addr| (addr, name))))
        .into_iter()
        .collect();
    let mut names = BTreeMap::new();
    for logger in loggers {
        names.extend([logger.join().unwrap()?]);
    }
    assert_eq!(names.len(), 3, "each had an address of its own");

    let last = UdpSocket::bind("127.0.0.1:0")?;
    last.send_to(b"no priority", server)?;
    last.send_to(b"<300>too much", server)?;
    if cfg!(unix) {
        // What does not fit is cut off, and does not come later.
        last.send_to(format!("<15>{}", "long ".repeat(100)).as_bytes(), server)?;
    }
    last.send_to(b"", server)?;
    assert_eq!(receiving.join().unwrap()?, 2);

    let mut heard: BTreeMap<SocketAddr, Vec<Line>> = BTreeMap::new();
    for line in lines {
        heard.entry(line.from).or_default().push(line);
    }
    for (addr, name) in names {
        let heard = heard.remove(&addr).unwrap();
        assert_eq!(heard.len(), 24);
        for (number, line) in heard.into_iter().enumerate() {
            assert_eq!(line.text, format!("{name}: event {number}"));
            assert_eq!(usize::from(line.severity), number % 8);
        }
    }
    if cfg!(unix) {
        let cut = heard.remove(&last.local_addr()?).unwrap();
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].text, &"long ".repeat(100)[..60]);
    }
    assert!(heard.is_empty());
    Ok(())
}

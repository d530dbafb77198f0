//! Small servers for tests: HTTP with one answer, and proxies. Each runs on threads that end with
//! the process; their sockets have limits, so that no test hangs on them.
#![allow(dead_code, reason = "each test file uses its own part")]
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::program::LIMIT;

/// What every request is answered with.
pub(crate) const BODY: &str = "reached";

/// A name that the proxies know, and nobody else.
pub(crate) const NAME: &str = "known-to-proxies.invalid";

/// Serves on TCP, and says where.
pub(crate) fn http(at: impl ToSocketAddrs) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(at)?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || limited(&stream).and_then(|()| answer(stream)));
        }
    });
    Ok(addr)
}

/// Serves on a Unix socket.
#[cfg(unix)]
pub(crate) fn http_unix(path: &std::path::Path) -> io::Result<()> {
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                stream.set_read_timeout(Some(LIMIT))?;
                answer(stream)
            });
        }
    });
    Ok(())
}

/// Reads a request up to its empty line, and answers it.
fn answer(stream: impl Read + Write) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let length = BODY.len();
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(format!("{head}{BODY}").as_bytes())
}

/// A proxy of each kind, without logins.
pub(crate) struct Proxies {
    pub(crate) socks5: SocketAddr,
    pub(crate) connect: SocketAddr,
    served: Arc<AtomicUsize>,
}

impl Proxies {
    pub(crate) fn start() -> Self {
        let served = Arc::new(AtomicUsize::new(0));
        Self { socks5: proxy(socks5, &served), connect: proxy(connect, &served), served }
    }

    /// How many tunnels were opened.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

/// How a proxy is asked: it answers with the connection that is wanted.
type Asked = fn(&mut TcpStream) -> io::Result<TcpStream>;

fn proxy(asked: Asked, served: &Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let (addr, served) = (listener.local_addr().expect("an address"), Arc::clone(served));
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let served = Arc::clone(&served);
            thread::spawn(move || {
                limited(&client)?;
                let server = asked(&mut client)?;
                limited(&server)?;
                served.fetch_add(1, Ordering::SeqCst);
                let (from, to) = (client.try_clone()?, server.try_clone()?);
                thread::spawn(move || pass(from, to));
                pass(server, client)
            });
        }
    });
    addr
}

/// RFC 1928, for names without a login.
fn socks5(client: &mut TcpStream) -> io::Result<TcpStream> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; greeting[1].into()])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 5];
    client.read_exact(&mut request)?;
    assert_eq!(&request[..4], [5, 1, 0, 3], "not a name to connect to");
    let mut name = vec![0; request[4].into()];
    client.read_exact(&mut name)?;
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    let server = known(&String::from_utf8_lossy(&name), u16::from_be_bytes(port))?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    Ok(server)
}

fn connect(client: &mut TcpStream) -> io::Result<TcpStream> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.split_whitespace().nth(1).unwrap_or_default();
    let (name, port) = target.split_once(':').unwrap_or_default();
    let server = known(name, port.parse().unwrap_or(0))?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    Ok(server)
}

fn known(name: &str, port: u16) -> io::Result<TcpStream> {
    assert_eq!(name, NAME, "the name was not left to the proxy");
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))
}

/// All that comes, and its end.
fn pass(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let end = io::copy(&mut from, &mut to);
    to.shutdown(Shutdown::Write)?;
    end.map(drop)
}

fn limited(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))
}

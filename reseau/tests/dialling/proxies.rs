//! By way of proxies, in both doors: real ones, slow ones, and such as are none.
use crate::watchdog::watched;
use reseau::dial::{DialReport, HopError};
use reseau::error::Phase;
use reseau::{Error, Resolver, blocking, connect};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// How a proxy behaves.
#[derive(Clone, Copy, Default)]
struct Manner {
    login: bool,
    /// Its answers come one byte at a time.
    dribbles: bool,
    /// What it answers instead of leading on.
    instead: Option<&'static [u8]>,
    /// It listens, and says nothing.
    silent: bool,
    /// Behind it is another proxy, which does not speak first.
    before: bool,
}

/// Starts a proxy that speaks SOCKS5 and HTTP, whichever it is spoken to in. It alone knows where
/// `db.internal` is.
fn proxy(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap(), manner));
        }
    });
    addr
}

fn serve(client: TcpStream, manner: Manner) -> io::Result<()> {
    let mut first = [0];
    if manner.silent {
        while (&client).read(&mut first)? > 0 {}
        return Ok(());
    }
    client.peek(&mut first)?;
    let (target, mut answer) = match first[0] {
        5 => socks(&client, manner)?,
        _ => http(&client, manner)?,
    };
    if let Some(instead) = manner.instead {
        answer = instead.to_vec();
        say(&client, &answer, manner)?;
        return client.shutdown(Shutdown::Write);
    }
    let target = TcpStream::connect(target)?;
    // The other end speaks first: its greeting comes in one piece with the proxy's answer.
    if !manner.before {
        answer.extend(take(&target, 5)?);
    }
    say(&client, &answer, manner)?;
    let (from, to) = (client.try_clone()?, target.try_clone()?);
    thread::spawn(move || relay(&from, &to));
    relay(&target, &client)
}

fn relay(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (from, to);
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

fn say(mut stream: &TcpStream, bytes: &[u8], manner: Manner) -> io::Result<()> {
    if !manner.dribbles {
        return stream.write_all(bytes);
    }
    stream.set_nodelay(true)?;
    bytes.iter().try_for_each(|byte| {
        thread::sleep(Duration::from_micros(200));
        stream.write_all(&[*byte])
    })
}

fn take(mut stream: &TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

fn socks(client: &TcpStream, manner: Manner) -> io::Result<(SocketAddr, Vec<u8>)> {
    let head = take(client, 2)?;
    let methods = take(client, head[1].into())?;
    if manner.login {
        if !methods.contains(&2) {
            say(client, &[5, 255], manner)?;
            return Err(ErrorKind::PermissionDenied.into());
        }
        say(client, &[5, 2], manner)?;
        let user = take(client, 2)?;
        let user = take(client, user[1].into())?;
        let password = take(client, 1)?;
        let password = take(client, password[0].into())?;
        let right = user == b"anna" && password == b"h0rse";
        say(client, &[1, u8::from(!right)], manner)?;
    } else {
        say(client, &[5, 0], manner)?;
    }
    let request = take(client, 4)?;
    let host = match request[3] {
        1 => IpAddr::from(<[u8; 4]>::try_from(take(client, 4)?).unwrap()),
        3 => {
            let length = take(client, 1)?;
            known(&String::from_utf8(take(client, length[0].into())?).unwrap())?
        }
        _ => IpAddr::from(<[u8; 16]>::try_from(take(client, 16)?).unwrap()),
    };
    let port = take(client, 2)?;
    let target = SocketAddr::new(host, u16::from_be_bytes([port[0], port[1]]));
    Ok((target, vec![5, 0, 0, 1, 127, 0, 0, 1, 0, 80]))
}

fn http(client: &TcpStream, manner: Manner) -> io::Result<(SocketAddr, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(take(client, 1)?);
    }
    let head = String::from_utf8(head).unwrap();
    if manner.login && !head.contains("Proxy-Authorization: Basic YW5uYTpoMHJzZQ==\r\n") {
        say(client, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", manner)?;
        return Err(ErrorKind::PermissionDenied.into());
    }
    let target = head.split(' ').nth(1).unwrap();
    let (host, port) = target.rsplit_once(':').unwrap();
    let host = host.parse().or_else(|_| known(host))?;
    let target = SocketAddr::new(host, port.parse().unwrap());
    Ok((target, b"HTTP/1.1 200 Go on\r\nVia: a test\r\n\r\n".to_vec()))
}

fn known(name: &str) -> io::Result<IpAddr> {
    match name {
        "db.internal" => Ok(Ipv4Addr::LOCALHOST.into()),
        other => Err(io::Error::new(ErrorKind::NotFound, other.to_owned())),
    }
}

/// Greets whoever comes, and says everything twice after that.
fn target() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                stream.write_all(b"hello").unwrap();
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).unwrap();
                stream.write_all(&[&heard[..], &heard[..]].concat()).unwrap();
            });
        }
    });
    addr
}

/// Dials in both doors, and says what came back of `ping`.
fn both(to: &str, port: u16, via: &[String], limit: Option<Duration>) -> Vec<io::Result<String>> {
    // Nobody here knows the target.
    let resolver = Resolver::fixed([("proxy.internal", [IpAddr::from([127, 0, 0, 1])])]);
    let far = limit.unwrap_or(Duration::from_secs(60));
    let mut dial = blocking::connect((to, port)).resolver(&resolver).limit(far);
    for proxy in via {
        dial = dial.via(proxy);
    }
    let threads = dial.wait().and_then(|mut stream| {
        stream.write_all(b"ping")?;
        stream.finish()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    });
    let tasks = reseau::block_on(async {
        let mut dial = connect((to, port)).resolver(&resolver).limit(far);
        for proxy in via {
            dial = dial.via(proxy);
        }
        let mut stream = dial.await?;
        stream.send("ping").await?;
        stream.finish().await?;
        let mut text = Vec::new();
        while let Some(chunk) = stream.recv().await? {
            text.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8(text).unwrap())
    });
    vec![threads, tasks]
}

fn url(scheme: &str, login: &str, at: SocketAddr) -> String {
    format!("{scheme}://{login}proxy.internal:{}", at.port())
}

#[test]
fn proxies_lead_on() {
    watched("proxies_lead_on", || {
        let target = target();
        for scheme in ["socks5", "http"] {
            for (login, dribbles) in [(false, false), (true, false), (false, true), (true, true)] {
                let at = proxy(Manner { login, dribbles, ..Manner::default() });
                let via = url(scheme, if login { "anna:h0rse@" } else { "" }, at);
                for (to, port) in [("db.internal", target.port()), ("127.0.0.1", target.port())] {
                    for heard in both(to, port, std::slice::from_ref(&via), None) {
                        assert_eq!(heard.unwrap(), "hellopingping", "{via}");
                    }
                }
            }
        }
    });
}

#[test]
fn proxies_lead_to_proxies() {
    watched("proxies_lead_to_proxies", || {
        let target = target();
        // The first one is asked for the second by its address: it does not know names.
        let first = proxy(Manner { login: true, before: true, ..Manner::default() });
        let second = proxy(Manner { dribbles: true, ..Manner::default() });
        for (one, other) in [("socks5", "http"), ("http", "socks5"), ("http", "http")] {
            let via = [url(one, "anna:h0rse@", first), format!("{other}://{second}")];
            for heard in both("db.internal", target.port(), &via, None) {
                assert_eq!(heard.unwrap(), "hellopingping", "{via:?}");
            }
        }
    });
}

#[test]
fn what_is_no_proxy_is_an_error() {
    watched("what_is_no_proxy_is_an_error", || {
        let port = target().port();
        let refuses = |instead| Manner { instead: Some(instead), ..Manner::default() };
        let cases: [(&str, Manner, ErrorKind, &str); 6] = [
            (
                "socks5",
                refuses(b"\x05\x05\0\x01\0\0\0\0\0\0"),
                ErrorKind::ConnectionRefused,
                "refused",
            ),
            ("socks5", refuses(b"SSH-2.0-x\r\n"), ErrorKind::InvalidData, "language"),
            ("socks5", refuses(b"\x05"), ErrorKind::UnexpectedEof, "closed"),
            ("http", refuses(b"HTTP/1.1 403 No\r\n\r\n"), ErrorKind::PermissionDenied, "403 No"),
            ("http", refuses(b"SSH-2.0-x\r\n"), ErrorKind::InvalidData, "language"),
            (
                "http",
                Manner { login: true, ..Manner::default() },
                ErrorKind::PermissionDenied,
                "user",
            ),
        ];
        for (scheme, manner, kind, said) in cases {
            let via = url(scheme, "", proxy(manner));
            for end in both("db.internal", port, std::slice::from_ref(&via), None) {
                let error = end.unwrap_err();
                assert_eq!(error.kind(), kind, "{via}: {error}");
                let text = error.to_string();
                assert!(
                    text.starts_with(&format!("connect db.internal:{port}: proxy: ")),
                    "{text}"
                );
                assert!(text.contains(said), "{text}");
                assert_eq!(Error::of(&error).unwrap().phase(), Some(Phase::Proxy));
                assert!(HopError::of(&error).is_some(), "{text}");
                let report = DialReport::of(&error).unwrap();
                assert!(report.won().is_some() && report.hops()[0].error().is_some(), "{report}");
                assert!(report.to_string().contains(": failed in "), "{report}");
            }
        }
    });
}

#[test]
fn a_deadline_holds_for_proxies_too() {
    watched("a_deadline_holds_for_proxies_too", || {
        for scheme in ["socks5", "http"] {
            let via = url(scheme, "", proxy(Manner { silent: true, ..Manner::default() }));
            let limit = Duration::from_millis(60);
            for end in both("db.internal", 80, std::slice::from_ref(&via), Some(limit)) {
                let error = end.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                assert_eq!(Error::of(&error).unwrap().phase(), Some(Phase::Proxy));
                let report = DialReport::of(&error).unwrap();
                assert!(report.total() >= limit, "{report}");
            }
        }
    });
}

#[test]
fn what_no_proxy_can_reach_is_said_before() {
    watched("what_no_proxy_can_reach_is_said_before", || {
        for (to, via, said) in [
            ("unix:/run/x", "socks5://127.0.0.1:1", "host and a port"),
            (":80", "socks5://127.0.0.1:1", "host and a port"),
            ("[fe80::1%1]:80", "http://127.0.0.1:1", "zone"),
            ("tls://db.internal:443", "socks5://127.0.0.1:1", "TLS"),
            ("tls://db.internal:443", "http://127.0.0.1:1", "TLS"),
            ("udp://db.internal:53", "http://127.0.0.1:1", "UDP"),
            ("db.internal:80", "ftp://127.0.0.1:1", "socks5://"),
            ("db.internal:no-such-thing", "http://127.0.0.1:1", "no such service"),
        ] {
            let errors = [
                blocking::connect(to).via(via).wait().unwrap_err(),
                reseau::block_on(async { connect(to).via(via).await.unwrap_err() }),
            ];
            for error in errors {
                assert!(error.to_string().contains(said), "{to} via {via}: {error}");
                assert!(DialReport::of(&error).is_none(), "nothing was begun: {error}");
            }
        }
    });
}

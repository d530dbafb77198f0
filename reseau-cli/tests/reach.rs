//! `reseau connect` reaches what curl and Python reach, by the same ways: TCP of both families, a
//! name, a Unix socket, proxies. What is not installed is left out, and the test says so.
#![allow(missing_docs)]
mod program;
#[path = "program/servers.rs"]
mod servers;

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use program::{LIMIT, Program};
use servers::Proxies;

/// A place that serves, and how each of the programs gets there.
struct Place {
    what: &'static str,
    reseau: Vec<String>,
    curl: Vec<String>,
    /// A way for Python's own library: an expression that makes a connected socket.
    python: Option<String>,
}

#[test]
fn reseau_reaches_what_curl_and_python_reach() {
    let (curl, python) = (installed("curl"), installed("python3"));
    for (name, is) in [("curl", curl), ("python3", python)] {
        if !is {
            eprintln!("skipped the comparison with {name}: it is not installed");
        }
    }
    let directory = program::Directory::new("reach");
    let proxies = Proxies::start();
    let mut reached = 0;
    for place in places(directory.path(), &proxies) {
        let got = with_reseau(&place.reseau);
        assert!(got.ends_with(BODY), "{}: {}", place.what, String::from_utf8_lossy(&got));
        if curl {
            assert_eq!(with_curl(&place.curl), BODY, "{}", place.what);
        }
        if let Some(socket) = place.python.as_ref().filter(|_| python) {
            assert_eq!(with_python(socket), got, "{}", place.what);
        }
        reached += 1;
    }
    assert!(reached >= 4, "this machine has too little to compare: {reached} places");
    assert_eq!(proxies.served(), if curl { 4 } else { 2 }, "the proxies were gone around");
}

#[test]
fn reseau_reaches_a_server_in_python() {
    if !installed("python3") {
        return eprintln!("skipped: python3 is not installed");
    }
    let directory = program::Directory::new("reach-python");
    std::fs::write(directory.path().join("file"), BODY).unwrap();
    for (family, addr) in [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")] {
        if TcpListener::bind((addr, 0)).is_err() {
            eprintln!("skipped {addr}: this machine has no such address");
            continue;
        }
        let (_server, port) = python_server(directory.path(), family, addr);
        let host = if addr.contains(':') { format!("[{addr}]") } else { addr.to_owned() };
        let got = ask(&[format!("{host}:{port}")], "/file");
        assert!(got.starts_with(b"HTTP/1.0 200"), "{}", String::from_utf8_lossy(&got));
        assert!(got.ends_with(BODY));
    }
}

/// As an init system would pass it.
#[cfg(unix)]
#[test]
fn a_listener_that_python_has_opened_is_taken_over() {
    if !installed("python3") {
        return eprintln!("skipped: python3 is not installed");
    }
    let script = "import os, socket, sys\n\
                  s = socket.create_server(('127.0.0.1', 0))\n\
                  print('port', s.getsockname()[1], flush=True)\n\
                  os.set_inheritable(s.fileno(), True)\n\
                  endpoint = f'fd:{s.fileno()}'\n\
                  os.execv(sys.argv[1], [sys.argv[1], 'listen', '--no-stdin', endpoint])\n";
    let mut program = Program::start_with(&[], |command| {
        *command = Command::new("python3");
        command.args(["-c", script, env!("CARGO_BIN_EXE_reseau")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    let port: u16 = program.line("port").parse().expect("a port");
    let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"inherited\n").unwrap();
    program.line("inherited");
    drop(stream);
    let (status, _, errors) = program.end();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(errors.starts_with(&format!("listening 127.0.0.1:{port}")), "{errors}");
}

fn places(directory: &std::path::Path, proxies: &Proxies) -> Vec<Place> {
    let url = |host: &str, port: u16| format!("http://{host}:{port}/");
    let mut places = Vec::new();
    let v4 = servers::http((Ipv4Addr::LOCALHOST, 0)).expect("IPv4").port();
    places.push(Place {
        what: "IPv4",
        reseau: vec![format!("127.0.0.1:{v4}")],
        curl: vec![url("127.0.0.1", v4)],
        python: Some(format!("socket.create_connection(('127.0.0.1', {v4}))")),
    });
    places.push(Place {
        what: "a name",
        reseau: vec![format!("localhost:{v4}")],
        curl: vec![url("localhost", v4)],
        python: Some(format!("socket.create_connection(('localhost', {v4}))")),
    });
    match servers::http((Ipv6Addr::LOCALHOST, 0)).map(|addr| addr.port()) {
        Ok(v6) => places.push(Place {
            what: "IPv6",
            reseau: vec![format!("[::1]:{v6}")],
            curl: vec![url("[::1]", v6)],
            python: Some(format!("socket.create_connection(('::1', {v6}))")),
        }),
        Err(error) => eprintln!("skipped IPv6: {error}"),
    }
    for (what, proxy, of_curl) in [
        ("SOCKS5", format!("socks5://{}", proxies.socks5), "--proxy"),
        ("HTTP CONNECT", format!("http://{}", proxies.connect), "--proxytunnel"),
    ] {
        // The proxy resolves the name: nobody else could.
        let name = servers::NAME;
        let by = proxy.replace("socks5:", "socks5h:");
        let curl = match of_curl {
            "--proxy" => vec!["--proxy".to_owned(), by],
            tunnel => vec![tunnel.to_owned(), "--proxy".to_owned(), by],
        };
        places.push(Place {
            what,
            reseau: vec!["--via".to_owned(), proxy, format!("{name}:{v4}")],
            curl: [curl, vec![url(name, v4)]].concat(),
            python: None,
        });
    }
    #[cfg(unix)]
    {
        let path = directory.join("http");
        servers::http_unix(&path).expect("a Unix socket");
        let path = path.display().to_string();
        places.push(Place {
            what: "a Unix socket",
            reseau: vec![format!("unix:{path}")],
            curl: vec!["--unix-socket".to_owned(), path.clone(), "http://x/".to_owned()],
            python: Some(format!(
                "(lambda s: (s.connect('{path}'), s)[1])(socket.socket(socket.AF_UNIX))"
            )),
        });
    }
    let _ = directory;
    places
}

fn with_reseau(arguments: &[String]) -> Vec<u8> {
    ask(arguments, "/")
}

/// What a request by way of `reseau connect` gets.
fn ask(arguments: &[String], path: &str) -> Vec<u8> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut program = Program::start_with(&[&["connect"], &arguments[..]].concat(), |command| {
        command.stdin(Stdio::piped());
    });
    let request = format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n");
    program.take_stdin().write_all(request.as_bytes()).expect("it reads stdin");
    let (status, lines, errors) = program.end();
    assert!(status.success(), "{arguments:?}: {status}: {errors}");
    lines.join("\n").into_bytes()
}

fn with_curl(arguments: &[String]) -> Vec<u8> {
    let limit = LIMIT.as_secs().to_string();
    let mut curl = Command::new("curl");
    // Whatever proxy the machine is told to use is not for this.
    curl.args(["--silent", "--show-error", "--max-time", &limit]).args(arguments);
    for name in ["http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
        curl.env_remove(name);
    }
    output(&mut curl)
}

fn with_python(socket: &str) -> Vec<u8> {
    let script = format!(
        "import socket, sys\n\
         socket.setdefaulttimeout({})\n\
         s = {socket}\n\
         s.sendall(b'GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n')\n\
         s.shutdown(socket.SHUT_WR)\n\
         while data := s.recv(4096):\n    sys.stdout.buffer.write(data)\n",
        LIMIT.as_secs()
    );
    let got = output(Command::new("python3").args(["-c", &script]));
    // As the lines of ours are joined.
    String::from_utf8(got).expect("text").replace("\r\n", "\n").into_bytes()
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    output.stdout
}

fn installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Python's own web server, and its port. It ends when its stdin does.
fn python_server(directory: &std::path::Path, family: &str, addr: &str) -> (Owned, u16) {
    let script = format!(
        "import http.server, os, socket, sys, threading\n\
         class Server(http.server.ThreadingHTTPServer):\n    address_family = socket.{family}\n\
         class Quiet(http.server.SimpleHTTPRequestHandler):\n    log_message = lambda *a: None\n\
         server = Server(('{addr}', 0), Quiet)\n\
         print(server.server_address[1], flush=True)\n\
         threading.Thread(target=server.serve_forever, daemon=True).start()\n\
         sys.stdin.read()\n"
    );
    let child = Command::new("python3")
        .args(["-c", &script])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut server = Owned(child);
    let mut line = String::new();
    let stdout = server.0.stdout.as_mut().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    (server, line.trim().parse().expect("a port"))
}

/// A process that does not outlive its test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const BODY: &[u8] = servers::BODY.as_bytes();

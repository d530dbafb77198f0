//! The `openssl` program, as client and as server; passed over where there is none.
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use reseau::blocking::{TcpListener, TcpStream};
use reseau::tls::{Broken, Client, Server, Version};

use crate::stage::{Authority, Papers, watched};

/// A directory of files for the program, gone at the end.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reseau-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that ends with its test.
struct Program(Child);

impl Program {
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_there() -> bool {
    let told = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    let there = told.is_ok_and(|status| status.success());
    if !there {
        eprintln!("passed over: there is no openssl program");
    }
    there
}

const ALGORITHMS: [(&str, &rcgen::SignatureAlgorithm); 3] = [
    ("p256", &rcgen::PKCS_ECDSA_P256_SHA256),
    ("rsa", &rcgen::PKCS_RSA_SHA256),
    ("ed25519", &rcgen::PKCS_ED25519),
];

#[test]
fn its_client_speaks_with_our_server() {
    if !is_there() {
        return;
    }
    for (name, algorithm) in ALGORITHMS {
        for (word, version) in [("-tls1_2", Version::Tls12), ("-tls1_3", Version::Tls13)] {
            watched(move || {
                let authority = Authority::new();
                let desk = Desk::new(&format!("client-{name}{word}"));
                let roots = desk.put("roots.pem", &authority.pem);
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let at = listener.local_addr().unwrap().to_string();
                let mut words = vec!["s_client", "-connect", &at, "-servername", "localhost"];
                words.extend(["-CAfile", &roots, "-verify_return_error", "-quiet", word]);
                words.extend(["-verify_hostname", "localhost", "-alpn", "echo"]);
                let mut program = Program::start(&words);
                let server = Server::new(&authority.papers(algorithm).identity()).alpn(["echo"]);
                let mut stream = listener.accept().unwrap().0.start_tls(&server).unwrap();
                let session = stream.session();
                assert_eq!(session.version(), Some(version));
                assert_eq!(session.alpn(), Some(&b"echo"[..]));
                assert_eq!(session.server_name(), Some("localhost"));
                stream.write_all(b"from us\n").unwrap();
                let mut line = String::new();
                BufReader::new(program.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
                assert_eq!(line, "from us\n");
                program.0.stdin.as_mut().unwrap().write_all(b"from it\n").unwrap();
                let mut got = [0; 8];
                stream.read_exact(&mut got).unwrap();
                assert_eq!(&got, b"from it\n");
            });
        }
    }
}

fn ed25519_key() -> String {
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]).output().unwrap();
    String::from_utf8(made.stdout).unwrap()
}

/// A server of the program, and its port.
fn serve(desk: &Desk, papers: &Papers, more: &[&str]) -> (Program, u16) {
    let (chain, key) = (desk.put("chain.pem", &papers.chain), desk.put("key.pem", &papers.key));
    let mut words = vec!["s_server", "-accept", "127.0.0.1:0", "-cert", &chain, "-key", &key];
    words.extend(more);
    let mut program = Program::start(&words);
    // It says "ACCEPT 127.0.0.1:4433".
    let mut told = BufReader::new(program.0.stdout.as_mut().unwrap());
    let mut line = String::new();
    while !line.starts_with("ACCEPT") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "openssl s_server has ended");
    }
    let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
    (program, port.expect("s_server says its port"))
}

#[test]
fn our_client_speaks_with_its_server() {
    if !is_there() {
        return;
    }
    for (name, algorithm) in ALGORITHMS {
        for (word, version) in [("-tls1_2", Version::Tls12), ("-tls1_3", Version::Tls13)] {
            watched(move || {
                let authority = Authority::new();
                let desk = Desk::new(&format!("server-{name}{word}"));
                let papers = match name {
                    // It cannot read rcgen's keys of this kind, which have their public half, too.
                    "ed25519" => authority.papers_for(ed25519_key()),
                    _ => authority.papers(algorithm),
                };
                let (_program, port) = serve(&desk, &papers, &[word, "-rev", "-alpn", "rev"]);
                let client = Client::new().trust_only(&authority.roots).alpn(["rev"]);
                let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let mut stream = stream.start_tls(client.to("localhost")).unwrap();
                assert_eq!(stream.session().version(), Some(version));
                assert_eq!(stream.session().alpn(), Some(&b"rev"[..]));
                stream.write_all(b"stressed\n").unwrap();
                let mut got = [0; 9];
                stream.read_exact(&mut got).unwrap();
                assert_eq!(&got, b"desserts\n");
                drop(stream); // It serves one at a time.

                let wrong = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let error = wrong.start_tls(client.to("example.com")).unwrap_err();
                assert!(Broken::of(&error).is_some_and(Broken::is_certificate), "{error}");
            });
        }
    }
}

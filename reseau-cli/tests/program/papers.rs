//! Certificates for tests, and servers of TLS that show them.
#![allow(dead_code, reason = "each test file uses its own part")]
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use reseau::blocking::{TcpListener, TlsStream};
use reseau::tls::{Identity, Server};

use crate::program::{Directory, LIMIT};

/// Who issues certificates here, with a directory for what programs have to read.
pub(crate) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    directory: Directory,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        let name = format!("authority {number}");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let directory = Directory::new(&format!("papers-{number}"));
        let pem = params.self_signed(&key).unwrap().pem();
        std::fs::write(directory.path().join("ca.pem"), pem).unwrap();
        Self { issuer: rcgen::Issuer::new(params, key), directory }
    }

    /// A file beside the others.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path of ours").to_owned()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Issues a certificate for `localhost` and `127.0.0.1`, in `NAME.pem` and `NAME.key`.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.issue_with(name, |_| {})
    }

    pub(crate) fn issue_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> Identity {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        let (cert, secret) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        std::fs::write(&cert, chain).unwrap();
        std::fs::write(&secret, key.serialize_pem()).unwrap();
        Identity::from_files(cert, secret).unwrap()
    }
}

/// A server for one connection, on a thread that ends with it: `before` speaks in plaintext,
/// `after` with TLS, unless the handshake has failed.
pub(crate) fn serve(
    server: Server,
    before: impl FnOnce(&mut reseau::blocking::TcpStream) + Send + 'static,
    after: impl FnOnce(TlsStream) + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_write_timeout(Some(LIMIT)).expect("a limit");
        before(&mut stream);
        if let Ok(stream) = stream.start_tls(&server) {
            after(stream);
        }
    });
    addr
}

//! Pairs that speak TLS.
use reseau::blocking::TlsStream;
use reseau::tls::{Client, Identity, Roots, Server};
use std::sync::LazyLock;
use std::thread;

/// Two connected streams that speak TLS.
pub(crate) fn pair() -> (TlsStream, TlsStream) {
    let (client, server) = crate::tcp_pair().unwrap();
    let accepting = thread::spawn(move || server.start_tls(&SIDES.1).unwrap());
    let client = client.start_tls(SIDES.0.to("localhost")).unwrap();
    (client, accepting.join().unwrap())
}

/// Without that word it would be a cut.
impl crate::Leave for TlsStream {
    fn leave(self) {
        self.finish().unwrap();
    }
}

/// Two who trust each other: made once, since keys take time. Without tickets: those come when the
/// server likes, and who closes without having read them resets the connection.
static SIDES: LazyLock<(Client, Server)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let roots = Roots::from_pem(chain.as_bytes()).unwrap();
    (Client::new().trust_only(&roots), Server::new(&identity).tickets(false))
});

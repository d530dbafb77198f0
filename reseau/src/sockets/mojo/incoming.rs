//! Iterating over connections.
use std::io;

use super::{SockPlatform, Socket};

/// The connections of a socket that listens, with the addresses of the clients: until it is
/// [shut](Socket::shutdown). What goes wrong with one is an item, and does not end it.
///
/// ```
/// use reseau::sockets::mojo::Socket;
/// use std::net::Shutdown;
///
/// let server = Socket::create_server(("127.0.0.1", 0))?;
/// let _client = Socket::create_connection(server.getsockname()?)?;
/// for accepted in &server {
///     let (_conn, addr) = accepted?;
///     assert_eq!(addr.host.to_string(), "127.0.0.1");
///     server.shutdown(Shutdown::Both)?; // One is enough.
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "it accepts when it is iterated"]
pub struct Incoming<F, T, P, A, S: SockPlatform<F, T, P, A>>(Socket<F, T, P, A, S>);

impl<F, T, P, A, S: SockPlatform<F, T, P, A>> Incoming<F, T, P, A, S> {
    pub(super) fn new(socket: Socket<F, T, P, A, S>) -> Self {
        Self(socket)
    }
}

impl<F, T, P, A, S: SockPlatform<F, T, P, A>> Iterator for Incoming<F, T, P, A, S> {
    type Item = io::Result<(Socket<F, T, P, A, S>, A)>;

    fn next(&mut self) -> Option<Self::Item> {
        let accepted = self.0.accept();
        (accepted.is_ok() || self.0.is_open()).then_some(accepted)
    }
}

impl<F, T, P, A, S: SockPlatform<F, T, P, A>> IntoIterator for Socket<F, T, P, A, S> {
    type Item = io::Result<(Self, A)>;
    type IntoIter = Incoming<F, T, P, A, S>;

    fn into_iter(self) -> Self::IntoIter {
        Incoming::new(self)
    }
}

impl<F, T, P, A, S: SockPlatform<F, T, P, A>> IntoIterator for &Socket<F, T, P, A, S> {
    type Item = io::Result<(Socket<F, T, P, A, S>, A)>;
    type IntoIter = Incoming<F, T, P, A, S>;

    fn into_iter(self) -> Self::IntoIter {
        self.incoming()
    }
}

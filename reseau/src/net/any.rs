//! Sockets whose family is known only when the program runs, and back to those where it is in the
//! type.
use super::{Any, Family, Inet, Listener, Stream, Unix, Vsock};

/// Both ways between the sockets of a family and those of any.
macro_rules! any {
    ($socket:ident: $($family:ty),*) => {$(
        /// A socket of any family has all the calls but those that only one family has.
        impl From<$socket<$family>> for $socket<Any> {
            fn from(socket: $socket<$family>) -> Self {
                socket.cast()
            }
        }

        /// Gives the socket back if it is of another family.
        impl TryFrom<$socket<Any>> for $socket<$family> {
            type Error = $socket<Any>;

            fn try_from(socket: $socket<Any>) -> Result<Self, $socket<Any>> {
                match socket.local_addr().map(<$family>::named) {
                    Ok(Ok(_)) => Ok(socket.cast()),
                    _ => Err(socket),
                }
            }
        }
    )*};
}

any!(Stream: Inet, Unix, Vsock);
any!(Listener: Inet, Unix, Vsock);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{TcpListener, TcpStream, UnixListener, UnixStream};
    use crate::rt::block_on;

    #[test]
    fn a_family_is_forgotten_and_found_again() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let addr = listener.local_addr().expect("an address");
            let listener = Listener::<Any>::from(listener);
            assert!(format!("{listener:?}").starts_with("Listener {"), "{listener:?}");
            let mut client = TcpStream::connect(addr).await.expect("connect");
            let (server, peer) = listener.accept().await.expect("accept");
            assert_eq!(peer.inet(), client.local_addr().ok());
            client.send("for anybody").await.expect("send");

            let server = UnixStream::try_from(server).expect_err("no Unix stream");
            let mut server = TcpStream::try_from(server).expect("a TCP stream");
            let mut heard = [0; 11];
            server.read_exact(&mut heard).await.expect("bytes");
            assert_eq!(&heard, b"for anybody");
            let listener = UnixListener::try_from(listener).expect_err("no Unix listener");
            assert!(TcpListener::try_from(listener).is_ok());
        });
    }
}

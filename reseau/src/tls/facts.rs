//! What one may want to know of the socket beneath, and set; and streams whose family is known only
//! when the program runs.
use std::io;
use std::time::Duration;

use super::TlsStream;
use crate::addr::{Any, Family, Inet, Unix, Vsock};
use crate::opt;
use crate::sys::{self, OsSocket, UCred};

impl TlsStream<Inet> {
    /// Small writes go out at once (`true`), or wait for each other (Nagle's algorithm).
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # use reseau::tls::{Client, Identity, Roots, Server};
    /// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// # let addr = listener.local_addr()?;
    /// # let accepting = reseau::spawn(async move {
    /// #     listener.accept().await?.0.start_tls(&server).await
    /// # });
    /// # let stream = reseau::TcpStream::connect(addr).await?;
    /// # let mut client = stream.start_tls(client.to("localhost")).await?;
    /// # let mut server = accepting.await.unwrap()?;
    /// client.set_nodelay(true)?;
    /// assert!(client.nodelay()?);
    /// client.set(reseau::opt::RecvBuffer(100_000))?; // Options by type, as everywhere.
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.link().lane().fd().set_nodelay(nodelay)
    }

    /// What [`set_nodelay`](Self::set_nodelay) set.
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.link().lane().fd().nodelay()
    }

    /// Acknowledges at once (`true`) or with the next data, until the system changes its mind.
    ///
    /// # Errors
    /// `Unsupported` on other systems than Linux and Android.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.link().lane().fd().set_quickack(quickack)
    }

    /// What [`set_quickack`](Self::set_quickack) set, unless the system changed its mind.
    ///
    /// # Errors
    /// `Unsupported` on other systems than Linux and Android.
    pub fn quickack(&self) -> io::Result<bool> {
        self.link().lane().fd().quickack()
    }

    /// Closing resets the connection from now on: what is not yet delivered is dropped.
    ///
    /// # Errors
    /// The system's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.link().lane().fd().set_linger(Some(Duration::ZERO))
    }

    /// What [`set_zero_linger`](Self::set_zero_linger) set.
    ///
    /// # Errors
    /// The system's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.link().lane().fd().linger()
    }

    /// How many hops a packet may take (IPv4's time to live).
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.link().lane().fd().set_ttl(ttl)
    }

    /// What [`set_ttl`](Self::set_ttl) set.
    ///
    /// # Errors
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.link().lane().fd().ttl()
    }
}

impl TlsStream<Unix> {
    /// Who is at the other end, by the word of the system.
    ///
    /// # Errors
    /// The system's.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        self.link().lane().fd().peer_credentials()
    }
}

impl<F: Family> TlsStream<F> {
    /// For those who borrow the descriptor.
    ///
    /// # Panics
    ///
    /// When the socket is simulated, and so has none.
    fn socket(&self) -> &OsSocket {
        self.link().lane().fd().os().expect("a simulated socket has no descriptor")
    }
}

opt::has_options!([F: Family] TlsStream<F>, stream => stream.link().lane().fd().on());
opt::fits! {
    TlsStream<Inet>: Inet Tcp;
    TlsStream<Unix>: Unix;
}
sys::borrows_descriptor!(TlsStream<Inet>);
sys::borrows_descriptor!(TlsStream<Unix>);
sys::borrows_descriptor!(TlsStream<Vsock>);

/// Both ways between streams of a family and those of any.
macro_rules! any {
    ($($family:ty),*) => {$(
        /// A stream of any family has all the calls but those that only one family has.
        impl From<TlsStream<$family>> for TlsStream<Any> {
            fn from(stream: TlsStream<$family>) -> Self {
                Self::new(stream.into_link())
            }
        }

        /// Gives the stream back if it is of another family.
        impl TryFrom<TlsStream<Any>> for TlsStream<$family> {
            type Error = TlsStream<Any>;

            fn try_from(stream: TlsStream<Any>) -> Result<Self, TlsStream<Any>> {
                match stream.local_addr().map(<$family>::named) {
                    Ok(Ok(_)) => Ok(Self::new(stream.into_link())),
                    _ => Err(stream),
                }
            }
        }
    )*};
}

any!(Inet, Unix, Vsock);

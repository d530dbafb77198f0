//! Opening listeners that speak TLS: [`ListenTls`].
use std::fmt;
use std::future::IntoFuture;
use std::io;

use super::listen::{Listen, ListenAny, Opening};
use crate::addr::Any;
use crate::net::Listener;
use crate::tls::{Server, TlsListener};

/// A listener to be that will speak TLS, made by [`Listen::tls`]: await it.
#[must_use = "it listens when it is awaited"]
pub struct ListenTls<L = Listen> {
    listen: L,
    server: Server,
}

impl Listen {
    /// Speaks TLS with all who come, as `server`: see [`TlsListener`].
    ///
    /// This is the only way to listen at `tls://`: what is to be safe is never served without it.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::tls;
    /// let server = tls::Server::new(&tls::Identity::from_files("chain.pem", "key.pem")?);
    /// let listener = reseau::listen("tls://0.0.0.0:443").tls(&server).await?;
    /// let (mut stream, _peer) = listener.accept().await?;
    /// stream.send("hello").await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn tls(mut self, server: &Server) -> ListenTls {
        self.berth.secures = true;
        ListenTls { listen: self, server: server.clone() }
    }
}

impl ListenAny {
    /// Speaks TLS with all who come, as `server`: see [`TlsListener`].
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::tls;
    /// let server = tls::Server::new(&tls::Identity::from_files("chain.pem", "key.pem")?);
    /// let (port, listener) = reseau::listen_any("localhost", 8443).tls(&server).await?;
    /// println!("https://localhost:{port}");
    /// # drop(listener);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn tls(mut self, server: &Server) -> ListenTls<Self> {
        self.berth.secures = true;
        ListenTls { listen: self, server: server.clone() }
    }
}

impl IntoFuture for ListenTls {
    type Output = io::Result<TlsListener<Any>>;
    type IntoFuture = Opening<TlsListener<Any>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { listen, server } = self;
        Opening::new(async move {
            server.check()?;
            let listener: Listener<Any> = listen.await?;
            Ok(listener.tls(&server))
        })
    }
}

impl IntoFuture for ListenTls<ListenAny> {
    type Output = io::Result<(u16, TlsListener<Any>)>;
    type IntoFuture = Opening<(u16, TlsListener<Any>)>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { listen, server } = self;
        Opening::new(async move {
            server.check()?;
            let (port, listener) = listen.await?;
            Ok((port, listener.tls(&server)))
        })
    }
}

impl<L: fmt::Debug> fmt::Debug for ListenTls<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenTls").field("listen", &self.listen).finish_non_exhaustive()
    }
}

//! The ends of a stream that speaks TLS: well, or at once.
use std::io;
use std::time::Instant;

use super::TlsStream;
use crate::addr::Family;

impl<F: Family> TlsStream<F> {
    /// Ends the stream so that nothing of it is lost: sends what is queued and that nothing more
    /// will come, then receives and drops what the peer still has to say, until its end.
    ///
    /// Who closes without it and has bytes unread makes the system reset the connection, and what
    /// was sent last may be lost on its way. A client's bytes may be unread though it asked for
    /// none: a server sends its tickets when it likes. (Dropping a client's stream takes out those
    /// that have come by then.)
    ///
    /// Dropping the future is like dropping the stream.
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
    /// use std::time::{Duration, Instant};
    /// client.send("much that nobody reads").await?;
    /// let closing = reseau::spawn(async move {
    ///     server.send("go away").await?;
    ///     server.close_gracefully(Instant::now() + Duration::from_secs(5)).await
    /// });
    /// assert_eq!(&*client.recv().await?.unwrap(), b"go away");
    /// assert!(client.recv().await?.is_none());
    /// client.close().await?;
    /// closing.await.unwrap()
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// `TimedOut` if the peer has not ended by then, `UnexpectedEof` if it ended without a word;
    /// else what went wrong with sending or receiving. The stream is closed in any case.
    pub async fn close_gracefully(mut self, deadline: Instant) -> io::Result<()> {
        self.set_deadlines(Some(deadline), Some(deadline));
        self.finish().await?;
        while self.recv().await?.is_some() {}
        Ok(())
    }

    /// Ends the stream at once: what is queued or not yet delivered is dropped, and the peer of a
    /// TCP connection sees a reset.
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
    /// server.abort()?;
    /// # if cfg!(windows) { return Ok(()); } // Wine passes no resets on.
    /// let told = client.recv().await.unwrap_err();
    /// assert_eq!(told.kind(), std::io::ErrorKind::ConnectionReset);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the system does not take the option that makes it a reset; the stream is closed all
    /// the same.
    pub fn abort(self) -> io::Result<()> {
        self.link().stream.cut()
    }
}

//! The ends of a stream: well, or at once.
use std::io;
use std::time::{Duration, Instant};

use super::{Family, Stream};

impl<F: Family> Stream<F> {
    /// Ends the stream so that nothing of it is lost: sends what is queued and that nothing more
    /// will come, then receives and drops what the peer still has to say, until its end.
    ///
    /// A server that answers and closes at once, while its client still sends, makes the system
    /// reset the connection, and the answer is lost on its way. This waits for the client instead,
    /// until `deadline` at most.
    ///
    /// Dropping the future is like dropping the stream.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// use std::time::{Duration, Instant};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (mut server, _) = listener.accept().await?;
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
    /// `TimedOut` if the peer has not ended by then; else what went wrong with sending or
    /// receiving. The stream is closed in any case.
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
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
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
        self.cut()
    }

    /// Drops what is queued; whatever closes the stream now closes it at once.
    pub(crate) fn cut(&self) -> io::Result<()> {
        let told = self.handle().fd().set_linger(Some(Duration::ZERO));
        self.handle().socket().abandon();
        told
    }
}

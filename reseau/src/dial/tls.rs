//! Dials that end in TLS: [`ConnectTls`].
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;

use super::connect::{Connect, reach};
use super::plan::Plan;
use super::report::DialReport;
use crate::addr::{Any, Family};
use crate::tls::{Client, TlsStream};

/// A connection to be that will speak TLS, made by [`Connect::tls`]: await it.
#[must_use = "it connects when it is awaited"]
pub struct ConnectTls<F: Family = Any> {
    plan: Plan,
    family: PhantomData<fn() -> F>,
}

impl<F: Family> Connect<F> {
    /// Speaks TLS with what it connects to, and asks it for a certificate of the name that was
    /// dialled. The handshake is within the deadline.
    ///
    /// This is the only way to dial `tls://`: what is to be safe is never dialled without it.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// let client = reseau::tls::Client::new();
    /// let mut stream = reseau::connect("tls://example.com:443").tls(&client).await?;
    /// stream.send("GET / HTTP/1.0\r\nhost: example.com\r\n\r\n").await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn tls(mut self, client: &Client) -> ConnectTls<F> {
        self.plan.tls(client);
        ConnectTls { plan: self.plan, family: PhantomData }
    }
}

impl<F: Family> ConnectTls<F> {
    /// Connects, and says how: the connection and the report.
    ///
    /// # Errors
    /// As without; the report is in the error, too ([`DialReport::of`]).
    pub async fn with_report(self) -> io::Result<(TlsStream<F>, DialReport)> {
        let (attempt, mut course) = reach(self.plan).await?;
        let Some(side) = course.side() else { return Err(io::ErrorKind::InvalidInput.into()) };
        match attempt.into_stream::<F>().start_tls(side).await {
            Ok(stream) => Ok((stream, course.finish())),
            Err(error) => Err(course.refused(error)),
        }
    }
}

impl<F: Family> IntoFuture for ConnectTls<F> {
    type Output = io::Result<TlsStream<F>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Ok(self.with_report().await?.0) })
    }
}

impl<F: Family> fmt::Debug for ConnectTls<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.show("ConnectTls", f)
    }
}

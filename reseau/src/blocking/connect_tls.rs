//! Dials that end in TLS, for threads: [`ConnectTls`].
use std::{fmt, io};

use super::connect::{Connect, reach};
use super::tls::TlsStream;
use crate::dial::{DialReport, Plan};
use crate::tls::Client;

/// A connection to be that will speak TLS, made by [`Connect::tls`].
///
/// ```
#[doc = include_str!("../tls/pair.txt")]
/// use reseau::{Resolver, blocking::connect};
/// use std::time::Duration;
/// let (identity, roots) = made("db.internal");
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let serving =
///     std::thread::spawn(move || listener.accept()?.0.start_tls(&Server::new(&identity)));
/// let (stream, report) = connect(format!("tls://db.internal:{}", addr.port()))
///     .resolver(&Resolver::fixed([("db.internal", [addr.ip()])]))
///     .limit(Duration::from_secs(5))
///     .tls(&Client::new().trust_only(&roots))
///     .wait_with_report()?;
/// assert_eq!(report.won().unwrap().addr(), &addr.into());
/// # drop(stream);
/// # serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "it connects in `wait`"]
pub struct ConnectTls {
    plan: Plan,
}

impl Connect {
    /// Speaks TLS with what it connects to, and asks it for a certificate of the name that was
    /// dialled. The handshake is within the deadline.
    ///
    /// This is the only way to dial `tls://`: what is to be safe is never dialled without it.
    ///
    /// ```no_run
    /// use reseau::{blocking::connect, tls::Client};
    /// let stream = connect("tls://example.com:443").tls(&Client::new()).wait()?;
    /// println!("{:?}", stream.session().cipher());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tls(mut self, client: &Client) -> ConnectTls {
        self.plan.tls(client);
        ConnectTls { plan: self.plan }
    }
}

impl ConnectTls {
    /// Connects, and waits on this thread until the handshake is done.
    ///
    /// # Errors
    /// As without TLS ([`Connect::wait`]), and what is wrong with the other side or its certificate
    /// ([`tls::Broken`](crate::tls::Broken)).
    pub fn wait(self) -> io::Result<TlsStream> {
        self.wait_with_report().map(|(stream, _)| stream)
    }

    /// Connects, and says how: the connection and the report.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_with_report(self) -> io::Result<(TlsStream, DialReport)> {
        let (stream, mut course) = reach(self.plan)?;
        let Some(side) = course.side() else { return Err(io::ErrorKind::InvalidInput.into()) };
        match stream.start_tls(side) {
            Ok(stream) => Ok((stream, course.finish())),
            Err(error) => Err(course.refused(error)),
        }
    }
}

impl fmt::Debug for ConnectTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.show("ConnectTls", f)
    }
}

//! What went wrong in TLS: [`Broken`], which [`Broken::of`] finds in an [`std::io::Error`].
use std::error::Error as StdError;
use std::sync::Arc;
use std::{fmt, io};

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as Cause, InvalidMessage};

use super::witness;
use crate::error::{Error, Operation, Phase};

/// What ended a connection's TLS: who found it, when, and what.
///
/// ```
/// use reseau::tls::Broken;
/// let other = std::io::Error::from(std::io::ErrorKind::TimedOut);
/// assert!(Broken::of(&other).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Broken {
    role: Role,
    handshaking: bool,
    cause: Why,
    /// Whose certificate it is about.
    whose: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
enum Why {
    /// The transport ended before its time.
    Cut,
    /// A write has ended within a record.
    Spoilt,
    /// The peer does not speak TLS: what came first, and what was found in it.
    Foreign(Arc<(Box<[u8]>, Cause)>),
    Found(Cause),
}

/// Which of the two sides one is.
///
/// ```
#[doc = include_str!("pair.txt")]
/// use reseau::tls::{Broken, Role};
/// let (one, mut other) = pair();
/// drop(one);
/// let error = other.read(&mut [0]).unwrap_err();
/// assert_eq!(Broken::of(&error).unwrap().role(), Role::Server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one that speaks first, and asks for a name.
    Client,
    /// The one that has the name.
    Server,
}

impl Broken {
    pub(super) fn new(role: Role, handshaking: bool, cause: Cause) -> Self {
        Self { role, handshaking, cause: Why::Found(cause), whose: None }
    }

    /// What was found in the certificates that a verifier has refused meanwhile, if it has.
    pub(super) fn found(role: Role, handshaking: bool, cause: Cause) -> Self {
        let whose = witness::refused().and_then(|refused| refused.names(&cause));
        Self { whose: whose.map(Arc::from), ..Self::new(role, handshaking, cause) }
    }

    pub(super) fn truncated(role: Role, handshaking: bool) -> Self {
        Self { role, handshaking, cause: Why::Cut, whose: None }
    }

    /// What came first is no TLS.
    pub(super) fn foreign(role: Role, first: &[u8], cause: Cause) -> Self {
        let first = first[..first.len().min(FIRST_MAX)].into();
        let cause = Why::Foreign(Arc::new((first, cause)));
        Self { role, handshaking: true, cause, whose: None }
    }

    /// Nothing can be written after what was written in part.
    pub(crate) fn spoilt(role: Role) -> Self {
        Self { role, handshaking: false, cause: Why::Spoilt, whose: None }
    }

    /// What is wrong with TLS, if that is what `error` is about.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        let error = Error::of(error).map_or(error, Error::cause);
        error.get_ref()?.downcast_ref()
    }

    /// Without what was said of it already, for those who say it better.
    pub(crate) fn alone(error: io::Error) -> io::Error {
        match Self::of(&error) {
            Some(broken) => io::Error::new(broken.kind(), broken.clone()),
            None => error,
        }
    }

    /// Which side found it: this one.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the handshake was under way still.
    #[must_use]
    pub fn in_handshake(&self) -> bool {
        self.handshaking
    }

    /// Whether the connection ended without a word (a close_notify) from the peer: what came before
    /// may be a part of what was sent.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// use reseau::tls::Broken;
    /// let (mut one, mut other) = pair();
    /// one.write_all(b"a part")?;
    /// drop(one);
    /// let mut text = String::new();
    /// let error = other.read_to_string(&mut text).unwrap_err();
    /// assert!(Broken::of(&error).unwrap().is_truncation());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        matches!(self.cause, Why::Cut)
    }

    /// Whether an earlier write has ended within a record, by a deadline or otherwise: nobody can
    /// say how much of it arrives, and so nothing can be written after it.
    #[must_use]
    pub fn is_spoilt(&self) -> bool {
        matches!(self.cause, Why::Spoilt)
    }

    /// Whether the peer does not speak TLS at all: what came first is no record of it. The text
    /// shows the first line of it, up to a bound, if that can be printed.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// use reseau::tls::Broken;
    /// let (identity, _) = made("localhost");
    /// let (mut one, other) = plain();
    /// one.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    /// let error = other.start_tls(&Server::new(&identity)).unwrap_err();
    /// let broken = Broken::of(&error).unwrap();
    /// assert!(broken.is_not_tls());
    /// let told = r#"the peer does not speak TLS, but says "GET / HTTP/1.0""#;
    /// assert_eq!(broken.to_string(), told);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_not_tls(&self) -> bool {
        matches!(self.cause, Why::Foreign(..))
    }

    /// Whether it is about the certificate of the other side.
    #[must_use]
    pub fn is_certificate(&self) -> bool {
        let Why::Found(cause) = &self.cause else { return false };
        matches!(cause, Cause::InvalidCertificate(_) | Cause::NoCertificatesPresented)
    }

    /// What an operation says that has met it. In a handshake, it is the handshake that says it.
    pub(super) fn met_by(self, operation: Operation) -> io::Error {
        let operation = match (self.handshaking, self.role) {
            _ if self.is_spoilt() => Operation::Send,
            (true, Role::Client) => Operation::Connect,
            (true, Role::Server) => Operation::Accept,
            (false, _) => operation,
        };
        let cause = io::Error::new(self.kind(), self);
        Error::new(operation, cause).phase_at(Phase::Tls).into()
    }

    fn kind(&self) -> io::ErrorKind {
        match self.cause {
            Why::Cut => io::ErrorKind::UnexpectedEof,
            Why::Spoilt => io::ErrorKind::BrokenPipe,
            Why::Foreign(..) | Why::Found(_) => io::ErrorKind::InvalidData,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = match &self.cause {
            Why::Cut if self.handshaking => return f.write_str("the peer left in the handshake"),
            Why::Cut => {
                return f.write_str("the connection ended without close_notify: truncated");
            }
            Why::Spoilt => return f.write_str("an earlier write failed within a record"),
            Why::Foreign(found) => {
                f.write_str("the peer does not speak TLS")?;
                return fmt_said(&found.0, f);
            }
            Why::Found(cause) => cause,
        };
        match cause {
            Cause::InvalidCertificate(error) => {
                fmt_certificate(error, f)?;
                self.whose.iter().try_for_each(|whose| write!(f, "; {whose}"))
            }
            Cause::AlertReceived(alert) => match alert.as_str() {
                Some(name) => write!(f, "the peer refuses: {name}"),
                None => write!(f, "the peer refuses: alert {}", u8::from(*alert)),
            },
            // In the middle: plaintext, or another protocol.
            Cause::InvalidMessage(InvalidMessage::InvalidContentType) => {
                f.write_str("what came is no TLS")
            }
            cause => write!(f, "{cause}"),
        }
    }
}

/// The first line of what was said, if it is one that can be printed.
fn fmt_said(first: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let line = first.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    if line.is_empty() || !line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return Ok(());
    }
    let more = if line.len() < FIRST_MAX { "" } else { "…" };
    write!(f, ", but says \"{}{more}\"", line.escape_ascii())
}

/// With dates that people can read, and the names that would have done.
fn fmt_certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            let ago = Span(time.as_secs().saturating_sub(not_after.as_secs()));
            write!(f, "certificate expired {ago} ago (on {})", Day(*not_after))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let ahead = Span(not_before.as_secs().saturating_sub(time.as_secs()));
            write!(f, "certificate not valid yet, but in {ahead} (on {})", Day(*not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            write!(f, "certificate is not for {}", expected.to_str())?;
            match presented.as_slice() {
                [] => f.write_str(", nor for any name"),
                names => {
                    let names: Vec<_> = names.iter().map(|name| plain(name)).collect();
                    write!(f, ", but for {}", names.join(", "))
                }
            }
        }
        CertificateError::InvalidPurposeContext { required, presented } => {
            let purposes: Vec<_> = presented.iter().map(ToString::to_string).collect();
            write!(f, "certificate is not for {required}, but for {}", purposes.join(", "))
        }
        CertificateError::BadSignature => {
            f.write_str("certificate's signature is not by the key it should be by")
        }
        CertificateError::Revoked => f.write_str("certificate was revoked by its issuer"),
        CertificateError::UnknownIssuer => {
            f.write_str("certificate's issuer is not among those that are trusted")
        }
        CertificateError::Other(cause) => write!(f, "certificate: {}", cause.0),
        other => write!(f, "certificate: {other}"),
    }
}

/// A name without the word for its kind: `DnsName("example.com")`.
fn plain(name: &str) -> &str {
    let bare = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    bare.unwrap_or(name).trim_matches('"')
}

/// A span of time in the unit that says most.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        let (unit, name) = units.into_iter().find(|(unit, _)| self.0 >= *unit).unwrap_or(units[3]);
        let count = self.0 / unit;
        write!(f, "{count} {name}{}", if count == 1 { "" } else { "s" })
    }
}

/// A day of the Gregorian calendar, in UTC.
pub(super) struct Day(pub(super) UnixTime);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Years that begin in March have their leap day at their end.
        let days = self.0.as_secs() / 86_400 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (day, month) = (day - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
        let year = era * 400 + year + u64::from(month <= 2);
        write!(f, "{year}-{month:02}-{day:02}")
    }
}

impl StdError for Broken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Why::Found(cause) => Some(cause),
            Why::Foreign(found) => Some(&found.1),
            Why::Cut | Why::Spoilt => None,
        }
    }
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        broken.met_by(Operation::Recv)
    }
}

/// How much is kept of what a peer says who does not speak TLS: enough to tell what it speaks.
pub(super) const FIRST_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(secs: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(secs))
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_735_689_599, "2024-12-31"),
            (1_735_689_600, "2025-01-01"),
            (4_107_542_400, "2100-03-01"),
        ];
        for (secs, day) in days {
            assert_eq!(Day(at(secs)).to_string(), day);
        }
    }

    #[test]
    fn an_error_says_dates_and_names() {
        let expired =
            CertificateError::ExpiredContext { time: at(951_782_400), not_after: at(951_600_000) };
        let broken = Broken::new(Role::Client, true, expired.into());
        let error = io::Error::from(broken);
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let told = "connect: tls: certificate expired 2 days ago (on 2000-02-26)";
        assert_eq!(error.to_string(), told);
        let found = Broken::of(&error).expect("it is about TLS");
        assert!(found.is_certificate() && found.in_handshake() && !found.is_truncation());

        let other = CertificateError::NotValidForNameContext {
            expected: "localhost".try_into().unwrap(),
            presented: vec!["DnsName(\"a.example\")".into(), "IpAddress(::1)".into()],
        };
        let told = Broken::new(Role::Client, true, other.into()).to_string();
        assert_eq!(told, "certificate is not for localhost, but for a.example, ::1");

        let plain = InvalidMessage::InvalidContentType.into();
        let told = Broken::new(Role::Client, true, plain).to_string();
        assert_eq!(told, "what came is no TLS");

        let revoked = Broken::new(Role::Server, true, CertificateError::Revoked.into());
        assert_eq!(
            io::Error::from(revoked).to_string(),
            "accept: tls: certificate was revoked by its issuer"
        );
        let truncated = io::Error::from(Broken::truncated(Role::Server, false));
        assert_eq!(truncated.kind(), io::ErrorKind::UnexpectedEof);
        assert!(Broken::of(&truncated).is_some_and(Broken::is_truncation));
    }
    #[test]
    fn what_is_no_tls_is_shown_if_it_can_be_printed() {
        let found = Cause::from(InvalidMessage::InvalidContentType);
        let told = |first: &[u8]| Broken::foreign(Role::Client, first, found.clone()).to_string();
        let plain = "the peer does not speak TLS";
        let said = |text: &str| format!("{plain}, but says \"{text}\"");
        assert_eq!(told(b"SSH-2.0-OpenSSH_10.0\r\n"), said("SSH-2.0-OpenSSH_10.0"));
        assert_eq!(
            told(b"HTTP/1.1 400 Bad Request\r\nServer: x"),
            said("HTTP/1.1 400 Bad Request")
        );
        assert_eq!(told(b"a \"b\"\t\\c"), said(r#"a \"b\"\t\\c"#));
        assert_eq!(told(&[b'x'; 1000]), said(&format!("{}…", "x".repeat(FIRST_MAX))));
        for odd in [&b"J\0\0\0\x0a8.0"[..], b"\x1b[2J", b"\r\nlogin:", "grüß".as_bytes(), b"\x7f"]
        {
            assert_eq!(told(odd), plain, "{odd:?}");
        }
    }
}

//! What is said of a connection's TLS: the session, and who the peer says it is.
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use reseau::tls::Session;

use super::certificate::{Certificate, harmless};

/// A session and the peer's certificates, over several lines.
pub(crate) struct Told<'a> {
    session: &'a Session,
    /// In seconds since the beginning of 1970.
    now: i64,
}

impl<'a> Told<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs());
        Self { session, now: now.cast_signed() }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, now } = self;
        let mut words = Vec::new();
        words.extend(session.version().map(|version| version.to_string()));
        words.extend([session.cipher(), session.group()].into_iter().flatten().map(str::to_owned));
        words.push(match session.alpn() {
            Some(protocol) => format!("ALPN {}", harmless(&String::from_utf8_lossy(protocol))),
            None => "no ALPN".to_owned(),
        });
        words.push(if session.is_resumed() { "resumed" } else { "not resumed" }.to_owned());
        if let Some(name) = session.server_name() {
            words.push(format!("asked for {}", harmless(name)));
        }
        write!(f, "{}", words.join(", "))?;
        let chain = session.peer_chain();
        let count = chain.len();
        for (at, der) in chain.enumerate() {
            write!(f, "\ncertificate {} of {count}", at + 1)?;
            match Certificate::read(der) {
                Some(certificate) => write_certificate(&certificate, *now, f)?,
                None => write!(f, "\n  of a form that is not known here")?,
            }
            write!(f, "\n  SHA-256  {}", fingerprint(der))?;
        }
        Ok(())
    }
}

fn write_certificate(
    certificate: &Certificate,
    now: i64,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let Certificate { subject, issuer, names, from, until, key } = certificate;
    let issuer = if issuer == subject { "itself" } else { issuer };
    write!(f, "\n  subject  {subject}\n  issuer   {issuer}")?;
    match names.len() {
        0 => {}
        count @ 1..=NAMES_MAX => {
            write!(f, "\n  names    {}", names[..count].join(", "))?;
        }
        count => {
            let more = count - NAMES_MAX;
            write!(f, "\n  names    {} and {more} more", names[..NAMES_MAX].join(", "))?;
        }
    }
    write!(f, "\n  valid    {} to {} UTC, ", from.text, until.text)?;
    if now < from.seconds {
        write!(f, "not before {} from now", span(from.seconds - now))?;
    } else if now > until.seconds {
        write!(f, "expired {} ago", span(now - until.seconds))?;
    } else {
        write!(f, "{} left", span(until.seconds - now))?;
    }
    write!(f, "\n  key      {key}")
}

/// Whole days; hours where there is none.
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds / 86_400 {
        0 => (seconds / 3_600, "hour"),
        days => (days, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The SHA-256 of a certificate, as other programs write it.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    let bytes = digest(&SHA256, der);
    let pairs: Vec<_> = bytes.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// How many names are shown: some certificates are for hundreds.
const NAMES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::super::certificate::Moment;
    use super::*;

    #[test]
    fn dates_say_how_far_away_they_are() {
        let at = |seconds: i64, text: &str| Moment { seconds, text: text.to_owned() };
        let certificate = Certificate {
            subject: "CN=a".to_owned(),
            issuer: "CN=a".to_owned(),
            names: (0..22).map(|at| at.to_string()).collect(),
            from: at(100_000, "FROM"),
            until: at(1_000_000, "UNTIL"),
            key: "Ed25519".to_owned(),
        };
        struct Shown<'a>(&'a Certificate, i64);
        impl fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_certificate(self.0, self.1, f)
            }
        }
        for (now, said) in [
            (0, "not before 1 day from now"),
            (100_000, "10 days left"),
            (1_000_000 - 7_200, "2 hours left"),
            (1_000_001, "expired 0 hours ago"),
            (1_000_000 + 86_400, "expired 1 day ago"),
        ] {
            let text = Shown(&certificate, now).to_string();
            assert!(text.contains(&format!("valid    FROM to UNTIL UTC, {said}\n")), "{text}");
            assert!(text.contains("issuer   itself\n") && text.contains("19 and 2 more"), "{text}");
        }
    }

    #[test]
    fn fingerprints_are_what_others_print() {
        let empty = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:\
                     99:1B:78:52:B8:55";
        assert_eq!(fingerprint(b""), empty);
    }
}

//! Whose certificate was refused: [`Witness`], a verifier that looks on.
//!
//! It decides nothing: what is right and what is wrong, the verifier behind it says, and nobody
//! else. But an error of the library's tells what was wrong and not with which certificate; so what
//! was refused is kept for the engine, which has asked on the same thread and takes it at once.
use std::cell::RefCell;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// The verifier behind it, looked at.
#[derive(Debug)]
pub(super) struct Witness<V: ?Sized>(pub(super) Arc<V>);

/// A chain that was refused, its own certificate first.
pub(super) struct Refused(Vec<Vec<u8>>);

/// What the verifier on this thread has refused since this was asked last.
pub(super) fn refused() -> Option<Refused> {
    REFUSED.with_borrow_mut(Option::take)
}

thread_local! {
    static REFUSED: RefCell<Option<Refused>> = const { RefCell::new(None) };
}

/// Keeps what was refused.
fn seen<T>(
    result: Result<T, Error>,
    own: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
) -> Result<T, Error> {
    if result.is_err() {
        let chain = [own].into_iter().chain(between).map(|one| one.to_vec()).collect();
        REFUSED.set(Some(Refused(chain)));
    }
    result
}

macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            own: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            seen(self.0.verify_tls12_signature(message, own, signature), own, &[])
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            own: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            seen(self.0.verify_tls13_signature(message, own, signature), own, &[])
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_verify_schemes()
        }

        fn requires_raw_public_keys(&self) -> bool {
            self.0.requires_raw_public_keys()
        }
    };
}

impl<V: ServerCertVerifier + ?Sized> ServerCertVerifier for Witness<V> {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        seen(self.0.verify_server_cert(own, between, name, staple, now), own, between)
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.0.root_hint_subjects()
    }

    signatures!();
}

impl<V: ClientCertVerifier + ?Sized> ClientCertVerifier for Witness<V> {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        seen(self.0.verify_client_cert(own, between, now), own, between)
    }

    signatures!();
}

impl Refused {
    /// The names on the certificate that is meant, if they can be read: the one with that date, or
    /// else the peer's own.
    pub(super) fn names(&self, cause: &Error) -> Option<String> {
        let papers: Vec<_> = self.0.iter().filter_map(|der| Paper::read(der)).collect();
        let date = match cause {
            Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
                Some((1, *not_after))
            }
            Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before, ..
            }) => Some((0, *not_before)),
            Error::InvalidCertificate(_) => None,
            _ => return None,
        };
        let dated = date.and_then(|(which, at)| {
            let (date, clock) = (super::error::Day(at).to_string().replace('-', ""), at.as_secs());
            let clock = clock % 86_400;
            let clock = format!("{:02}{:02}{:02}Z", clock / 3_600, clock / 60 % 60, clock % 60);
            // With four digits of the year, or with two.
            let long = format!("{date}{clock}");
            papers.iter().find(|paper| {
                let text = paper.days[which];
                text == long.as_bytes() || text == &long.as_bytes()[2..]
            })
        });
        let paper = dated.or_else(|| papers.first())?;
        Some(format!("it is that of {}, issued by {}", paper.subject, paper.issuer))
    }
}

/// What is read of a certificate. That it is well-formed, others look after.
struct Paper<'a> {
    subject: String,
    issuer: String,
    /// The first and the last, as they are written there.
    days: [&'a [u8]; 2],
}

impl<'a> Paper<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut fields = Der(Der(der).next()?.1).next().map(|(_, fields)| Der(fields))?;
        // Its version is not there if it is the first.
        if fields.0.first() == Some(&0xa0) {
            fields.next()?;
        }
        let (_serial, _algorithm) = (fields.next()?, fields.next()?);
        let (issuer, mut days) = (fields.next()?.1, Der(fields.next()?.1));
        let days = [days.next()?.1, days.next()?.1];
        Some(Self { subject: name(fields.next()?.1), issuer: name(issuer), days })
    }
}

/// The common name, or else whose organisation it is, as it may be printed.
fn name(der: &[u8]) -> String {
    let values = || {
        Der(der).flat_map(|(_, set)| Der(set)).filter_map(|(_, pair)| {
            let mut pair = Der(pair);
            Some((pair.next()?.1, pair.next()?.1))
        })
    };
    let of = |kind: &[u8]| values().find(|(known, _)| *known == kind).map(|(_, value)| value);
    let Some(value) = of(COMMON_NAME).or_else(|| of(ORGANISATION)) else {
        return "nobody by name".to_owned();
    };
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text.chars().take(NAME_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(NAME_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// One value of DER after the other: its tag and what is in it. Ends where it cannot be read.
#[derive(Clone)]
struct Der<'a>(&'a [u8]);

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[tag, short], mut rest) = self.0.split_first_chunk()?;
        let len = match short {
            0..=0x7f => usize::from(short),
            0x81..=0x83 => {
                let (long, behind) = rest.split_at_checked(usize::from(short - 0x80))?;
                rest = behind;
                long.iter().fold(0, |len, byte| len << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (value, behind) = rest.split_at_checked(len)?;
        self.0 = behind;
        Some((tag, value))
    }
}

/// The kinds of names: 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];

/// How much of a name is told: the peer has chosen it.
const NAME_MAX: usize = 64;

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;

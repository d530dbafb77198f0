//! Certificates and keys as texts and as files: what is in them, and what is wrong where.
use std::borrow::Cow;
use std::fs;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;

use super::Unfit;

/// What a file or a text has in it.
pub(super) struct Paper<'a> {
    path: Option<&'a Path>,
    bytes: Cow<'a, [u8]>,
}

/// A part of a text, from its BEGIN to its END.
struct Section<'a> {
    label: Cow<'a, str>,
    /// Where it begins; the first line is 1.
    line: usize,
    text: &'a [u8],
}

impl<'a> Paper<'a> {
    pub(super) fn text(bytes: &'a [u8]) -> Self {
        Self { path: None, bytes: Cow::Borrowed(bytes) }
    }

    pub(super) fn file(path: &'a Path) -> Result<Self, Unfit> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self { path: Some(path), bytes: Cow::Owned(bytes) }),
            Err(error) => Err(Unfit::new(error).at(Some(path), None)),
        }
    }

    /// All certificates, each with the line on which it begins, if it is a text.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Unfit> {
        if self.is_der() {
            let one = CertificateDer::from(self.bytes.to_vec());
            return Ok(vec![self.checked(one, None)?]);
        }
        let mut found = Vec::new();
        for section in sections(&self.bytes) {
            if section.label == CERTIFICATE {
                let one = CertificateDer::from_pem_slice(section.text);
                let one = one.map_err(|error| self.wrong(&section, error))?;
                found.push(self.checked(one, Some(&section))?);
            }
        }
        if found.is_empty() {
            return Err(self.unfit(format!("there is no certificate{}", self.instead())));
        }
        Ok(found)
    }

    /// The first key.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, Unfit> {
        if self.is_der() {
            if self.is_pkcs12() {
                return Err(self.unfit(PKCS12));
            }
            let key = PrivateKeyDer::try_from(self.bytes.to_vec());
            return key.map_err(|error| self.unfit(error));
        }
        for section in sections(&self.bytes) {
            if !section.label.ends_with("PRIVATE KEY") {
                continue;
            }
            if section.label == "ENCRYPTED PRIVATE KEY" || section.says(b"ENCRYPTED") {
                return Err(self.wrong(&section, "it is encrypted, which is not read here"));
            }
            let key = PrivateKeyDer::from_pem_slice(section.text);
            return key.map_err(|error| self.wrong(&section, error));
        }
        Err(self.unfit(format!("there is no key{}", self.instead())))
    }

    fn checked(
        &self,
        one: CertificateDer<'static>,
        section: Option<&Section<'_>>,
    ) -> Result<CertificateDer<'static>, Unfit> {
        match (ParsedCertificate::try_from(&one).map(drop), section) {
            (Ok(()), _) => Ok(one),
            (Err(error), Some(section)) => Err(self.wrong(section, error)),
            (Err(_), None) if self.is_pkcs12() => Err(self.unfit(PKCS12)),
            (Err(error), None) => Err(self.unfit(error)),
        }
    }

    /// What is there, for those who look for something else.
    fn instead(&self) -> String {
        let labels: Vec<_> = sections(&self.bytes).map(|one| one.label.into_owned()).collect();
        match labels.as_slice() {
            [] => " (no PEM, and no DER)".into(),
            labels => format!(", but {}", labels.join(", ")),
        }
    }

    fn wrong(&self, section: &Section<'_>, what: impl ToString) -> Unfit {
        let what = format!("{}: {}", section.label, what.to_string());
        Unfit::new(super::unfit(what)).at(self.path, Some(section.line))
    }

    fn unfit(&self, what: impl ToString) -> Unfit {
        Unfit::new(super::unfit(what.to_string())).at(self.path, None)
    }

    /// DER is a sequence, with a length that is no text or fits; PEM is text.
    fn is_der(&self) -> bool {
        match &*self.bytes {
            [0x30, 0x80..=0xff, ..] => true,
            [0x30, length, rest @ ..] => usize::from(*length) == rest.len(),
            _ => false,
        }
    }

    /// The sequence begins with the number 3, which no certificate or key does.
    fn is_pkcs12(&self) -> bool {
        let [_, length, rest @ ..] = &*self.bytes else { return false };
        let more = usize::from(length & 0x7f).min(rest.len());
        rest[more..].starts_with(&[0x02, 0x01, 0x03])
    }
}

impl Section<'_> {
    fn says(&self, word: &[u8]) -> bool {
        let header = self.text.split(|byte| *byte == b'\n').take(3);
        header.into_iter().any(|line| {
            line.starts_with(b"Proc-Type:") && line.windows(word.len()).any(|part| part == word)
        })
    }
}

/// The sections of a text; what stands between them is passed over.
fn sections(text: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let (mut at, mut line) = (0, 0);
    std::iter::from_fn(move || {
        let mut open = None;
        while at < text.len() {
            let start = at;
            at = text[at..]
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(text.len(), |end| at + end + 1);
            line += 1;
            let words = text[start..at].trim_ascii();
            if let Some(label) = between(words, b"-----BEGIN ") {
                open.get_or_insert((start, line, label));
            } else if between(words, b"-----END ").is_some()
                && let Some((start, line, label)) = open.take()
            {
                let label = String::from_utf8_lossy(label);
                return Some(Section { label, line, text: &text[start..at] });
            }
        }
        let (start, line, label) = open?;
        let label = String::from_utf8_lossy(label);
        Some(Section { label, line, text: &text[start..] })
    })
}

fn between<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(start)?.strip_suffix(b"-----")
}

const CERTIFICATE: &str = "CERTIFICATE";

const PKCS12: &str =
    "it is PKCS#12, which is not read here: `openssl pkcs12 -nodes` makes PEM of it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_know_their_lines() {
        let text =
            b"words\r\n-----BEGIN A-----\r\nAAAA\r\n-----END A-----\n\n  -----BEGIN B C-----\nx";
        let found: Vec<_> = sections(text).map(|one| (one.label.into_owned(), one.line)).collect();
        assert_eq!(found, [("A".to_owned(), 2), ("B C".to_owned(), 6)]);
        assert_eq!(sections(b"").count(), 0);
        assert_eq!(sections(b"-----END A-----\n-----BEGIN \n").count(), 0);
    }

    #[test]
    fn what_is_not_read_is_named() {
        let told = |text: &[u8]| Paper::text(text).key().unwrap_err().to_string();
        let encrypted = b"\n-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n";
        assert_eq!(
            told(encrypted),
            "line 2: ENCRYPTED PRIVATE KEY: it is encrypted, which is not read here"
        );
        let older = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
        assert!(told(older).starts_with("line 1: RSA PRIVATE KEY: it is encrypted"));
        let pkcs12 = [0x30, 0x82, 9, 0, 2, 1, 3, 0x30];
        assert!(told(&pkcs12).starts_with("it is PKCS#12"), "{}", told(&pkcs12));
        assert!(Paper::text(&pkcs12).certificates().unwrap_err().to_string().contains("PKCS#12"));
        assert_eq!(told(b"nothing"), "there is no key (no PEM, and no DER)");
        let other = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        assert_eq!(told(other), "there is no key, but PUBLIC KEY");
        assert!(told(b"\x30\x80").contains("key"), "{}", told(b"\x30\x80"));
    }
}

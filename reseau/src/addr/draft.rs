//! Reading an endpoint's text, and saying what is wrong with it, and where.
use std::borrow::Cow;
use std::convert::Infallible;
use std::{error, fmt, io};

use super::endpoint::{Host, Place};
use super::{PipeName, UnixAddr, VsockAddr};

/// A text on its way to become an endpoint. Places in it are bytes from 0.
pub(super) struct Draft<'a>(pub(super) &'a str);

impl Draft<'_> {
    pub(super) fn place(&self) -> Result<Place, EndpointError> {
        let text = self.0;
        if let Some(rest) = text.strip_prefix("unix:") {
            return UnixAddr::from_text(rest).map(Place::Unix).map_err(|flaw| {
                self.fail(EndpointPart::Path, text.len() - rest.len() + flaw.at, rest, flaw.why)
            });
        }
        if text.starts_with("vsock:") {
            return self.vsock().map(Place::Vsock);
        }
        if text.starts_with("npipe:") || text.starts_with(r"\\") {
            return self.pipe().map(Place::Pipe);
        }
        if let Some(end) = text.find("://") {
            let why = "is not understood: write host:port, :port or unix:path";
            return Err(self.fail(EndpointPart::Scheme, 0, &text[..end], why));
        }
        let (host, port_at) = if text.starts_with('[') { self.bracketed()? } else { self.bare()? };
        Ok(Place::Port { host, port: self.port(port_at)? })
    }

    /// A machine and a port there.
    pub(super) fn vsock(&self) -> Result<VsockAddr, EndpointError> {
        let text = self.0;
        let Some(rest) = text.strip_prefix("vsock:") else {
            let why = "is not that of a vsock: write vsock:cid:port";
            return Err(self.fail(EndpointPart::Scheme, 0, "", why));
        };
        let at = text.len() - rest.len();
        let (cid, port) = rest.split_once(':').unwrap_or((rest, ""));
        let cid = self.number(EndpointPart::Cid, at, cid)?;
        let at = text.len() - port.len();
        Ok(VsockAddr::new(cid, self.number(EndpointPart::Port, at, port)?))
    }

    /// A pipe, by its name or by its path.
    fn pipe(&self) -> Result<PipeName, EndpointError> {
        let text = self.0;
        let name = text.strip_prefix("npipe:").or_else(|| PipeName::strip(text));
        let Some(name) = name else {
            let why = r"is not a pipe of this machine: write \\.\pipe\name or npipe:name";
            return Err(self.fail(EndpointPart::Pipe, 0, text, why));
        };
        PipeName::from_text(name).map_err(|flaw| {
            self.fail(EndpointPart::Pipe, text.len() - name.len() + flaw.at, name, flaw.why)
        })
    }

    fn number(&self, part: EndpointPart, at: usize, digits: &str) -> Result<u32, EndpointError> {
        if digits.is_empty() {
            return Err(self.fail(part, at, "", "is missing: write vsock:cid:port"));
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.fail(part, at, digits, "is not a number"));
        }
        digits.parse().map_err(|_| self.fail(part, at, digits, "is larger than 4294967295"))
    }

    /// The IPv6 address in brackets, and where the port starts.
    fn bracketed(&self) -> Result<(Option<Host>, usize), EndpointError> {
        let text = self.0;
        let Some(end) = text.find(']') else {
            return Err(self.fail(EndpointPart::Host, 0, text, "has no closing bracket"));
        };
        let host = &text[1..end];
        let (ip, zone) = match host.split_once('%') {
            Some((ip, zone)) => (ip, Some(self.zone(1 + ip.len() + 1, zone)?)),
            None => (host, None),
        };
        let ip = ip.parse().map_err(|_| {
            let why = "is not an IPv6 address: brackets are for those alone";
            self.fail(EndpointPart::Host, 1, ip, why)
        })?;
        let after = &text[end + 1..];
        if !after.is_empty() && !after.starts_with(':') {
            let why = "does not start with a colon";
            return Err(self.fail(EndpointPart::Port, end + 1, after, why));
        }
        Ok((Some(Host::V6(ip, zone)), (end + 2).min(text.len())))
    }

    /// An IPv4 address, a name or nothing, and where the port starts.
    fn bare(&self) -> Result<(Option<Host>, usize), EndpointError> {
        let text = self.0;
        let Some(colon) = text.rfind(':') else {
            let (part, why) = match text {
                "" => (EndpointPart::Host, "is missing: write host:port, :port or unix:path"),
                _ => (EndpointPart::Port, "is missing: write host:port"),
            };
            return Err(self.fail(part, text.len(), "", why));
        };
        let host = &text[..colon];
        if host.contains(':') {
            let why = "is ambiguous: write an IPv6 address in brackets, as in [::1]:80";
            return Err(self.fail(EndpointPart::Host, 0, text, why));
        }
        let host = match host {
            "" => None,
            _ => Some(match host.parse() {
                Ok(ip) => Host::V4(ip),
                Err(_) => Host::Name(self.name(host)?),
            }),
        };
        Ok((host, colon + 1))
    }

    fn zone(&self, at: usize, zone: &str) -> Result<Box<str>, EndpointError> {
        let fail = |at, found, why| Err(self.fail(EndpointPart::Zone, at, found, why));
        if zone.is_empty() {
            return fail(at, "", "is missing: write an interface's name or number");
        }
        if zone.len() > ZONE_MAX {
            return fail(at, zone, "is longer than 255 bytes");
        }
        let odd = |c: char| c.is_control() || c.is_whitespace() || "%[/".contains(c);
        if let Some((start, letter)) = zone.char_indices().find(|(_, letter)| odd(*letter)) {
            let found = &zone[start..start + letter.len_utf8()];
            return fail(at + start, found, "may not be in the name of an interface");
        }
        let number = zone.bytes().all(|b| b.is_ascii_digit());
        if number && zone.parse::<u32>().is_err() {
            return fail(at, zone, "is larger than 4294967295");
        }
        Ok(zone.into())
    }

    /// A name that a resolver could be asked for. It starts the text.
    fn name(&self, name: &str) -> Result<Box<str>, EndpointError> {
        let fail = |at, found, why| Err(self.fail(EndpointPart::Host, at, found, why));
        let odd = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
        if let Some((at, letter)) = name.char_indices().find(|(_, letter)| odd(*letter)) {
            let found = &name[at..at + letter.len_utf8()];
            let why = match letter {
                '*' => "is not a name: write 0.0.0.0 or [::] for every interface",
                '%' => "is not for names: a zone belongs to an IPv6 address in brackets",
                _ if !letter.is_ascii() => "is not ASCII: write the name in its xn-- form",
                _ => "may not be in a name: letters, digits, '-', '_' and '.' may",
            };
            return fail(at, found, why);
        }
        // One dot at the end says that the name is whole.
        let labels = name.strip_suffix('.').unwrap_or(name);
        if labels.len() > NAME_MAX {
            return fail(0, name, "is longer than 253 bytes");
        }
        let (mut at, mut last) = (0, "");
        for label in labels.split('.') {
            if label.is_empty() {
                return fail(at, name, "has an empty label");
            }
            if label.len() > LABEL_MAX {
                return fail(at, label, "is a label longer than 63 bytes");
            }
            (at, last) = (at + label.len() + 1, label);
        }
        // Resolvers take `127.1` and `0x7f.1` for IPv4 addresses, and not all for the same ones.
        let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        if last.bytes().all(|b| b.is_ascii_digit())
            || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return fail(0, name, "is neither an IPv4 address nor a name: those end in letters");
        }
        Ok(name.into())
    }

    fn port(&self, at: usize) -> Result<u16, EndpointError> {
        let port = &self.0[at..];
        let fail = |at, found, why| Err(self.fail(EndpointPart::Port, at, found, why));
        if port.is_empty() {
            return fail(at, "", "is missing: write host:port");
        }
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return fail(at, port, "is not a number");
        }
        port.parse().or_else(|_| fail(at, port, "is larger than 65535"))
    }

    pub(super) fn fail(
        &self,
        part: EndpointPart,
        at: usize,
        found: &str,
        why: impl Into<Cow<'static, str>>,
    ) -> EndpointError {
        let column = self.0[..at].chars().count() + 1;
        EndpointError { part, column, found: found.into(), why: why.into(), text: self.0.into() }
    }
}

/// A text that is not an [`Endpoint`](super::Endpoint), and what is wrong with it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    part: EndpointPart,
    column: usize,
    found: Box<str>,
    why: Cow<'static, str>,
    text: Box<str>,
}

/// A part of an [`Endpoint`](super::Endpoint)'s text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointPart {
    /// What stands before `://`, which no endpoint has.
    Scheme,
    /// The name or the IP address.
    Host,
    /// What follows the percent sign of an IPv6 address.
    Zone,
    /// The number after the last colon.
    Port,
    /// What follows `unix:`.
    Path,
    /// The first number of a vsock: its machine's context id.
    Cid,
    /// The name of a pipe.
    Pipe,
}

impl EndpointError {
    /// The part that is wrong or missing.
    #[must_use]
    pub fn part(&self) -> EndpointPart {
        self.part
    }

    /// Where it is wrong, in characters from 1. What is missing at the end of a text of `n`
    /// characters is missing at column `n + 1`.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint {:?}: {}", self.text, self.part)?;
        if !self.found.is_empty() {
            write!(f, " {:?}", self.found)?;
        }
        write!(f, " at column {} {}", self.column, self.why)
    }
}

impl error::Error for EndpointError {}

/// For functions that take whatever becomes an endpoint: some things cannot fail to.
impl From<Infallible> for EndpointError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<EndpointError> for io::Error {
    fn from(error: EndpointError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

impl fmt::Display for EndpointPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "scheme",
            Self::Host => "host",
            Self::Zone => "zone",
            Self::Port => "port",
            Self::Path => "path",
            Self::Cid => "cid",
            Self::Pipe => "pipe",
        })
    }
}

/// What a domain name may have without its last dot (RFC 1035, 2.3.4: 255 on the wire).
const NAME_MAX: usize = 253;
/// What the length byte of a label may say (RFC 1035, 2.3.4).
const LABEL_MAX: usize = 63;
/// Longer than any system's interface names (Windows: 256 with the NUL byte).
const ZONE_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::addr::Endpoint;

    /// Each text with the part, the column and the beginning of the explanation.
    const REFUSED: &[(&str, EndpointPart, usize, &str)] = &[
        ("", EndpointPart::Host, 1, "is missing"),
        ("80", EndpointPart::Port, 3, "is missing: write host:port"),
        ("127.0.0.1:", EndpointPart::Port, 11, "is missing"),
        ("127.0.0.1:65536", EndpointPart::Port, 11, "is larger than 65535"),
        ("127.0.0.1:-1", EndpointPart::Port, 11, "is not a number"),
        ("127.0.0.1:+1", EndpointPart::Port, 11, "is not a number"),
        ("127.0.0.1:http", EndpointPart::Port, 11, "is not a number"),
        ("127.0.0.1:80/x", EndpointPart::Port, 11, "is not a number"),
        ("[::1]:99999", EndpointPart::Port, 7, "is larger than 65535"),
        ("[::1]", EndpointPart::Port, 6, "is missing"),
        ("[::1]:", EndpointPart::Port, 7, "is missing"),
        ("[::1]80", EndpointPart::Port, 6, "does not start with a colon"),
        ("[::1:80", EndpointPart::Host, 1, "has no closing bracket"),
        ("[127.0.0.1]:80", EndpointPart::Host, 2, "is not an IPv6 address"),
        ("[]:80", EndpointPart::Host, 2, "is not an IPv6 address"),
        ("[::1%]:80", EndpointPart::Zone, 6, "is missing"),
        ("[::1%a b]:80", EndpointPart::Zone, 7, "may not be"),
        ("[::1%4294967296]:80", EndpointPart::Zone, 6, "is larger than 4294967295"),
        ("::1:80", EndpointPart::Host, 1, "is ambiguous: write an IPv6 address in brackets"),
        ("256.0.0.1:80", EndpointPart::Host, 1, "is neither an IPv4 address nor a name"),
        ("127.1:80", EndpointPart::Host, 1, "is neither"),
        ("a.0x7F:80", EndpointPart::Host, 1, "is neither"),
        ("1.2.3.4.:80", EndpointPart::Host, 1, "is neither"),
        ("a..b:80", EndpointPart::Host, 3, "has an empty label"),
        (".a:80", EndpointPart::Host, 1, "has an empty label"),
        (".:80", EndpointPart::Host, 1, "has an empty label"),
        ("a\0b:80", EndpointPart::Host, 2, "may not be in a name"),
        ("é.fr:80", EndpointPart::Host, 1, "is not ASCII"),
        ("fe80.x%lo:80", EndpointPart::Host, 7, "is not for names"),
        ("*:80", EndpointPart::Host, 1, "is not a name: write 0.0.0.0 or [::]"),
        ("http://x:80", EndpointPart::Scheme, 1, "is not understood"),
        ("unix:", EndpointPart::Path, 6, "is missing"),
        ("unix:/a%00", EndpointPart::Path, 6, "holds a NUL byte"),
        ("unix:/a%4", EndpointPart::Path, 8, "has a percent sign without two hex digits"),
        ("unix:@é%zz", EndpointPart::Path, 8, "has a percent sign without two hex digits"),
        ("vsock:", EndpointPart::Cid, 7, "is missing: write vsock:cid:port"),
        ("vsock:80", EndpointPart::Port, 9, "is missing: write vsock:cid:port"),
        ("vsock:2:", EndpointPart::Port, 9, "is missing"),
        ("vsock::80", EndpointPart::Cid, 7, "is missing"),
        ("vsock:host:80", EndpointPart::Cid, 7, "is not a number"),
        ("vsock:2:80:1", EndpointPart::Port, 9, "is not a number"),
        ("vsock:4294967296:80", EndpointPart::Cid, 7, "is larger than 4294967295"),
        ("vsock:2:4294967296", EndpointPart::Port, 9, "is larger than 4294967295"),
        ("npipe:", EndpointPart::Pipe, 7, "is missing"),
        ("npipe:////./pipe/x", EndpointPart::Pipe, 7, "holds a slash"),
        ("npipe:é\u{7}", EndpointPart::Pipe, 8, "holds a slash or a control character"),
        (r"\\.\pipe\", EndpointPart::Pipe, 10, "is missing"),
        (r"\\.\pipe\\x", EndpointPart::Pipe, 10, "starts with a backslash"),
        (r"\\server\pipe\x", EndpointPart::Pipe, 1, "is not a pipe of this machine"),
    ];

    #[test]
    fn errors_name_the_part_and_the_column() {
        for (text, part, column, why) in REFUSED {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert_eq!((error.part(), error.column()), (*part, *column), "{error}");
            assert!(error.why.starts_with(why), "{error}");
            assert_eq!(error.text(), *text);
            assert!(error.to_string().starts_with(&format!("endpoint {text:?}: {part}")));
        }
        let error = io::Error::from("[::1]:99999".parse::<Endpoint>().unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.get_ref().unwrap().is::<EndpointError>());
        let error = Endpoint::try_from("80").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"endpoint "80": port at column 3 is missing: write host:port"#
        );
    }

    #[test]
    fn lengths_are_limited() {
        let label = "a".repeat(63);
        let name = format!("{label}.{label}.{label}.{}", &label[..61]);
        assert_eq!(name.len(), 253);
        for good in [format!("{name}:1"), format!("{name}.:1"), format!("[::1%{name}xy]:1")] {
            good.parse::<Endpoint>().expect("short enough");
        }
        for bad in [
            format!("{name}b:1"),
            format!("{label}a.b:1"),
            format!("[::1%{name}xyz]:1"),
            format!("unix:/{}", "a".repeat(107)),
            format!("unix:@{}", "a".repeat(108)),
            format!(":{}", "9".repeat(99)),
            format!("npipe:{}", "a".repeat(248)),
        ] {
            bad.parse::<Endpoint>().expect_err("too long");
        }
    }

    /// Texts that are nearly endpoints, so that most branches are taken.
    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("unix:".to_owned()),
            Just("[::1".to_owned()),
            Just("vsock:".to_owned()),
            Just("npipe:".to_owned()),
            Just(r"\\.\pipe\".to_owned()),
            "[\\[\\]:%@./*-]",
            "[0-9]{1,6}",
            "[a-z0-9.]{1,9}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_parses_prints_and_parses_again(text in texts()) {
            match text.parse::<Endpoint>() {
                Ok(endpoint) => {
                    let again = endpoint.to_string().parse();
                    prop_assert_eq!(again.as_ref(), Ok(&endpoint));
                    if let Ok(addr) = endpoint.to_addr() {
                        let told = Endpoint::try_from(addr.clone());
                        prop_assert_eq!(told.unwrap().to_addr().unwrap(), addr);
                    }
                }
                Err(error) => {
                    prop_assert!((1..=text.chars().count() + 1).contains(&error.column()));
                    prop_assert!(!error.to_string().contains(char::is_control));
                }
            }
        }
    }
}

//! Reading an endpoint's text.
use std::borrow::Cow;

use super::endpoint::{Gate, Host, Place};
use super::refusal::{EndpointError, EndpointPart};
use super::{Inherited, PipeName, Scheme, UnixAddr, VsockAddr};

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
        if let Some(digits) = text.strip_prefix("fd:") {
            return self.descriptor(digits).map(Place::Inherited);
        }
        if let Some(name) = text.strip_prefix("systemd:") {
            return self.named_descriptor(name).map(Place::Inherited);
        }
        let (scheme, start) = self.scheme()?;
        self.net(scheme, start).map_err(|error| {
            let rest = &text[start..];
            if start > 0 && PREFIXES.iter().any(|prefix| rest.starts_with(prefix)) {
                return self.fail(EndpointPart::Host, start, rest, "is none: write host:port");
            }
            error
        })
    }

    /// A host and a port, in the text from `start` on, where no other form is looked for.
    pub(super) fn net(&self, scheme: Scheme, start: usize) -> Result<Place, EndpointError> {
        let bracket = self.0[start..].starts_with('[');
        let (host, gate_at) = if bracket { self.bracketed(start)? } else { self.bare(start)? };
        Ok(Place::Net { scheme, host, gate: self.gate(gate_at)? })
    }

    /// What stands before `://`, if anything does, and where the rest starts.
    fn scheme(&self) -> Result<(Scheme, usize), EndpointError> {
        let text = self.0;
        let Some(end) = text.find(MARK) else { return Ok((Scheme::Plain, 0)) };
        let Some(scheme) = Scheme::from_text(&text[..end]) else {
            let why = "is not understood: write tcp://, udp:// or tls://, or none";
            return Err(self.fail(EndpointPart::Scheme, 0, &text[..end], why));
        };
        let start = end + MARK.len();
        if let Some(second) = text[start..].find(MARK) {
            let found = &text[start..start + second];
            let why = "is a second one: write host:port";
            return Err(self.fail(EndpointPart::Scheme, start, found, why));
        }
        Ok((scheme, start))
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

    /// A descriptor that the parent left open, by its number.
    fn descriptor(&self, digits: &str) -> Result<Inherited, EndpointError> {
        let fail = |found, why| {
            Err(self.fail(EndpointPart::Descriptor, self.0.len() - digits.len(), found, why))
        };
        if digits.is_empty() {
            return fail("", "is missing: write fd:3");
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return fail(digits, "is not a number");
        }
        match digits.parse() {
            Ok(number) if number <= FD_MAX => Ok(Inherited::Fd(number)),
            _ => fail(digits, "is larger than 2147483647"),
        }
    }

    /// A descriptor that systemd left open, by the name in its unit.
    fn named_descriptor(&self, name: &str) -> Result<Inherited, EndpointError> {
        let start = self.0.len() - name.len();
        let fail = |at, found, why| Err(self.fail(EndpointPart::Descriptor, at, found, why));
        if name.is_empty() {
            return fail(start, "", "is missing: write systemd:name");
        }
        let odd = |c: char| !matches!(c, ' '..='~') || c == ':';
        if let Some((at, letter)) = name.char_indices().find(|(_, letter)| odd(*letter)) {
            let found = &name[at..at + letter.len_utf8()];
            let why = "may not be in such a name: printable ASCII without ':' may";
            return fail(start + at, found, why);
        }
        if name.len() > FDNAME_MAX {
            return fail(start, name, "is longer than 255 bytes");
        }
        Ok(Inherited::Systemd(name.into()))
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
    fn bracketed(&self, start: usize) -> Result<(Option<Host>, usize), EndpointError> {
        let text = self.0;
        let Some(end) = text[start..].find(']').map(|length| start + length) else {
            let found = &text[start..];
            return Err(self.fail(EndpointPart::Host, start, found, "has no closing bracket"));
        };
        let host = &text[start + 1..end];
        let (ip, zone) = match host.split_once('%') {
            Some((ip, zone)) => (ip, Some(self.zone(start + 1 + ip.len() + 1, zone)?)),
            None => (host, None),
        };
        let ip = ip.parse().map_err(|_| {
            let why = "is not an IPv6 address: brackets are for those alone";
            self.fail(EndpointPart::Host, start + 1, ip, why)
        })?;
        let after = &text[end + 1..];
        if !after.is_empty() && !after.starts_with(':') {
            let why = "does not start with a colon";
            return Err(self.fail(EndpointPart::Port, end + 1, after, why));
        }
        Ok((Some(Host::V6(ip, zone)), (end + 2).min(text.len())))
    }

    /// An IPv4 address, a name or nothing, and where the port starts.
    fn bare(&self, start: usize) -> Result<(Option<Host>, usize), EndpointError> {
        let text = self.0;
        let Some(colon) = text[start..].rfind(':').map(|length| start + length) else {
            let (part, why) = match &text[start..] {
                "" if start > 0 => (EndpointPart::Host, "is missing: write host:port"),
                "" => (EndpointPart::Host, "is missing: write host:port, :port or unix:path"),
                _ => (EndpointPart::Port, "is missing: write host:port"),
            };
            return Err(self.fail(part, text.len(), "", why));
        };
        let host = &text[start..colon];
        if host.contains(':') {
            let why = "is ambiguous: write an IPv6 address in brackets, as in [::1]:80";
            return Err(self.fail(EndpointPart::Host, start, &text[start..], why));
        }
        let host = match host {
            "" => None,
            _ => Some(match host.parse() {
                Ok(ip) => Host::V4(ip),
                Err(_) => Host::Name(self.name(start, host)?),
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

    /// A name that a resolver could be asked for.
    fn name(&self, start: usize, name: &str) -> Result<Box<str>, EndpointError> {
        let fail = |at, found, why| Err(self.fail(EndpointPart::Host, start + at, found, why));
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

    /// A port's number or a service's name: the rest of the text.
    fn gate(&self, at: usize) -> Result<Gate, EndpointError> {
        let found = &self.0[at..];
        let fail = |why| Err(self.fail(EndpointPart::Port, at, found, why));
        if found.is_empty() {
            return fail("is missing: write host:port");
        }
        if found.bytes().all(|b| b.is_ascii_digit()) {
            return found.parse().map(Gate::Port).or_else(|_| fail("is larger than 65535"));
        }
        // Whoever begins with a digit and has no letters, or a slash, meant a number.
        let letters = found.bytes().any(|b| b.is_ascii_alphabetic());
        let named = found.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !letters || !(named || found.starts_with(|c: char| c.is_ascii_alphabetic())) {
            return fail("is not a number");
        }
        self.service(at, found).map(Gate::Service)
    }

    /// The name of a service, by the rules for new ones (RFC 6335, 5.1). It has a letter.
    fn service(&self, start: usize, name: &str) -> Result<Box<str>, EndpointError> {
        let fail = |at, found, why| Err(self.fail(EndpointPart::Service, start + at, found, why));
        let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
        if let Some((at, letter)) = name.char_indices().find(|(_, letter)| odd(*letter)) {
            let found = &name[at..at + letter.len_utf8()];
            return fail(at, found, "may not be in a service's name: letters, digits and '-' may");
        }
        if name.len() > SERVICE_MAX {
            return fail(0, name, "is longer than 15 letters");
        }
        if name.starts_with('-') {
            return fail(0, name, "starts with a hyphen");
        }
        if name.ends_with('-') {
            return fail(name.len() - 1, "-", "ends a service's name, which no hyphen may");
        }
        if let Some(at) = name.find("--") {
            return fail(at, "--", "may not be in a service's name: one hyphen may");
        }
        Ok(name.into())
    }

    pub(super) fn fail(
        &self,
        part: EndpointPart,
        at: usize,
        found: &str,
        why: impl Into<Cow<'static, str>>,
    ) -> EndpointError {
        EndpointError::new(self.0, part, at, found, why.into())
    }
}

/// What begins the forms that are neither of TCP nor of UDP.
pub(super) const PREFIXES: [&str; 5] = ["unix:", "vsock:", "npipe:", "fd:", "systemd:"];
/// What ends a scheme.
const MARK: &str = "://";
/// What a domain name may have without its last dot (RFC 1035, 2.3.4: 255 on the wire).
const NAME_MAX: usize = 253;
/// What the length byte of a label may say (RFC 1035, 2.3.4).
const LABEL_MAX: usize = 63;
/// Longer than any system's interface names (Windows: 256 with the NUL byte).
const ZONE_MAX: usize = 255;
/// The longest name of a service (RFC 6335, 5.1).
const SERVICE_MAX: usize = 15;
/// The largest number of a descriptor: they are C's `int`.
const FD_MAX: u32 = i32::MAX as u32;
/// The longest name of a descriptor that systemd takes.
const FDNAME_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::addr::Endpoint;
    use std::io;

    /// Each text with the part, the column and the beginning of the explanation.
    const REFUSED: &[(&str, EndpointPart, usize, &str)] = &[
        ("", EndpointPart::Host, 1, "is missing"),
        ("80", EndpointPart::Port, 3, "is missing: write host:port"),
        ("127.0.0.1:", EndpointPart::Port, 11, "is missing"),
        ("127.0.0.1:65536", EndpointPart::Port, 11, "is larger than 65535"),
        ("127.0.0.1:-1", EndpointPart::Port, 11, "is not a number"),
        ("127.0.0.1:+1", EndpointPart::Port, 11, "is not a number"),
        ("127.0.0.1:a_b", EndpointPart::Service, 12, "may not be in a service's name"),
        ("127.0.0.1:http/x", EndpointPart::Service, 15, "may not be in a service's name"),
        ("127.0.0.1:é", EndpointPart::Port, 11, "is not a number"),
        ("127.0.0.1:80-1", EndpointPart::Port, 11, "is not a number"),
        (":sixteen-letters-", EndpointPart::Service, 2, "is longer than 15 letters"),
        (":-a", EndpointPart::Service, 2, "starts with a hyphen"),
        (":a-", EndpointPart::Service, 3, "ends a service's name"),
        (":a--b", EndpointPart::Service, 3, "may not be in a service's name: one hyphen may"),
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
        ("TCP://x:80", EndpointPart::Scheme, 1, "is not understood"),
        ("://x:80", EndpointPart::Scheme, 1, "is not understood"),
        ("tcp://udp://x:80", EndpointPart::Scheme, 7, "is a second one"),
        ("tcp://", EndpointPart::Host, 7, "is missing: write host:port"),
        ("tcp://x", EndpointPart::Port, 8, "is missing"),
        ("udp://[::1]:99999", EndpointPart::Port, 13, "is larger than 65535"),
        ("udp://[::1", EndpointPart::Host, 7, "has no closing bracket"),
        ("udp://[1.2.3.4]:1", EndpointPart::Host, 8, "is not an IPv6 address"),
        ("udp://[::1% ]:1", EndpointPart::Zone, 12, "may not be"),
        ("udp://::1:80", EndpointPart::Host, 7, "is ambiguous"),
        ("udp://a..b:80", EndpointPart::Host, 9, "has an empty label"),
        ("udp://1.2:80", EndpointPart::Host, 7, "is neither"),
        ("tls://unix:/x", EndpointPart::Host, 7, "is none: write host:port"),
        ("tls://vsock:1:2", EndpointPart::Host, 7, "is none: write host:port"),
        ("fd:", EndpointPart::Descriptor, 4, "is missing: write fd:3"),
        ("fd:-1", EndpointPart::Descriptor, 4, "is not a number"),
        ("fd:x", EndpointPart::Descriptor, 4, "is not a number"),
        ("fd:2147483648", EndpointPart::Descriptor, 4, "is larger than 2147483647"),
        ("fd:99999999999", EndpointPart::Descriptor, 4, "is larger than 2147483647"),
        ("systemd:", EndpointPart::Descriptor, 9, "is missing: write systemd:name"),
        ("systemd:a:b", EndpointPart::Descriptor, 10, "may not be in such a name"),
        ("systemd:\u{7f}", EndpointPart::Descriptor, 9, "may not be in such a name"),
        ("systemd:é", EndpointPart::Descriptor, 9, "may not be in such a name"),
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
            assert!(error.why().starts_with(why), "{error}");
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
            format!("systemd:{}", "a".repeat(256)),
            format!(":{}", "a".repeat(16)),
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
            Just("fd:".to_owned()),
            Just("systemd:".to_owned()),
            Just("tcp://".to_owned()),
            Just("udp://".to_owned()),
            Just("tls://".to_owned()),
            Just(":http".to_owned()),
            Just(r"\\.\pipe\".to_owned()),
            "[\\[\\]:%@./*-]",
            "[0-9]{1,6}",
            "[a-z0-9.]{1,9}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    /// Texts of every form that there is, all of them endpoints.
    fn forms() -> impl Strategy<Value = String> {
        let label = "[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?";
        let name = format!("({label}\\.){{0,3}}[a-z_]([a-z0-9_-]{{0,8}}[a-z0-9_])?\\.?");
        let zone = "[a-zA-Z_][a-zA-Z0-9_.:-]{0,14}|[0-9]{1,9}";
        let host = prop_oneof![
            Just(String::new()),
            any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
            any::<std::net::Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
            (any::<std::net::Ipv6Addr>(), zone).prop_map(|(ip, zone)| format!("[{ip}%{zone}]")),
            proptest::string::string_regex(&name).expect("a pattern"),
        ];
        // Elsewhere, a name that starts so is a path.
        let linux = cfg!(any(target_os = "linux", target_os = "android"));
        let abstract_name = if linux { "unix:@[^%]{0,20}(%00|%FF)?" } else { "unix:%40[a-z]{0,9}" };
        let gate = prop_oneof![
            any::<u16>().prop_map(|port| port.to_string()),
            "[a-z]([a-z0-9]|-[a-z0-9]){0,7}",
            "[0-9]{1,4}[a-z](-[a-z0-9]|[A-Z0-9]){0,5}",
        ];
        prop_oneof![
            ("((tcp|udp|tls)://)?", host, gate).prop_filter_map(
                "another form",
                |(to, host, gate)| {
                    let taken = PREFIXES.iter().any(|prefix| prefix.trim_end_matches(':') == host);
                    (!taken || !to.is_empty()).then(|| format!("{to}{host}:{gate}"))
                }
            ),
            "unix:[^@%\0][^%\0]{0,20}(%41|%25|%0a|%C3%A9)?",
            abstract_name,
            any::<(u32, u32)>().prop_map(|(cid, port)| format!("vsock:{cid}:{port}")),
            r"(npipe:|\\\\\.\\pipe\\)[a-zA-Z0-9 :%@-][a-zA-Z0-9 :%@\\-]{0,20}",
            (0..=FD_MAX).prop_map(|number| format!("fd:{number}")),
            "systemd:[ -9;-~]{1,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_form_parses_and_prints_what_parses_to_itself(text in forms()) {
            let endpoint = text.parse::<Endpoint>();
            prop_assert!(endpoint.is_ok(), "{:?}", endpoint);
            let printed = endpoint.as_ref().map(Endpoint::to_string).unwrap_or_default();
            let again = printed.parse::<Endpoint>();
            prop_assert_eq!(&again, &endpoint);
            // What is printed already is printed as it is.
            prop_assert_eq!(again.map(|endpoint| endpoint.to_string()), Ok(printed));
        }

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

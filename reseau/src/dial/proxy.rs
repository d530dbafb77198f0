//! Proxies, as people write them.
use std::str::FromStr;
use std::{error, fmt, io};

use crate::addr::{Endpoint, EndpointPart, Host};

/// A proxy that connections go through: `socks5://user:password@host:port` or `http://…`.
///
/// | text | meaning |
/// |---|---|
/// | `socks5://127.0.0.1:1080` | SOCKS5 (RFC 1928), port 1080 if none is written |
/// | `socks5://anna:secret@[::1]:1080` | with user name and password (RFC 1929) |
/// | `http://proxy.example:8080` | HTTP CONNECT, port 80 if none is written |
/// | `http://anna:secret@proxy.example:8080` | with `Proxy-Authorization: Basic` |
///
/// Names are always resolved by the proxy, so `socks5h://` means the same as `socks5://`. In user
/// name and password `%41` stands for a byte.
///
/// **The password is never shown**, neither by `Display` nor by `Debug`: `***` stands in its place,
/// which does not parse. [`to_secret_url`](Self::to_secret_url) has it.
///
/// ```
/// use reseau::dial::Proxy;
/// let proxy: Proxy = "socks5://anna:se%3Acret@localhost".parse()?;
/// assert_eq!(proxy.to_string(), "socks5://anna:***@localhost:1080");
/// assert_eq!(format!("{proxy:?}"), "Proxy(socks5://anna:***@localhost:1080)");
/// assert_eq!(proxy.to_secret_url(), "socks5://anna:se%3Acret@localhost:1080");
/// # Ok::<(), reseau::dial::ProxyError>(())
/// ```
///
/// In parts:
///
/// ```
/// use reseau::dial::{Proxy, ProxyKind};
/// let proxy = Proxy::new(ProxyKind::Http, "proxy.example:8080")?.login("anna", "secret")?;
/// assert_eq!(proxy.to_string(), "http://anna:***@proxy.example:8080");
/// # Ok::<(), reseau::dial::ProxyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    kind: ProxyKind,
    /// Host and port alone, and said to be that.
    at: Endpoint,
    login: Option<Login>,
}

/// What a [`Proxy`] speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyKind {
    /// SOCKS5 (RFC 1928 and 1929).
    Socks5,
    /// HTTP CONNECT (RFC 9110, 9.3.6).
    Http,
}

/// A user name and a password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Login {
    pub(super) user: Box<[u8]>,
    pub(super) password: Box<[u8]>,
}

/// A text or parts that are not a [`Proxy`]. It never holds the text: a password may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// What stands before `://` is missing, or no proxy that we speak to.
    Scheme,
    /// The user name: what is wrong with it.
    User(&'static str),
    /// The password: what is wrong with it.
    Password(&'static str),
    /// The host is missing, or none.
    Host,
    /// The port is none.
    Port,
    /// There is more after the port.
    Rest,
}

impl Proxy {
    /// A proxy of that kind at `host:port`.
    ///
    /// # Errors
    /// The endpoint has no host or no port.
    pub fn new(kind: ProxyKind, at: impl TryInto<Endpoint>) -> Result<Self, ProxyError> {
        let at = at.try_into().map_err(|_| ProxyError::Host)?;
        let host = at.host().ok_or(ProxyError::Host)?;
        let port = at.port().ok_or(ProxyError::Port)?;
        // Only host and port count, whatever else was written.
        let at = format!("tcp://{}", Authority(host, port));
        let at = at.parse().map_err(|_| ProxyError::Host)?;
        Ok(Self { kind, at, login: None })
    }

    /// The same proxy, with a user name and a password.
    ///
    /// # Errors
    /// SOCKS5 has room for 255 bytes each, and needs a name; in HTTP no name has a colon, and
    /// neither has control characters.
    pub fn login(
        mut self,
        user: impl AsRef<[u8]>,
        password: impl AsRef<[u8]>,
    ) -> Result<Self, ProxyError> {
        let (user, password) = (user.as_ref(), password.as_ref());
        match self.kind {
            ProxyKind::Socks5 => {
                if user.is_empty() {
                    return Err(ProxyError::User("is empty"));
                }
                if user.len() > usize::from(u8::MAX) {
                    return Err(ProxyError::User("is longer than 255 bytes"));
                }
                if password.len() > usize::from(u8::MAX) {
                    return Err(ProxyError::Password("is longer than 255 bytes"));
                }
            }
            ProxyKind::Http => {
                if user.contains(&b':') {
                    return Err(ProxyError::User("has a colon, which HTTP has no way to say"));
                }
                if user.iter().any(u8::is_ascii_control) {
                    return Err(ProxyError::User("has a control character"));
                }
                if password.iter().any(u8::is_ascii_control) {
                    return Err(ProxyError::Password("has a control character"));
                }
                if user.len() + password.len() > HTTP_LOGIN_MAX {
                    return Err(ProxyError::Password("is longer than any proxy's header"));
                }
            }
        }
        self.login = Some(Login { user: user.into(), password: password.into() });
        Ok(self)
    }

    /// What it speaks.
    #[must_use]
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.at
    }

    /// The user name, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<&[u8]> {
        self.login.as_ref().map(|login| &*login.user)
    }

    /// The text that parses to this proxy, with the password.
    #[must_use]
    pub fn to_secret_url(&self) -> String {
        Url { proxy: self, secret: true }.to_string()
    }

    pub(super) fn secrets(&self) -> Option<&Login> {
        self.login.as_ref()
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyError::Scheme)?;
        let (kind, default) = match scheme.to_ascii_lowercase().as_str() {
            "socks5" | "socks5h" => (ProxyKind::Socks5, SOCKS_PORT),
            "http" => (ProxyKind::Http, HTTP_PORT),
            _ => return Err(ProxyError::Scheme),
        };
        // Variables like `http_proxy` often end in a slash.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(ProxyError::Rest);
        }
        let (login, at) = match rest.rsplit_once('@') {
            Some((login, at)) => (Some(login), at),
            None => (None, rest),
        };
        let proxy = Self::new(kind, endpoint(at, default)?)?;
        let Some(login) = login else { return Ok(proxy) };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        if password == MASK {
            return Err(ProxyError::Password("was masked when this was printed"));
        }
        let user = decoded(user).map_err(ProxyError::User)?;
        proxy.login(user, decoded(password).map_err(ProxyError::Password)?)
    }
}

impl TryFrom<&str> for Proxy {
    type Error = ProxyError;

    fn try_from(text: &str) -> Result<Self, ProxyError> {
        text.parse()
    }
}

impl TryFrom<String> for Proxy {
    type Error = ProxyError;

    fn try_from(text: String) -> Result<Self, ProxyError> {
        text.parse()
    }
}

impl TryFrom<&String> for Proxy {
    type Error = ProxyError;

    fn try_from(text: &String) -> Result<Self, ProxyError> {
        text.parse()
    }
}

impl From<&Self> for Proxy {
    fn from(proxy: &Self) -> Self {
        proxy.clone()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Url { proxy: self, secret: false }.fmt(f)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl ProxyKind {
    const fn scheme(self) -> &'static str {
        match self {
            Self::Socks5 => "socks5",
            Self::Http => "http",
        }
    }
}

/// As in URLs.
impl fmt::Display for ProxyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme())
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("proxy: ")?;
        match self {
            Self::Scheme => f.write_str("write socks5://host:port or http://host:port"),
            Self::User(why) => write!(f, "the user name {why}"),
            Self::Password(why) => write!(f, "the password {why}"),
            Self::Host => f.write_str("the host is missing or none: write host:port"),
            Self::Port => f.write_str("the port is none: write host:port"),
            Self::Rest => f.write_str("nothing may follow the port"),
        }
    }
}

impl error::Error for ProxyError {}

/// For functions that take whatever becomes a proxy: some things cannot fail to.
impl From<std::convert::Infallible> for ProxyError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<ProxyError> for io::Error {
    fn from(error: ProxyError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// A host and a port in the form of RFC 3986, as HTTP has it too.
pub(super) struct Authority<'a>(pub(super) &'a Host, pub(super) u16);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.1;
        match self.0 {
            Host::V4(ip) => write!(f, "{ip}:{port}"),
            Host::V6(ip, None) => write!(f, "[{ip}]:{port}"),
            Host::V6(ip, Some(zone)) => write!(f, "[{ip}%{zone}]:{port}"),
            Host::Name(name) => write!(f, "{name}:{port}"),
        }
    }
}

struct Url<'a> {
    proxy: &'a Proxy,
    secret: bool,
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.proxy.kind)?;
        if let Some(login) = &self.proxy.login {
            encode(&login.user, f)?;
            if self.secret {
                f.write_str(":")?;
                encode(&login.password, f)?;
            } else if !login.password.is_empty() {
                write!(f, ":{MASK}")?;
            }
            f.write_str("@")?;
        }
        match (self.proxy.at.host(), self.proxy.at.port()) {
            (Some(host), Some(port)) => Authority(host, port).fmt(f),
            _ => Ok(()), // There is no such proxy.
        }
    }
}

/// The place of a proxy; what is wrong with it is said without its text.
fn endpoint(text: &str, default: u16) -> Result<Endpoint, ProxyError> {
    let after_host = text.rfind(']').map_or(0, |end| end + 1);
    let port = if text[after_host..].contains(':') { String::new() } else { format!(":{default}") };
    let parsed = format!("tcp://{text}{port}").parse::<Endpoint>();
    parsed.map_err(|error| match error.part() {
        EndpointPart::Port | EndpointPart::Service => ProxyError::Port,
        _ => ProxyError::Host,
    })
}

fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    while let Some(byte) = rest.next() {
        if byte.is_ascii_control() || byte == b' ' {
            return Err("has a control character or a space: write it like %20");
        }
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err("has a percent sign without two digits: write %25 for the sign itself");
        };
        bytes.push((high << 4 | low) as u8);
    }
    Ok(bytes)
}

fn encode(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            write!(f, "{}", char::from(*byte))
        }
        _ => write!(f, "%{byte:02X}"),
    })
}

/// What stands for a password. It has letters that `encode` never writes.
const MASK: &str = "***";
/// IANA's.
const SOCKS_PORT: u16 = 1080;
/// What a URL without a port means.
const HTTP_PORT: u16 = 80;
/// Servers take headers of 8 KiB; a third is added by base64.
const HTTP_LOGIN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Result<Proxy, ProxyError> {
        text.parse()
    }

    #[test]
    fn texts_mean_what_they_say() {
        for (text, printed) in [
            ("socks5://127.0.0.1:9050", "socks5://127.0.0.1:9050"),
            ("SOCKS5h://localhost", "socks5://localhost:1080"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[fe80::1%eth0]:8080/", "http://[fe80::1%eth0]:8080"),
            ("socks5://anna@h:1", "socks5://anna@h:1"),
            // Names that mean something else elsewhere.
            ("socks5://fd:3", "socks5://fd:3"),
            ("socks5://unix", "socks5://unix:1080"),
            ("socks5://a:b:c@h:1", "socks5://a:***@h:1"),
            ("socks5://a:b@c@h:1", "socks5://a:***@h:1"),
            ("http://:p@h:1", "http://:***@h:1"),
        ] {
            let proxy = parsed(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(proxy.to_string(), printed, "{text}");
            assert_eq!(parsed(&proxy.to_secret_url()), Ok(proxy), "{text}");
        }
        let proxy = parsed("socks5://a%00%ff:%40%3a@h:1").unwrap();
        assert_eq!(proxy.user(), Some(&[b'a', 0, 255][..]));
        assert_eq!(&*proxy.secrets().unwrap().password, b"@:");
        assert_eq!(proxy.endpoint().port(), Some(1));
    }

    #[test]
    fn what_is_no_proxy_says_why() {
        let masked = ProxyError::Password("was masked when this was printed");
        for (text, error) in [
            ("", ProxyError::Scheme),
            ("localhost:1080", ProxyError::Scheme),
            ("socks4://h:1", ProxyError::Scheme),
            ("https://h:1", ProxyError::Scheme),
            ("socks5://", ProxyError::Host),
            ("socks5://:1080", ProxyError::Host),
            ("socks5://a:b@", ProxyError::Host),
            ("socks5://unix:/run/x", ProxyError::Rest),
            ("socks5://h:1/x", ProxyError::Rest),
            ("socks5://h:1?x", ProxyError::Rest),
            ("socks5://h:99999", ProxyError::Port),
            ("socks5://user:secret", ProxyError::Port),
            ("socks5://::1", ProxyError::Host),
            ("socks5://h:socks", ProxyError::Port),
            ("socks5://h:p_w!", ProxyError::Port),
            ("socks5://a:***@h:1", masked),
            ("socks5://:b@h:1", ProxyError::User("is empty")),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
        for bad in ["a%4", "a%", "a%zz", "a b", "a\r\n"] {
            let error = parsed(&format!("http://{bad}:x@h:1")).unwrap_err();
            assert!(matches!(error, ProxyError::User(_)), "{bad:?}: {error}");
            let error = parsed(&format!("http://x:{bad}@h:1")).unwrap_err();
            assert!(matches!(error, ProxyError::Password(_)), "{bad:?}: {error}");
        }
        let long = "a".repeat(256);
        for text in [
            format!("socks5://{long}:x@h:1"),
            format!("socks5://x:{long}@h:1"),
            "http://a%3Ab:x@h:1".to_owned(),
            "http://a:%0d%0aX@h:1".to_owned(),
        ] {
            parsed(&text).expect_err(&text);
        }
    }

    #[test]
    fn no_password_is_ever_shown() {
        let proxy = parsed("http://anna:h0rse@h:1").unwrap();
        let error = io::Error::from(parsed("socks5://anna:h0rse").unwrap_err());
        for shown in [format!("{proxy}{proxy:?}{proxy:#?}"), format!("{error}{error:?}")] {
            assert!(!shown.contains("h0rse"), "{shown}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_printed_parses_to_itself(
            http in any::<bool>(),
            user in prop::collection::vec(any::<u8>(), 0..9),
            password in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let kind = if http { ProxyKind::Http } else { ProxyKind::Socks5 };
            let proxy = Proxy::new(kind, "h:1").unwrap();
            if let Ok(proxy) = proxy.login(&user, &password) {
                prop_assert_eq!(parsed(&proxy.to_secret_url()), Ok(proxy.clone()));
                let again = parsed(&proxy.to_string()).ok();
                prop_assert_eq!(again, password.is_empty().then_some(proxy));
            }
        }

        #[test]
        fn any_text_gives_a_proxy_or_a_reason(text in ".{0,12}(socks5://|http://).{0,24}") {
            if let Ok(proxy) = parsed(&text) {
                prop_assert_eq!(parsed(&proxy.to_secret_url()), Ok(proxy));
            }
        }
    }
}

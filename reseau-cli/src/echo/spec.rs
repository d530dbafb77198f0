//! What users write to say where to serve, and whether streams or datagrams.
use std::str::FromStr;
use std::{error, fmt};

use reseau::addr::{EndpointError, EndpointPart, Scheme};
use reseau::{Addr, Endpoint};

/// An endpoint with what is served there, as text.
///
/// | text | meaning |
/// |---|---|
/// | `HOST:PORT`, `:PORT`, `tcp://HOST:PORT` | TCP |
/// | `tls://HOST:PORT`, `tls://:PORT` | TLS |
/// | `udp://HOST:PORT`, `udp://:PORT` | UDP |
/// | `unix:PATH`, `unix:@NAME` | Unix streams |
/// | `unixgram:PATH`, `unixgram:@NAME` | Unix datagrams |
/// | `vsock:CID:PORT` | streams between a host and its virtual machines |
///
/// But for `unixgram:` it is an [`Endpoint`]'s text, and so are the errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) traffic: Traffic,
    pub(crate) endpoint: Endpoint,
}

/// What goes through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    Streams,
    /// Streams with TLS.
    Tls,
    Datagrams,
}

/// An address with what is served there. Prints what [`Spec`] parses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) traffic: Traffic,
    pub(crate) addr: Addr,
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let spec = |traffic, endpoint| Ok(Self { traffic, endpoint });
        if let Some(path) = text.strip_prefix(UNIXGRAM) {
            // The library knows one kind of path.
            let endpoint = format!("{UNIX}{path}").parse();
            let longer = UNIXGRAM.len() - UNIX.len();
            let endpoint = endpoint.map_err(|error| SpecError::new(text, longer, &error))?;
            return spec(Traffic::Datagrams, endpoint);
        }
        let endpoint: Endpoint = text.parse().map_err(|error| SpecError::new(text, 0, &error))?;
        let traffic = match endpoint.scheme() {
            Scheme::Plain | Scheme::Tcp => Traffic::Streams,
            Scheme::Tls => Traffic::Tls,
            Scheme::Udp => Traffic::Datagrams,
            _ => return Err(SpecError::of(text, &format!("scheme at column 1 {NOT_SERVED}"))),
        };
        if endpoint.inherited().is_some() {
            return Err(SpecError::of(text, &format!("descriptor at column 1 {NOT_SERVED}")));
        }
        spec(traffic, endpoint)
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = self.addr.to_string();
        match (self.traffic, addr.strip_prefix(UNIX)) {
            (Traffic::Streams, _) => f.write_str(&addr),
            (Traffic::Tls, _) => write!(f, "{TLS}{addr}"),
            (Traffic::Datagrams, Some(path)) => write!(f, "{UNIXGRAM}{path}"),
            (Traffic::Datagrams, None) => write!(f, "{UDP}{addr}"),
        }
    }
}

/// A text that is no [`Spec`]: what is wrong with it, and at which column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpecError(String);

impl SpecError {
    /// What an endpoint's parser says of the end of a text, which begins `shift` columns later.
    fn new(text: &str, shift: usize, error: &EndpointError) -> Self {
        if (error.part(), error.column()) == (EndpointPart::Scheme, 1) {
            let scheme = error.text().split("://").next().unwrap_or_default();
            let column = 1 + shift;
            return Self::of(text, &format!("scheme {scheme:?} at column {column} {SCHEMES}"));
        }
        let said = error.to_string();
        let said = said.strip_prefix(&format!("endpoint {:?}: ", error.text())).unwrap_or(&said);
        // What was found stands before the column, and may be any text.
        let column = format!(" at column {}", error.column());
        let moved = said
            .rsplit_once(&column)
            .map(|(before, after)| format!("{before} at column {}{after}", error.column() + shift));
        Self::of(text, moved.as_deref().unwrap_or(said))
    }

    fn of(text: &str, why: &str) -> Self {
        Self(format!("endpoint {text:?}: {why}"))
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for SpecError {}

const TLS: &str = "tls://";
const UDP: &str = "udp://";
const UNIX: &str = "unix:";
const UNIXGRAM: &str = "unixgram:";
const SCHEMES: &str = "is not understood: write tcp://, tls://, udp://, unix:, unixgram: or vsock:";
const NOT_SERVED: &str =
    "is not served by echo: write tcp://, tls://, udp://, unix:, unixgram: or vsock:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_parses_and_what_is_served_prints_as_written() {
        for (text, traffic) in [
            ("127.0.0.1:80", Traffic::Streams),
            ("[::1]:80", Traffic::Streams),
            ("unix:/run/x", Traffic::Streams),
            ("vsock:3:80", Traffic::Streams),
            ("tls://127.0.0.1:443", Traffic::Tls),
            ("udp://127.0.0.1:80", Traffic::Datagrams),
            ("udp://[fe80::1%3]:80", Traffic::Datagrams),
            ("unixgram:/run/x%0A", Traffic::Datagrams),
        ] {
            let spec: Spec = text.parse().unwrap();
            assert_eq!(spec.traffic, traffic, "{text}");
            let spot = Spot { traffic, addr: spec.endpoint.to_addr().unwrap() };
            assert_eq!(spot.to_string(), text);
        }
        let parse = |text: &str| text.parse::<Spec>().unwrap();
        for text in ["tcp://127.0.0.1:80", "127.0.0.1:80"] {
            let spec = parse(text);
            let spot = Spot { traffic: spec.traffic, addr: spec.endpoint.to_addr().unwrap() };
            assert_eq!(spot.to_string(), "127.0.0.1:80");
        }
        let loopback = |text| parse(text).endpoint.loopback_addrs();
        assert_eq!(
            (loopback("tcp://:80"), loopback("udp://:80")),
            (loopback(":80"), loopback(":80"))
        );
    }

    #[test]
    fn errors_name_the_part_and_the_column_in_the_whole_text() {
        for (text, why) in [
            ("[::1]:99999", r#"port "99999" at column 7 is larger than 65535"#),
            ("udp://[::1]:99999", r#"port "99999" at column 13 is larger than 65535"#),
            ("tcp://", "host at column 7 is missing: write host:port"),
            ("udp://x:", "port at column 9 is missing: write host:port"),
            ("unixgram:", "path at column 10 is missing"),
            ("unixgram:/é%zz", "path \"/é%zz\" at column 12 has a percent sign"),
            ("http://x:80", r#"scheme "http" at column 1 is not understood: write tcp://, tls://"#),
            ("udp://tcp://:1", r#"scheme "tcp" at column 7 is a second one"#),
            ("udp://unix:/x", r#"host "unix:/x" at column 7 is none: write host:port"#),
            ("tcp://vsock:1:2", r#"host "vsock:1:2" at column 7 is none: write host:port"#),
            ("tcp://unixgram:/x", r#"port "/x" at column 16 is not a number"#),
            ("fd:3", "descriptor at column 1 is not served by echo"),
            ("[::1% at column 7]:1", r#"zone " " at column 6 may not be in the name"#),
        ] {
            let error = text.parse::<Spec>().expect_err(text).to_string();
            let wanted = format!("endpoint {text:?}: {why}");
            assert!(error.starts_with(&wanted), "{error}\n{wanted}");
        }
    }
}

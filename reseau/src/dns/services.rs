//! Services: names of ports, without asking anybody.
//!
//! Well-known services are in a table of this library, all others in the system's
//! (`/etc/services`), which is read once. A simulated loop knows the well-known ones alone, so that
//! it does the same on every machine.
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;

use super::LookupError;
use super::error::Cause;
use super::realm::Realm;
use crate::sys::names;

/// What a service is spoken over: the same port may be another service over each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// The port of a service. A number is its own port.
///
/// ```
/// use reseau::dns::services::{Protocol, port};
/// assert_eq!(port("https", Protocol::Tcp)?, 443);
/// assert_eq!(port("8080", Protocol::Tcp)?, 8080);
/// assert_eq!(port("SNMP", Protocol::Udp)?, 161);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// `NotFound` with a [`LookupError`]: nobody knows it. `InvalidInput`: a number that is no port.
///
/// ```
/// use reseau::dns::{Cause, LookupError, services};
/// let error = services::port("no-such-thing", services::Protocol::Tcp).unwrap_err();
/// assert_eq!(LookupError::of(&error).unwrap().cause(), Cause::NotFound);
/// assert_eq!(error.to_string(), "resolve no-such-thing/tcp: name: no such service");
/// ```
pub fn port(service: &str, protocol: Protocol) -> io::Result<u16> {
    let failed = |cause, what| {
        Err(LookupError::because(cause, what).about(&format!("{service}/{protocol}")))
    };
    if !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_digit()) {
        let port = service.parse();
        return port.or_else(|_| failed(Cause::BadName, "the port is not a number up to 65535"));
    }
    if service.is_empty() || service.contains('\0') {
        return failed(Cause::BadName, "not the name of a service");
    }
    let found = first(|one| one.protocol == protocol && one.is_called(service));
    found.map_or_else(|| failed(Cause::NotFound, "no such service"), |one| Ok(one.port))
}

/// What a port is called.
///
/// ```
/// use reseau::dns::services::{Protocol, name};
/// assert_eq!(name(443, Protocol::Tcp), Some("https"));
/// assert_eq!(name(514, Protocol::Tcp), Some("shell"));
/// assert_eq!(name(514, Protocol::Udp), Some("syslog"));
/// assert_eq!(name(0, Protocol::Udp), None);
/// ```
#[must_use]
pub fn name(port: u16, protocol: Protocol) -> Option<&'static str> {
    first(|one| one.port == port && one.protocol == protocol).map(|one| one.name)
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// One line of a table.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    name: &'static str,
    port: u16,
    protocol: Protocol,
    aliases: Vec<&'static str>,
}

impl Service {
    /// A line of a table: `name port/protocol alias… # remark`. None if it is another kind of line,
    /// or about a protocol that is not served here.
    fn parse(line: &'static str) -> Option<Self> {
        let line = line.split('#').next()?;
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        };
        Some(Self { name, port: port.parse().ok()?, protocol, aliases: words.collect() })
    }

    fn is_called(&self, name: &str) -> bool {
        let mut names = std::iter::once(&self.name).chain(&self.aliases);
        names.any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The first service that is meant, of the well-known ones and then of the system's.
fn first(mut meant: impl FnMut(&&Service) -> bool) -> Option<&'static Service> {
    static WELL_KNOWN: OnceLock<Vec<Service>> = OnceLock::new();
    static LISTED: OnceLock<Vec<Service>> = OnceLock::new();
    let known = WELL_KNOWN.get_or_init(|| table(include_str!("services.txt")));
    let found = known.iter().find(&mut meant);
    if found.is_some() || Realm::here().is_simulated() {
        return found;
    }
    LISTED.get_or_init(|| table(listed().unwrap_or_default().leak())).iter().find(meant)
}

fn table(text: &'static str) -> Vec<Service> {
    text.lines().filter_map(Service::parse).collect()
}

/// The system's table. It is kept for as long as the process lives.
fn listed() -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(names::services())?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The largest tables are of 700 KiB.
const FILE_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_service_or_nothing() {
        let service = Service::parse("web 80/tcp www http # World Wide Web").unwrap();
        assert_eq!((service.name, service.port, service.protocol), ("web", 80, Protocol::Tcp));
        assert_eq!(service.aliases, ["www", "http"]);
        assert!(service.is_called("WWW") && !service.is_called("World"));
        for line in
            ["", "# all", "web", "web 80", "web 80/sctp", "web x/tcp", "web 65536/tcp", "web 80/"]
        {
            assert_eq!(Service::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_own_table_is_well_formed_and_agrees_with_itself() {
        let text = include_str!("services.txt");
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        let services = table(text);
        assert_eq!(services.len(), lines, "a line does not parse");
        assert!(lines > 100);
        for service in &services {
            assert_eq!(name(service.port, service.protocol), Some(service.name));
            for name in std::iter::once(&service.name).chain(&service.aliases) {
                assert_eq!(port(name, service.protocol).unwrap(), service.port, "{name}");
            }
        }
    }

    #[test]
    fn the_own_table_agrees_with_the_system_s() {
        // What a system does not list, or lists under other names, is no contradiction.
        for service in table(listed().unwrap_or_default().leak()) {
            let own = table(include_str!("services.txt"));
            let same = own.into_iter().find(|own| {
                own.protocol == service.protocol && own.name.eq_ignore_ascii_case(service.name)
            });
            if let Some(own) = same {
                assert_eq!(own.port, service.port, "{}", service.name);
            }
        }
    }

    #[test]
    fn what_is_no_service_is_an_error() {
        for (text, cause) in [
            ("", Cause::BadName),
            ("a\0b", Cause::BadName),
            ("65536", Cause::BadName),
            ("99999999999999999999", Cause::BadName),
            ("no-such-thing", Cause::NotFound),
            ("-1", Cause::NotFound),
            ("80 ", Cause::NotFound),
        ] {
            let error = port(text, Protocol::Tcp).unwrap_err();
            assert_eq!(LookupError::of(&error).unwrap().cause(), cause, "{text:?}");
        }
        assert_eq!(port("0", Protocol::Udp).unwrap(), 0);
        assert_eq!(port("65535", Protocol::Udp).unwrap(), 65535);
        // The protocol matters.
        assert!(port("ssh", Protocol::Udp).is_err() && port("tftp", Protocol::Tcp).is_err());
    }
}

//! Hosts and ports as people write them.
use std::io;
use std::net::SocketAddr;

use crate::dns::Resolver;

/// A port, of whatever integer the caller has.
///
/// # Errors
/// `InvalidInput` beside 0 to 65535.
pub(super) fn port_of(port: i64) -> io::Result<u16> {
    u16::try_from(port).map_err(|_| {
        let what = format!("port {port} is out of range: 0 to 65535");
        io::Error::new(io::ErrorKind::InvalidInput, what)
    })
}

/// The addresses of a host, as the system finds them: one at least.
///
/// # Errors
/// `InvalidInput` for a host that cannot be one; else the resolver's.
pub(super) fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = Resolver::default().lookup(host).wait()?;
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Operation};

    #[test]
    fn ports_are_checked() {
        assert_eq!(port_of(0).unwrap(), 0);
        assert_eq!(port_of(65535).unwrap(), 65535);
        for port in [-1, 65536, i64::MAX, i64::MIN] {
            assert_eq!(port_of(port).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn literals_need_no_resolver_and_nonsense_does_not_reach_it() {
        assert_eq!(resolve("127.0.0.1", 80).unwrap(), [SocketAddr::from(([127, 0, 0, 1], 80))]);
        for host in ["", "a\0b", &"a".repeat(255)] {
            let error = resolve(host, 80).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            assert_eq!(Error::of(&error).unwrap().operation(), Operation::Resolve);
        }
    }
}

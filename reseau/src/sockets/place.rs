//! Hosts and ports as people write them.
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::error::{Error, Operation, Phase};

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

/// The addresses of a host, as the system finds them.
///
/// # Errors
/// `InvalidInput` for a host that cannot be one; else the resolver's.
pub(super) fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let failed = |error| {
        let error = Error::new(Operation::Resolve, error).phase_at(Phase::Name).target(host);
        io::Error::from(error)
    };
    check(host).map_err(failed)?;
    let addrs: Vec<_> = (host, port).to_socket_addrs().map_err(failed)?.collect();
    if addrs.is_empty() {
        let what = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
        return Err(failed(what));
    }
    Ok(addrs)
}

/// What no resolver should be asked for.
fn check(host: &str) -> io::Result<()> {
    let what = if host.is_empty() {
        "there is no host"
    } else if host.contains('\0') {
        "a host holds no NUL"
    } else if host.len() > HOST_MAX {
        "a host has at most 253 bytes"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// The longest name that DNS can carry, with the dot at its end.
const HOST_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

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

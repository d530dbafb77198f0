//! Names of hosts, and addresses of this machine.
use std::net::IpAddr;

use super::{Error, IPAddr, IPType};
use crate::addr::ip::is_link_local;
use crate::dns::{self, Resolver};

/// All the addresses of a host.
///
/// ```
/// use reseau::sockets::julia::{Error, getalladdrinfo};
/// assert!(!getalladdrinfo("localhost")?.is_empty());
/// assert!(matches!(getalladdrinfo("name.invalid"), Err(Error::DNSError { .. })));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::DNSError`] if there are none, with the resolver's number; [`Error::ArgumentError`] for
/// what is no name.
pub fn getalladdrinfo(host: &str) -> Result<Vec<IPAddr>, Error> {
    let found = Resolver::default().lookup(host).wait();
    let found = found.map_err(|error| Error::lookup(host, error))?;
    if found.is_empty() {
        return Err(Error::DNSError { host: host.into(), code: -1 });
    }
    Ok(found.into_iter().map(IPAddr::from).collect())
}

/// The first address of a host.
///
/// ```
/// use reseau::sockets::julia::{getaddrinfo, localhost};
/// assert_eq!(getaddrinfo("127.0.0.1")?, localhost.into());
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// As [`getalladdrinfo`].
pub fn getaddrinfo(host: &str) -> Result<IPAddr, Error> {
    getaddrinfo_as(host)
}

/// The first address of a host that is of kind `T`.
///
/// ```
/// use reseau::sockets::julia::{Error, IPv4, IPv6, getaddrinfo_as, localhost};
/// assert_eq!(getaddrinfo_as::<IPv4>("127.0.0.1")?, localhost);
/// assert!(matches!(getaddrinfo_as::<IPv6>("127.0.0.1"), Err(Error::DNSError { .. })));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`getalladdrinfo`]; [`Error::DNSError`] if none is.
#[doc(alias = "getaddrinfo(host, IPv4)")]
pub fn getaddrinfo_as<T: IPType>(host: &str) -> Result<T, Error> {
    let found = getalladdrinfo(host)?.into_iter().find_map(T::pick);
    found.ok_or_else(|| Error::DNSError { host: host.into(), code: -1 })
}

/// What an address is called; where it has no name, the address itself.
///
/// ```
/// use reseau::sockets::julia::{IPv4, getnameinfo};
/// assert!(!getnameinfo(IPv4(0x7f00_0001))?.is_empty());
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// None on today's systems.
pub fn getnameinfo(ip: impl Into<IPAddr>) -> Result<String, Error> {
    let ip = IpAddr::from(ip.into());
    Ok(Resolver::default().reverse(ip).or_numeric().wait()?)
}

/// The addresses of this machine, without those by which it reaches only itself.
///
/// ```
/// use reseau::sockets::julia::{IPv4, getipaddrs, getipaddrs_as, localhost};
/// assert!(!getipaddrs()?.contains(&localhost.into()));
/// let all: Vec<IPv4> = getipaddrs_as(true)?; // With those, and of one kind.
/// assert!(all.contains(&localhost));
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::IOError`]: the system does not tell.
pub fn getipaddrs() -> Result<Vec<IPAddr>, Error> {
    getipaddrs_as(false)
}

/// As [`getipaddrs`], those of kind `T`, and with `loopback` all of them.
///
/// # Errors
/// As [`getipaddrs`].
#[doc(alias = "getipaddrs(IPv4; loopback)")]
pub fn getipaddrs_as<T: IPType>(loopback: bool) -> Result<Vec<T>, Error> {
    let addrs = dns::ip_addrs(loopback)?;
    Ok(addrs.into_iter().filter_map(|ip| T::pick(ip.into())).collect())
}

/// An address of this machine by which others reach it: one of IPv4, if it has one.
///
/// # Errors
/// [`Error::ErrorException`] "No networking interface available".
///
/// ```
/// use reseau::sockets::julia::{Error, getipaddr, getipaddrs};
/// match getipaddr() {
///     Ok(ip) => assert!(getipaddrs()?.contains(&ip)),
///     Err(error) => assert_eq!(error.to_string(), "No networking interface available"),
/// }
/// # Ok::<(), Error>(())
/// ```
pub fn getipaddr() -> Result<IPAddr, Error> {
    getipaddr_as()
}

/// As [`getipaddr`], one of kind `T`.
///
/// # Errors
/// As [`getipaddr`].
#[doc(alias = "getipaddr(IPv4)")]
pub fn getipaddr_as<T: IPType>() -> Result<T, Error> {
    let found = getipaddrs_as::<T>(false)?;
    let v4 = found.iter().find(|ip| matches!((**ip).into(), IPAddr::IPv4(_)));
    let first = v4.or_else(|| found.first()).copied();
    first.ok_or_else(|| Error::state("No networking interface available"))
}

/// Whether an address is good on its own link only: `169.254.0.0/16` and `fe80::/10`.
///
/// ```
/// use reseau::sockets::julia::{IPAddr, IPv4, islinklocaladdr};
/// assert!(islinklocaladdr(IPv4::from([169, 254, 1, 1])));
/// assert!(islinklocaladdr("febf::1".parse::<IPAddr>()?));
/// assert!(!islinklocaladdr("fec0::1".parse::<IPAddr>()?));
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
pub fn islinklocaladdr(ip: impl Into<IPAddr>) -> bool {
    is_link_local(ip.into().into())
}

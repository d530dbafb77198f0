//! Interfaces by name and by number: what the zones of IPv6 addresses name.
#![allow(unsafe_code)]

use crate::addr::{Addr, Endpoint, InterfaceRef};
use std::ffi::{CStr, CString};
use std::io;

impl Endpoint {
    /// The address, if the text says it whole. The zone of an IPv6 address may be the name of an
    /// interface of this machine; on Windows, that of its system (`ethernet_32769`), not the one
    /// that people give it.
    ///
    /// # Errors
    /// `InvalidInput` without a host ([`loopback_addrs`](Self::loopback_addrs) has the answer),
    /// `Unsupported` for a name, which needs a resolver, for a service, which needs a table, and
    /// for what is inherited, which has an address of its own; `NotFound` for a zone that this
    /// machine does not have by that name. A zone that is a number is not looked for.
    ///
    /// ```
    /// use reseau::Endpoint;
    /// let endpoint: Endpoint = "[fe80::1%3]:80".parse()?;
    /// assert_eq!(endpoint.to_addr()?.to_string(), "[fe80::1%3]:80");
    /// let endpoint: Endpoint = "[fe80::1%no-such-zone]:80".parse()?;
    /// assert_eq!(endpoint.to_addr().unwrap_err().kind(), std::io::ErrorKind::NotFound);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_addr(&self) -> io::Result<Addr> {
        self.to_addr_with(|zone| {
            index_of(zone).map_err(|error| io::Error::new(error.kind(), format!("{self}: {error}")))
        })
    }
}

impl InterfaceRef {
    /// The number of the interface on this machine; 0 for [`Any`](Self::Any).
    ///
    /// # Errors
    /// `NotFound` for a name that no interface has; `Unsupported` for an address, which says
    /// nothing of a number. A number is not looked for.
    pub fn index(&self) -> io::Result<u32> {
        match self {
            Self::Any => Ok(0),
            Self::Index(index) => Ok(*index),
            Self::Name(name) => index_of(name),
            Self::Addr(addr) => {
                let what = format!("{addr} names its interface by an address, not by a number");
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
        }
    }

    /// The name of the interface on this machine.
    ///
    /// # Errors
    /// `NotFound` for a number that no interface has; `Unsupported` for an address and for
    /// [`Any`](Self::Any). A name is not looked for.
    pub fn name(&self) -> io::Result<String> {
        match self {
            Self::Index(index) => name_of(*index),
            Self::Name(name) => Ok(name.to_string()),
            Self::Any | Self::Addr(_) => {
                let what = format!("interface {self} has no one name");
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
        }
    }
}

/// The number of the interface `name`.
pub(crate) fn index_of(name: &str) -> io::Result<u32> {
    let text = CString::new(name)?;
    // SAFETY: a text that ends with a NUL byte and outlives the call.
    match unsafe { system::if_nametoindex(text.as_ptr().cast()) } {
        0 => Err(not_found(format!("there is no interface {name:?}"))),
        index => Ok(index),
    }
}

/// The name of the interface `index`.
pub(crate) fn name_of(index: u32) -> io::Result<String> {
    let mut name = [0_u8; NAME_SIZE];
    // SAFETY: room for the longest name and its NUL byte, which outlives the call.
    let found = unsafe { system::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return Err(not_found(format!("there is no interface with the number {index}")));
    }
    let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
    Ok(name.to_string_lossy().into_owned())
}

fn not_found(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// More than any system's names take: 16 on Linux, 32 on Solaris, 257 on Windows.
const NAME_SIZE: usize = 512;

#[cfg(unix)]
use libc as system;
#[cfg(windows)]
use windows_sys::Win32::NetworkManagement::IpHelper as system;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_each_other() {
        // Whatever this machine's interfaces are called, the first of them is loopback as a rule.
        let Some((index, name)) = (1..=64).find_map(|n| name_of(n).ok().map(|name| (n, name)))
        else {
            panic!("no interface among the first 64 numbers");
        };
        assert_eq!(index_of(&name).unwrap(), index);
        assert_eq!(InterfaceRef::from(name.as_str()).index().unwrap(), index);
        assert_eq!(InterfaceRef::from(index).name().unwrap(), name);
        let endpoint: Endpoint = format!("[fe80::1%{name}]:80").parse().unwrap();
        assert_eq!(endpoint.to_addr().unwrap().to_string(), format!("[fe80::1%{index}]:80"));
    }

    #[test]
    fn what_there_is_not_is_said() {
        for error in [
            index_of("no-such-zone").unwrap_err(),
            name_of(u32::MAX).unwrap_err(),
            InterfaceRef::from("no-such-zone").index().unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        }
        assert_eq!(index_of("a\0b").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let addr = InterfaceRef::from(std::net::Ipv4Addr::LOCALHOST);
        assert_eq!(addr.index().unwrap_err().kind(), io::ErrorKind::Unsupported);
        assert_eq!(addr.name().unwrap_err().kind(), io::ErrorKind::Unsupported);
        assert_eq!(InterfaceRef::Any.index().unwrap(), 0);
    }
}

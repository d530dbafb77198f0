//! How people name an interface of their machine.
use std::fmt;
use std::net::Ipv4Addr;

/// An interface of this machine: by its number, by its name, or by an address that it has.
///
/// ```
/// use reseau::addr::InterfaceRef;
/// assert_eq!(InterfaceRef::from("eth0").to_string(), "eth0");
/// assert_eq!(InterfaceRef::from(0), InterfaceRef::Any);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InterfaceRef {
    /// The one that the system chooses.
    Any,
    /// The interface of this number.
    Index(u32),
    /// The interface of this name.
    Name(Box<str>),
    /// The interface that has this address.
    Addr(Ipv4Addr),
}

impl From<u32> for InterfaceRef {
    fn from(index: u32) -> Self {
        if index == 0 { Self::Any } else { Self::Index(index) }
    }
}

impl From<&str> for InterfaceRef {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<String> for InterfaceRef {
    fn from(name: String) -> Self {
        Self::Name(name.into())
    }
}

impl From<Ipv4Addr> for InterfaceRef {
    fn from(addr: Ipv4Addr) -> Self {
        if addr.is_unspecified() { Self::Any } else { Self::Addr(addr) }
    }
}

impl fmt::Display for InterfaceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Index(index) => index.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Addr(addr) => addr.fmt(f),
        }
    }
}

//! Addresses between a virtual machine and its host.
use std::fmt;
use std::str::FromStr;

use super::draft::Draft;
use super::refusal::EndpointError;

/// The address of a vsock socket: a machine, by its context id, and a port.
///
/// A vsock joins a virtual machine and its host without any network. The host is
/// [`HOST`](Self::HOST), every machine has a number from 3 on that its hypervisor gave it, and
/// ports are 32 bits wide.
///
/// ```
/// use reseau::VsockAddr;
/// let addr = VsockAddr::new(VsockAddr::HOST, 1024);
/// assert_eq!(addr.to_string(), "vsock:2:1024");
/// assert_eq!("vsock:2:1024".parse(), Ok(addr));
/// assert_eq!((addr.cid(), addr.port()), (2, 1024));
/// # Ok::<(), reseau::addr::EndpointError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VsockAddr {
    cid: u32,
    port: u32,
}

impl VsockAddr {
    /// Every machine: to listen for whoever can reach this one.
    pub const ANY: u32 = u32::MAX;
    /// The hypervisor itself, where it has services of its own.
    pub const HYPERVISOR: u32 = 0;
    /// This machine, whichever it is (Linux 5.6, if it has the module for it).
    pub const LOCAL: u32 = 1;
    /// The host, as the virtual machine sees it.
    pub const HOST: u32 = 2;
    /// A port of the system's choice, to listen at.
    pub const PORT_ANY: u32 = u32::MAX;

    /// The machine `cid` at `port`.
    #[must_use]
    pub const fn new(cid: u32, port: u32) -> Self {
        Self { cid, port }
    }

    /// The machine: its context id.
    #[must_use]
    pub const fn cid(&self) -> u32 {
        self.cid
    }

    /// The port. Below 1024 it takes a privilege to listen.
    #[must_use]
    pub const fn port(&self) -> u32 {
        self.port
    }
}

impl FromStr for VsockAddr {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Draft(text).vsock()
    }
}

impl fmt::Display for VsockAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vsock:{}:{}", self.cid, self.port)
    }
}

/// As [`Display`](fmt::Display), as the standard library's addresses do.
impl fmt::Debug for VsockAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::EndpointPart;

    #[test]
    fn texts_are_read_and_written() {
        for (text, cid, port) in [
            ("vsock:2:1024", VsockAddr::HOST, 1024),
            ("vsock:0:0", VsockAddr::HYPERVISOR, 0),
            ("vsock:4294967295:4294967295", VsockAddr::ANY, VsockAddr::PORT_ANY),
        ] {
            let addr: VsockAddr = text.parse().unwrap();
            assert_eq!((addr.cid(), addr.port()), (cid, port));
            assert_eq!((addr.to_string(), format!("{addr:?}")), (text.into(), text.into()));
        }
        let error = "2:1024".parse::<VsockAddr>().unwrap_err();
        assert_eq!((error.part(), error.column()), (EndpointPart::Scheme, 1), "{error}");
    }
}

//! The interfaces of this machine, as the system lists them.
//!
//! `interfaces_unix.rs` and `interfaces_windows.rs` say the same: `all()`.
#![allow(unsafe_code)]

use std::net::IpAddr;

#[cfg(unix)]
#[path = "interfaces_unix.rs"]
mod system;
#[cfg(windows)]
#[path = "interfaces_windows.rs"]
mod system;

pub(crate) use system::all;

/// One interface.
#[derive(Clone, Debug, Default)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) up: bool,
    pub(crate) running: bool,
    pub(crate) loopback: bool,
    pub(crate) multicast: bool,
    pub(crate) point_to_point: bool,
    pub(crate) mac: Option<[u8; 6]>,
    /// Each with the length of its network's prefix.
    pub(crate) addrs: Vec<(IpAddr, u8)>,
}

/// How many bits of a mask are set before the first that is not.
#[cfg(unix)]
fn prefix(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    u8::try_from(ones).unwrap_or(u8::MAX)
}

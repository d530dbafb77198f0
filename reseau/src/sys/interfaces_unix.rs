//! `getifaddrs`: one entry for each address, and on most systems one for each interface.
use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::ptr;

use libc::{c_int, ifaddrs, sockaddr};

use super::{Card, prefix};
use crate::sys::names::ip;

/// All interfaces, in the system's order, also those that are down or have no address.
pub(crate) fn all() -> io::Result<Vec<Card>> {
    let mut first = ptr::null_mut();
    // SAFETY: the place for a pointer.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let list = List(first);
    let mut cards: Vec<Card> = Vec::new();
    let mut next = list.0;
    // SAFETY: null, or an entry of the list, which lives until `list` is dropped.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: every entry has a name, a string that ends.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        let text = name.to_string_lossy();
        let at = cards.iter().position(|card| card.name == text).unwrap_or_else(|| {
            // SAFETY: a string that ends.
            let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
            cards.push(card(text.into_owned(), index, entry));
            cards.len() - 1
        });
        // SAFETY: an entry of the list.
        unsafe { add(&mut cards[at], entry) };
    }
    Ok(cards)
}

/// What the entry says of the interface.
#[allow(clippy::unnecessary_cast)] // The flags are of different widths.
fn card(name: String, index: u32, entry: &ifaddrs) -> Card {
    let flag = |flag: c_int| entry.ifa_flags as u64 & flag as u64 != 0;
    Card {
        name,
        index,
        up: flag(libc::IFF_UP as c_int),
        running: flag(libc::IFF_RUNNING as c_int),
        loopback: flag(libc::IFF_LOOPBACK as c_int),
        multicast: flag(libc::IFF_MULTICAST as c_int),
        point_to_point: flag(libc::IFF_POINTOPOINT as c_int),
        mac: None,
        addrs: Vec::new(),
    }
}

/// Adds the address of an entry.
///
/// # Safety
/// The pointers of the entry are what `getifaddrs` says they are.
unsafe fn add(card: &mut Card, entry: &ifaddrs) {
    // SAFETY: null, or an address that lives as long as the list.
    let Some(addr) = (unsafe { entry.ifa_addr.as_ref() }) else { return };
    let v6 = match c_int::from(addr.sa_family) {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => {
            // SAFETY: an address of that family.
            card.mac = card.mac.or_else(|| unsafe { mac(entry.ifa_addr) });
            return;
        }
    };
    let (len, whole) = if v6 { (LEN_V6, 128) } else { (LEN_V4, 32) };
    // SAFETY: an address of that family is that long.
    let ip = unsafe { ip(entry.ifa_addr.cast(), len, v6) };
    // SAFETY: null, or the mask of an address of that family.
    let mask = unsafe { mask(entry.ifa_netmask, len, v6) };
    card.addrs.push((ip, mask.map_or(whole, prefix)));
}

const LEN_V4: usize = size_of::<libc::sockaddr_in>();
const LEN_V6: usize = size_of::<libc::sockaddr_in6>();

/// The mask of an address of that family. On some systems it is shorter, without the zeroes at its
/// end, and does not say its family.
///
/// # Safety
/// `raw` is null or a mask that `getifaddrs` gave for an address of that length and family.
unsafe fn mask(raw: *const sockaddr, len: usize, v6: bool) -> Option<IpAddr> {
    // SAFETY: null, or an address.
    let _mask = unsafe { raw.as_ref() }?;
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "netbsd",
        target_os = "openbsd"
    ))]
    let len = len.min(_mask.sa_len.into());
    // SAFETY: it is that long.
    Some(unsafe { ip(raw.cast(), len, v6) })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
/// The address of the hardware, if the entry has one of six bytes.
///
/// # Safety
/// `raw` is an address that `getifaddrs` gave.
unsafe fn mac(raw: *const sockaddr) -> Option<[u8; 6]> {
    // SAFETY: an address.
    let family = unsafe { (*raw).sa_family };
    if c_int::from(family) != libc::AF_PACKET {
        return None;
    }
    // SAFETY: what an address of this family is.
    let link = unsafe { raw.cast::<libc::sockaddr_ll>().read_unaligned() };
    (link.sll_halen == 6).then(|| std::array::from_fn(|at| link.sll_addr[at]))
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "illumos",
    target_os = "solaris"
))]
/// The address of the hardware, if the entry has one of six bytes.
///
/// # Safety
/// `raw` is an address that `getifaddrs` gave.
unsafe fn mac(raw: *const sockaddr) -> Option<[u8; 6]> {
    // SAFETY: an address.
    let family = unsafe { (*raw).sa_family };
    if c_int::from(family) != libc::AF_LINK {
        return None;
    }
    // `sockaddr_dl`: eight bytes, of which these two are lengths, then the name, then the address.
    // SAFETY: an address of this family has a head of eight bytes.
    let head = unsafe { raw.cast::<[u8; 8]>().read_unaligned() };
    let (name_len, mac_len) = (usize::from(head[5]), head[6]);
    // SAFETY: the name and the address follow the head.
    let at = unsafe { raw.cast::<u8>().add(8 + name_len) };
    // SAFETY: there are six bytes if the head says so.
    let mac = (mac_len == 6).then(|| unsafe { at.cast::<[u8; 6]>().read_unaligned() });
    mac.filter(|mac| *mac != [0; 6])
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "illumos",
    target_os = "solaris"
)))]
/// Nothing is known of it here.
///
/// # Safety
/// None is needed.
unsafe fn mac(_raw: *const sockaddr) -> Option<[u8; 6]> {
    None
}

/// What `getifaddrs` has allocated.
struct List(*mut ifaddrs);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: it came from `getifaddrs`, and nothing refers to it any more.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

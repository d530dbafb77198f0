//! `GetAdaptersAddresses`: one entry for each interface, with a list of its addresses.
use std::io;
use std::ptr;

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::NetworkManagement::IpHelper as h;
use windows_sys::Win32::NetworkManagement::Ndis as n;
use windows_sys::Win32::Networking::WinSock as w;

use super::Card;
use crate::sys::names::ip;

/// All interfaces, in the system's order, also those that are down or have no address.
pub(crate) fn all() -> io::Result<Vec<Card>> {
    let flags = h::GAA_FLAG_SKIP_ANYCAST | h::GAA_FLAG_SKIP_MULTICAST | h::GAA_FLAG_SKIP_DNS_SERVER;
    let mut bytes = FIRST_SIZE;
    for _ in 0..TRIES_MAX {
        // Of words of eight bytes: the entries are aligned to that.
        let mut space = vec![0u64; (bytes as usize).div_ceil(8)];
        let first = space.as_mut_ptr().cast::<h::IP_ADAPTER_ADDRESSES_LH>();
        let any = u32::from(w::AF_UNSPEC);
        // SAFETY: writable space of that many bytes, aligned for the entries.
        let code = unsafe { h::GetAdaptersAddresses(any, flags, ptr::null(), first, &mut bytes) };
        match code {
            // SAFETY: the call has filled the space with a list, which lives until we return.
            f::ERROR_SUCCESS => return Ok(unsafe { cards(first) }),
            f::ERROR_NO_DATA => return Ok(Vec::new()),
            f::ERROR_BUFFER_OVERFLOW => {}
            code => return Err(io::Error::from_raw_os_error(code as i32)),
        }
    }
    Err(io::Error::other("the list of interfaces grows faster than it can be read"))
}

/// # Safety
/// `next` is a list of `GetAdaptersAddresses`.
unsafe fn cards(mut next: *const h::IP_ADAPTER_ADDRESSES_LH) -> Vec<Card> {
    let mut cards = Vec::new();
    // SAFETY: null, or an entry of the list.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.Next;
        // SAFETY: the fields of this union are a length and the index; all numbers are good.
        let index = unsafe { entry.Anonymous1.Anonymous.IfIndex };
        // SAFETY: all numbers are good.
        let bits = unsafe { entry.Anonymous2.Flags };
        let up = entry.OperStatus == n::IfOperStatusUp;
        let mut card = Card {
            // SAFETY: every entry has a name, a string that ends.
            name: unsafe { text(entry.FriendlyName) },
            index: if index == 0 { entry.Ipv6IfIndex } else { index },
            up,
            running: up,
            loopback: entry.IfType == h::IF_TYPE_SOFTWARE_LOOPBACK,
            multicast: bits & h::IP_ADAPTER_NO_MULTICAST == 0,
            point_to_point: entry.IfType == h::IF_TYPE_PPP,
            mac: None,
            addrs: Vec::new(),
        };
        if entry.PhysicalAddressLength == 6 {
            card.mac = Some(std::array::from_fn(|at| entry.PhysicalAddress[at]));
        }
        let mut unicast = entry.FirstUnicastAddress;
        // SAFETY: null, or an entry of the list of addresses.
        while let Some(addr) = unsafe { unicast.as_ref() } {
            unicast = addr.Next;
            let raw = addr.Address.lpSockaddr;
            // SAFETY: null, or an address.
            let Some(family) = (unsafe { raw.as_ref() }).map(|raw| raw.sa_family) else { continue };
            let v6 = family == w::AF_INET6;
            if !v6 && family != w::AF_INET {
                continue;
            }
            let len = usize::try_from(addr.Address.iSockaddrLength).unwrap_or(0);
            // SAFETY: an address of that length.
            card.addrs.push((unsafe { ip(raw.cast(), len, v6) }, addr.OnLinkPrefixLength));
        }
        cards.push(card);
    }
    cards
}

/// # Safety
/// `wide` is null or a string that ends.
unsafe fn text(wide: *const u16) -> String {
    if wide.is_null() {
        return String::new();
    }
    let mut len = 0;
    loop {
        // SAFETY: not behind the end.
        let at = unsafe { wide.add(len) };
        // SAFETY: the same.
        if unsafe { *at } == 0 {
            break;
        }
        len += 1;
    }
    // SAFETY: so many units lie before the end.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(wide, len) })
}

/// What the system's documentation says to begin with.
const FIRST_SIZE: u32 = 15 << 10;
/// Interfaces may appear between two calls, but not for ever.
const TRIES_MAX: usize = 8;

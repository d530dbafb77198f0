//! The kinds of control data, system by system: what each has, under one set of names.
//!
//! - `TELL_ALWAYS`, `TELL_V4`, `TELL_V6`: the options (level, name) that make the kernel tell about
//!   datagrams, for any socket and for those of either family;
//! - `local_v4(kind, data)`: an IPv4 address of ours, and the interface if it is told with it;
//! - `TOS_KINDS`, `TTL_KINDS`, `HOPS_KIND`: how traffic class and time to live are told;
//! - `stamp(kind, data)`: the time of arrival, as seconds and nanoseconds;
//! - `PROCESS_KIND`: a descriptor that comes unasked; `GRO`: the length of joined datagrams;
//! - `push_local_v4`: asks for an address to send from; `false` where one cannot;
//! - `Tos`, `SEND_TOS`, `SEND_TTL`, `SEND_HOPS`: whether and how these are asked for.
#![allow(unsafe_code)]

use super::ancillary::{Draft, read};
use std::net::Ipv4Addr;

pub(super) use here::*;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod here {
    use super::*;
    use libc::{IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET};

    pub(crate) const TELL_ALWAYS: &[(i32, i32)] = &[(SOL_SOCKET, libc::SO_TIMESTAMPNS)];
    pub(crate) const TELL_V4: &[(i32, i32)] = &[
        (IPPROTO_IP, libc::IP_PKTINFO),
        (IPPROTO_IP, libc::IP_RECVTOS),
        (IPPROTO_IP, libc::IP_RECVTTL),
    ];
    /// Of IPv4, a socket for both tells what its IPv6 options do not cover.
    pub(crate) const TELL_V6: &[(i32, i32)] = &[
        (IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        (IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
        (IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
        (IPPROTO_IP, libc::IP_RECVTOS),
        (IPPROTO_IP, libc::IP_RECVTTL),
    ];
    pub(crate) const TOS_KINDS: &[i32] = &[libc::IP_TOS];
    pub(crate) const TTL_KINDS: &[i32] = &[libc::IP_TTL];
    pub(crate) const HOPS_KIND: Option<i32> = Some(libc::IPV6_HOPLIMIT);
    /// `SCM_PIDFD`, of Linux 6.5, which the headers of most do not have yet.
    pub(crate) const PROCESS_KIND: Option<i32> = Some(4);
    pub(crate) const GRO: Option<(i32, i32)> = Some((libc::SOL_UDP, libc::UDP_GRO));
    pub(crate) type Tos = i32;
    pub(crate) const SEND_TOS: bool = true;
    pub(crate) const SEND_TTL: bool = true;
    pub(crate) const SEND_HOPS: bool = true;

    super::super::ancillary::plain!(libc::in_pktinfo, libc::timespec);

    /// The group of a multicast; of a broadcast, our own address, which can answer.
    pub(crate) fn local_v4(kind: i32, data: &[u8]) -> Option<(libc::in_addr, Option<u32>)> {
        let info: libc::in_pktinfo = read(data).filter(|_| kind == libc::IP_PKTINFO)?;
        let to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
        let own = if to.is_multicast() || info.ipi_spec_dst.s_addr == 0 {
            info.ipi_addr
        } else {
            info.ipi_spec_dst
        };
        Some((own, u32::try_from(info.ipi_ifindex).ok()))
    }

    pub(crate) fn stamp(kind: i32, data: &[u8]) -> Option<(i64, u32)> {
        let at: libc::timespec = read(data).filter(|_| kind == libc::SO_TIMESTAMPNS)?;
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // 32 bits here and there.
        Some((i64::from(at.tv_sec), u32::try_from(at.tv_nsec).ok()?))
    }

    pub(crate) fn push_local_v4<const WORDS: usize>(
        draft: &mut Draft<WORDS>,
        addr: Ipv4Addr,
        interface: Option<u32>,
    ) -> bool {
        let info = libc::in_pktinfo {
            ipi_ifindex: interface.map_or(0, |index| i32::try_from(index).unwrap_or(i32::MAX)),
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(addr.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        draft.push(IPPROTO_IP, libc::IP_PKTINFO, &[info]);
        true
    }
}

#[cfg(target_vendor = "apple")]
mod here {
    use super::*;
    use libc::{IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET};

    pub(crate) const TELL_ALWAYS: &[(i32, i32)] = &[(SOL_SOCKET, libc::SO_TIMESTAMP)];
    pub(crate) const TELL_V4: &[(i32, i32)] = &[
        (IPPROTO_IP, libc::IP_PKTINFO),
        (IPPROTO_IP, libc::IP_RECVTOS),
        (IPPROTO_IP, libc::IP_RECVTTL),
    ];
    pub(crate) const TELL_V6: &[(i32, i32)] = &[
        (IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        (IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
        (IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
    ];
    pub(crate) const TOS_KINDS: &[i32] = &[libc::IP_RECVTOS, libc::IP_TOS];
    pub(crate) const TTL_KINDS: &[i32] = &[libc::IP_RECVTTL, libc::IP_TTL];
    pub(crate) const HOPS_KIND: Option<i32> = Some(libc::IPV6_HOPLIMIT);
    pub(crate) const PROCESS_KIND: Option<i32> = None;
    pub(crate) const GRO: Option<(i32, i32)> = None;
    pub(crate) type Tos = i32;
    pub(crate) const SEND_TOS: bool = true;
    pub(crate) const SEND_TTL: bool = false;
    pub(crate) const SEND_HOPS: bool = true;

    super::super::ancillary::plain!(libc::in_pktinfo, libc::timeval);

    pub(crate) fn local_v4(kind: i32, data: &[u8]) -> Option<(libc::in_addr, Option<u32>)> {
        let info: libc::in_pktinfo = read(data).filter(|_| kind == libc::IP_PKTINFO)?;
        Some((info.ipi_addr, Some(info.ipi_ifindex)))
    }

    pub(crate) fn stamp(kind: i32, data: &[u8]) -> Option<(i64, u32)> {
        let at: libc::timeval = read(data).filter(|_| kind == libc::SCM_TIMESTAMP)?;
        Some((at.tv_sec, u32::try_from(at.tv_usec).ok()?.checked_mul(1000)?))
    }

    pub(crate) fn push_local_v4<const WORDS: usize>(
        draft: &mut Draft<WORDS>,
        addr: Ipv4Addr,
        interface: Option<u32>,
    ) -> bool {
        let info = libc::in_pktinfo {
            ipi_ifindex: interface.unwrap_or(0),
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(addr.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        draft.push(IPPROTO_IP, libc::IP_PKTINFO, &[info]);
        true
    }
}

/// The other BSDs: an address without an interface, in IPv4.
#[cfg(any(target_os = "freebsd", target_os = "netbsd"))]
mod here {
    use super::*;
    use libc::{IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET};

    pub(crate) const TELL_ALWAYS: &[(i32, i32)] = &[(SOL_SOCKET, libc::SO_TIMESTAMP)];
    #[cfg(target_os = "freebsd")]
    pub(crate) const TELL_V4: &[(i32, i32)] = &[
        (IPPROTO_IP, libc::IP_RECVDSTADDR),
        (IPPROTO_IP, libc::IP_RECVTOS),
        (IPPROTO_IP, libc::IP_RECVTTL),
    ];
    #[cfg(target_os = "netbsd")]
    pub(crate) const TELL_V4: &[(i32, i32)] = &[(IPPROTO_IP, libc::IP_RECVDSTADDR)];
    #[cfg(target_os = "freebsd")]
    pub(crate) const TELL_V6: &[(i32, i32)] = &[
        (IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        (IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
        (IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
    ];
    #[cfg(target_os = "netbsd")]
    pub(crate) const TELL_V6: &[(i32, i32)] =
        &[(IPPROTO_IPV6, libc::IPV6_RECVPKTINFO), (IPPROTO_IPV6, libc::IPV6_RECVTCLASS)];
    #[cfg(target_os = "freebsd")]
    pub(crate) const TOS_KINDS: &[i32] = &[libc::IP_RECVTOS];
    #[cfg(target_os = "freebsd")]
    pub(crate) const TTL_KINDS: &[i32] = &[libc::IP_RECVTTL];
    #[cfg(target_os = "freebsd")]
    pub(crate) const HOPS_KIND: Option<i32> = Some(libc::IPV6_HOPLIMIT);
    #[cfg(target_os = "netbsd")]
    pub(crate) const TOS_KINDS: &[i32] = &[];
    #[cfg(target_os = "netbsd")]
    pub(crate) const TTL_KINDS: &[i32] = &[];
    #[cfg(target_os = "netbsd")]
    pub(crate) const HOPS_KIND: Option<i32> = None;
    pub(crate) const PROCESS_KIND: Option<i32> = None;
    pub(crate) const GRO: Option<(i32, i32)> = None;
    pub(crate) type Tos = u8;
    pub(crate) const SEND_TOS: bool = cfg!(target_os = "freebsd");
    pub(crate) const SEND_TTL: bool = false;
    pub(crate) const SEND_HOPS: bool = cfg!(target_os = "freebsd");

    super::super::ancillary::plain!(libc::timeval);

    pub(crate) fn local_v4(kind: i32, data: &[u8]) -> Option<(libc::in_addr, Option<u32>)> {
        Some((read(data).filter(|_| kind == libc::IP_RECVDSTADDR)?, None))
    }

    pub(crate) fn stamp(kind: i32, data: &[u8]) -> Option<(i64, u32)> {
        let at: libc::timeval = read(data).filter(|_| kind == libc::SCM_TIMESTAMP)?;
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // 32 bits here and there.
        Some((i64::from(at.tv_sec), u32::try_from(at.tv_usec).ok()?.checked_mul(1000)?))
    }

    pub(crate) fn push_local_v4<const WORDS: usize>(
        draft: &mut Draft<WORDS>,
        addr: Ipv4Addr,
        interface: Option<u32>,
    ) -> bool {
        if interface.is_some() {
            return false;
        }
        let addr = libc::in_addr { s_addr: u32::from_ne_bytes(addr.octets()) };
        draft.push(IPPROTO_IP, libc::IP_SENDSRCADDR, &[addr]);
        true
    }
}

/// Elsewhere: what the standard of IPv6 (RFC 3542) promises of addresses.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
)))]
mod here {
    use super::*;

    pub(crate) const TELL_ALWAYS: &[(i32, i32)] = &[];
    pub(crate) const TELL_V4: &[(i32, i32)] = &[];
    pub(crate) const TELL_V6: &[(i32, i32)] = &[
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
    ];
    pub(crate) const TOS_KINDS: &[i32] = &[];
    pub(crate) const TTL_KINDS: &[i32] = &[];
    pub(crate) const HOPS_KIND: Option<i32> = None;
    pub(crate) const PROCESS_KIND: Option<i32> = None;
    pub(crate) const GRO: Option<(i32, i32)> = None;
    pub(crate) type Tos = u8;
    pub(crate) const SEND_TOS: bool = false;
    pub(crate) const SEND_TTL: bool = false;
    pub(crate) const SEND_HOPS: bool = false;

    pub(crate) fn local_v4(_kind: i32, data: &[u8]) -> Option<(libc::in_addr, Option<u32>)> {
        let _: Option<u8> = read(data);
        None
    }

    pub(crate) fn stamp(_kind: i32, _data: &[u8]) -> Option<(i64, u32)> {
        None
    }

    pub(crate) fn push_local_v4<const WORDS: usize>(
        _draft: &mut Draft<WORDS>,
        _addr: Ipv4Addr,
        _interface: Option<u32>,
    ) -> bool {
        false
    }
}

//! Control data: what `recvmsg` tells beside the bytes, and what `sendmsg` is asked for.
//!
//! Reading and owning are two steps. [`items`] makes sense of any bytes whatever, and descriptors
//! in them are numbers; [`adopt`] makes them ours, and is for bytes that the kernel has just
//! written.
#![allow(unsafe_code)]

use super::ancillary_kinds as kinds;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, SystemTime};

/// One thing that control data tells.
#[derive(Clone, Debug)]
pub(crate) enum Item<'a> {
    /// The address of ours to which it was sent, and the interface, if that is told with it.
    Local(IpAddr, Option<u32>),
    /// The traffic class.
    Class(u8),
    /// Time to live, or hop limit.
    Hops(u8),
    /// When the system received it.
    At(SystemTime),
    /// How long the datagrams are that were joined to this one.
    Segment(usize),
    /// Descriptors that were passed.
    Rights(Numbers<'a>),
    /// A descriptor that the system made for us and nobody asked for (of the sender's process).
    Process(RawFd),
    /// Something else.
    Other,
}

/// The numbers of descriptors in control data.
#[derive(Clone, Debug)]
pub(crate) struct Numbers<'a>(&'a [u8]);

impl Iterator for Numbers<'_> {
    type Item = RawFd;

    fn next(&mut self) -> Option<RawFd> {
        let number = read(self.0)?;
        self.0 = &self.0[size_of::<RawFd>()..];
        Some(number)
    }
}

/// What `control` tells; bytes that make no sense are passed over.
pub(crate) fn items(control: &[u8]) -> Items<'_> {
    Items(control)
}

/// The descriptors in `control`, to be used and closed by us: those that were passed, and those
/// that the system added.
///
/// # Safety
/// `control` is what the kernel has just written, and its descriptors are adopted once.
pub(super) unsafe fn adopt(control: &[u8], mut take: impl FnMut(OwnedFd)) {
    let mut own = |number: RawFd| {
        if number >= 0 {
            // SAFETY: the kernel made it for us (the caller says so), and nobody else has it.
            Some(unsafe { OwnedFd::from_raw_fd(number) })
        } else {
            None
        }
    };
    for item in items(control) {
        match item {
            Item::Rights(numbers) => numbers.filter_map(&mut own).for_each(&mut take),
            Item::Process(number) => drop(own(number)),
            _ => {}
        }
    }
}

/// The items of control data.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a>(&'a [u8]);

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let head: libc::cmsghdr = read(self.0)?;
        #[allow(clippy::unnecessary_cast)] // Its type differs from system to system.
        let said = head.cmsg_len as usize;
        if said < HEAD || self.0.len() < HEAD {
            self.0 = &[];
            return None;
        }
        // Where control data was cut, some systems leave the length that it would have had.
        let data = &self.0[HEAD..said.min(self.0.len())];
        let next = said.checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX);
        self.0 = self.0.get(next..).unwrap_or(&[]);
        Some(item(head.cmsg_level, head.cmsg_type, data))
    }
}

fn item(level: i32, kind: i32, data: &[u8]) -> Item<'_> {
    let found = match level {
        libc::SOL_SOCKET if kind == libc::SCM_RIGHTS => Some(Item::Rights(Numbers(data))),
        libc::SOL_SOCKET => of_socket(kind, data),
        libc::IPPROTO_IP => kinds::local_v4(kind, data).map(of_v4).or_else(|| {
            if kinds::TOS_KINDS.contains(&kind) {
                byte(data).map(Item::Class)
            } else if kinds::TTL_KINDS.contains(&kind) {
                byte(data).map(Item::Hops)
            } else {
                None
            }
        }),
        libc::IPPROTO_IPV6 => match kind {
            libc::IPV6_PKTINFO => read(data).map(of_v6),
            libc::IPV6_TCLASS => byte(data).map(Item::Class),
            _ if kinds::HOPS_KIND == Some(kind) => byte(data).map(Item::Hops),
            _ => None,
        },
        _ if kinds::GRO == Some((level, kind)) => {
            read::<i32>(data).and_then(|len| usize::try_from(len).ok()).map(Item::Segment)
        }
        _ => None,
    };
    found.unwrap_or(Item::Other)
}

fn of_socket(kind: i32, data: &[u8]) -> Option<Item<'_>> {
    let at = |seconds: i64, nanos: u32| {
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds.try_into().ok()?, 0))?;
        at.checked_add(Duration::from_nanos(nanos.into()))
    };
    match kinds::stamp(kind, data) {
        Some((seconds, nanos)) => at(seconds, nanos).map(Item::At),
        None if kinds::PROCESS_KIND == Some(kind) => read(data).map(Item::Process),
        None => None,
    }
}

fn of_v4((addr, interface): (libc::in_addr, Option<u32>)) -> Item<'static> {
    let addr = Ipv4Addr::from(addr.s_addr.to_ne_bytes());
    Item::Local(addr.into(), interface.filter(|index| *index > 0))
}

fn of_v6(info: libc::in6_pktinfo) -> Item<'static> {
    #[allow(clippy::unnecessary_cast)] // Its type differs from system to system.
    let index = info.ipi6_ifindex as u32;
    Item::Local(Ipv6Addr::from(info.ipi6_addr.s6_addr).into(), Some(index).filter(|at| *at > 0))
}

/// A number that some systems give as a byte and some as an integer.
fn byte(data: &[u8]) -> Option<u8> {
    match read::<i32>(data) {
        Some(number) => u8::try_from(number).ok(),
        None => data.first().copied(),
    }
}

/// Control data to be sent: `WORDS` times eight bytes.
pub(super) struct Draft<const WORDS: usize> {
    space: [u64; WORDS],
    len: usize,
}

impl<const WORDS: usize> Draft<WORDS> {
    pub(super) const fn new() -> Self {
        Self { space: [0; WORDS], len: 0 }
    }

    /// Adds an item. What does not fit is a bug: the callers know how much they add.
    pub(super) fn push<T: Plain>(&mut self, level: i32, kind: i32, value: &[T]) {
        let len = HEAD + size_of_val(value);
        let end = self.len + len.next_multiple_of(ALIGN);
        assert!(end <= size_of_val(&self.space), "control data has a bound");
        // SAFETY: a header of integers, for which zeros will do.
        let mut head: libc::cmsghdr = unsafe { std::mem::zeroed() };
        head.cmsg_level = level;
        head.cmsg_type = kind;
        #[allow(clippy::unnecessary_cast, trivial_numeric_casts)] // Its type differs.
        {
            head.cmsg_len = len as _;
        }
        let base = self.space.as_mut_ptr().cast::<u8>();
        // SAFETY: `end`, and so all below it, lies within the space (checked above).
        let at = unsafe { base.add(self.len) };
        // SAFETY: as above, and unaligned writes need no more.
        unsafe { at.cast::<libc::cmsghdr>().write_unaligned(head) };
        // SAFETY: as above: the data begins `HEAD` bytes after the header.
        let data = unsafe { at.add(HEAD) };
        // SAFETY: as above; the value is elsewhere, and plain.
        unsafe { value.as_ptr().cast::<u8>().copy_to_nonoverlapping(data, size_of_val(value)) };
        self.len = end;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: words are bytes, and `len` of them lie within the space.
        unsafe { std::slice::from_raw_parts(self.space.as_ptr().cast(), self.len) }
    }
}

/// Values of integers only, for which any bytes will do; those that are sent have no gaps.
///
/// # Safety
/// It must be so.
pub(super) unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($(#[$known:meta])* $type:ty),* $(,)?) => {$(
        $(#[$known])*
        // SAFETY: an integer, or a structure of integers.
        unsafe impl $crate::sys::ancillary::Plain for $type {}
    )*};
}
plain!(u8, u16, i32, libc::in_addr, libc::in6_pktinfo, libc::cmsghdr);
#[allow(unused_imports)] // Where no more is told than every system tells.
pub(super) use plain;

/// The first bytes as a value, if there are enough.
pub(super) fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: as many bytes as it has (checked above), any of which will do (`Plain`).
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// From the start of an item to its data, and what items are aligned to.
const HEAD: usize = len(0);
const ALIGN: usize = space(1) - space(0);

const fn len(data: u32) -> usize {
    // SAFETY: arithmetic.
    (unsafe { libc::CMSG_LEN(data) }) as usize
}

const fn space(data: u32) -> usize {
    // SAFETY: arithmetic.
    (unsafe { libc::CMSG_SPACE(data) }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_to_the_end(mut bytes: Vec<u8>, lens: Vec<u8>) {
            // Lengths that nearly fit, or hardly anything would be found.
            let mut at = 0;
            for len in lens {
                let said = usize::from(len % 64).to_ne_bytes();
                match bytes.get_mut(at..at + said.len()) {
                    Some(place) => place.copy_from_slice(&said),
                    None => break,
                }
                at += usize::from(len % 64).next_multiple_of(ALIGN).max(ALIGN);
            }
            let count = items(&bytes).count();
            prop_assert!(count * HEAD <= bytes.len());
            for item in items(&bytes) {
                if let Item::Rights(numbers) = item {
                    prop_assert!(numbers.count() * 4 <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut draft = Draft::<32>::new();
        draft.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &[0xB9]);
        draft.push(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[3, 4, 5]);
        draft.push(libc::SOL_SOCKET, -77, &[1_u8]);
        let mut info: libc::in6_pktinfo = read(&[0; 64]).unwrap();
        info.ipi6_addr.s6_addr[15] = 1;
        draft.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &[info]);
        let found: Vec<_> = items(draft.bytes()).collect();
        let [Item::Class(0xB9), Item::Rights(numbers), Item::Other, Item::Local(addr, None)] =
            &found[..]
        else {
            panic!("{found:?}");
        };
        assert_eq!(numbers.clone().collect::<Vec<_>>(), [3, 4, 5]);
        assert!(addr.is_loopback());
        // Cut anywhere, the rest is what it was.
        for end in 0..draft.bytes().len() {
            let cut = items(&draft.bytes()[..end]).count();
            assert!(cut <= found.len(), "{end}: {cut}");
        }
    }

    #[test]
    fn lengths_that_lie_end_it() {
        let mut draft = Draft::<8>::new();
        draft.push(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[3, 4]);
        let at = std::mem::offset_of!(libc::cmsghdr, cmsg_len);
        for said in [0, 1, HEAD - 1, usize::MAX, usize::MAX - 7, 1 << 31] {
            let mut bytes = draft.bytes().to_vec();
            #[allow(clippy::unnecessary_cast)]
            let said = (said as u32).to_ne_bytes();
            bytes[at..at + 4].copy_from_slice(&said);
            let passed: usize = items(&bytes)
                .map(|item| match item {
                    Item::Rights(numbers) => numbers.count(),
                    _ => 0,
                })
                .sum();
            assert!(passed <= 2);
        }
    }
}

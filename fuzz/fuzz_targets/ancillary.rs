//! Whatever a kernel writes as control data, it is read to its end and no further, and means what
//! a second reader, who knows nothing but Linux's layout of it, finds in the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reseau::fuzzing::{Told, ancillary};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

fuzz_target!(|input: &[u8]| {
    check(input);
    check(&drafted(input));
});

/// Both readers, at every alignment; the bytes end where the memory does, so that the sanitizer
/// sees who reads on.
fn check(control: &[u8]) {
    let wanted = read(control);
    for shift in 0..ALIGN {
        let memory: Box<[u8]> = [&[0xA5; ALIGN][..shift], control].concat().into();
        assert_eq!(ancillary(&memory[shift..]), wanted, "shifted by {shift}: {control:02x?}");
    }
}

/// Control data that makes more sense than the input: each item is a kind, a lie about the
/// length, and a value.
fn drafted(script: &[u8]) -> Vec<u8> {
    let mut control = Vec::new();
    let mut left = script.iter().copied();
    while let (Some(kind), Some(len)) = (left.next(), left.next()) {
        let (level, kind) = KINDS[usize::from(kind) % KINDS.len()];
        // Every fourth lies, by up to 31 bytes in either direction.
        let (len, lie) = (usize::from(len % 64), if len < 192 { 0 } else { usize::from(len % 32) });
        let said =
            (HEAD + len).wrapping_add(lie).wrapping_sub(if len % 2 == 0 { 0 } else { 2 * lie });
        control.extend(said.to_ne_bytes());
        control.extend(level.to_ne_bytes());
        control.extend(kind.to_ne_bytes());
        control.extend(left.by_ref().take(len));
        control.resize(control.len().next_multiple_of(ALIGN), 0);
    }
    // Cut anywhere within the last item, as a kernel without room does.
    let cut = script.last().map_or(0, |last| usize::from(*last) % 24);
    control.truncate(control.len().saturating_sub(cut));
    control
}

/// What control data tells, read as `cmsg(3)` says.
fn read(control: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    let mut at = 0;
    while at < control.len() && control.len() - at >= HEAD {
        let said = usize::from_ne_bytes(bytes(&control[at..]).expect("a header"));
        if said < HEAD {
            break;
        }
        let level = number(&control[at + size_of::<usize>()..]).expect("a header");
        let kind = number(&control[at + size_of::<usize>() + 4..]).expect("a header");
        let end = control.len().min(at.saturating_add(said));
        told.push(item(level, kind, &control[at + HEAD..end]).unwrap_or(Told::Other));
        let Some(next) = said.checked_next_multiple_of(ALIGN).and_then(|len| at.checked_add(len))
        else {
            break;
        };
        at = next;
    }
    told
}

fn item(level: i32, kind: i32, data: &[u8]) -> Option<Told> {
    match (level, kind) {
        RIGHTS => Some(Told::Rights(data.chunks_exact(4).filter_map(number).collect())),
        PIDFD => number(data).map(Told::Process),
        TIMESTAMP => {
            let seconds = i64::from_ne_bytes(bytes(data)?);
            let nanos = i64::from_ne_bytes(bytes(data.get(8..)?)?);
            // A clock before 1970, or a second of minus so many parts, is none.
            let seconds = u64::try_from(seconds).ok()?;
            let nanos = u32::try_from(nanos).ok()?;
            let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
            at.checked_add(Duration::from_nanos(nanos.into())).map(Told::At)
        }
        TOS | TCLASS => small(data).map(Told::Class),
        TTL | HOPLIMIT => small(data).map(Told::Hops),
        GRO => Some(Told::Segment(usize::try_from(number(data)?).ok()?)),
        PKTINFO => {
            let interface = number(data)?;
            let own = Ipv4Addr::from(bytes::<4>(data.get(4..)?)?);
            let to = Ipv4Addr::from(bytes::<4>(data.get(8..)?)?);
            let addr = if to.is_multicast() || own.is_unspecified() { to } else { own };
            Some(Told::Local(addr.into(), u32::try_from(interface).ok().filter(|at| *at > 0)))
        }
        PKTINFO_V6 => {
            let addr = Ipv6Addr::from(bytes::<16>(data)?);
            let interface = u32::from_ne_bytes(bytes(data.get(16..)?)?);
            Some(Told::Local(addr.into(), Some(interface).filter(|at| *at > 0)))
        }
        _ => None,
    }
}

/// A byte, which the kernel writes as one or as an `int`.
fn small(data: &[u8]) -> Option<u8> {
    match number(data) {
        Some(number) => u8::try_from(number).ok(),
        None => data.first().copied(),
    }
}

fn number(data: &[u8]) -> Option<i32> {
    bytes(data).map(i32::from_ne_bytes)
}

fn bytes<const N: usize>(data: &[u8]) -> Option<[u8; N]> {
    data.get(..N)?.try_into().ok()
}

/// Linux: a length of the machine's word, level and kind; items are aligned to words.
const HEAD: usize = size_of::<usize>() + 8;
const ALIGN: usize = size_of::<usize>();

/// Levels and kinds, by the numbers of Linux.
const RIGHTS: (i32, i32) = (1, 1);
const PIDFD: (i32, i32) = (1, 4);
const TIMESTAMP: (i32, i32) = (1, 35);
const TOS: (i32, i32) = (0, 1);
const TTL: (i32, i32) = (0, 2);
const PKTINFO: (i32, i32) = (0, 8);
const PKTINFO_V6: (i32, i32) = (41, 50);
const HOPLIMIT: (i32, i32) = (41, 52);
const TCLASS: (i32, i32) = (41, 67);
const GRO: (i32, i32) = (17, 104);
const KINDS: [(i32, i32); 12] = [
    RIGHTS,
    PIDFD,
    TIMESTAMP,
    TOS,
    TTL,
    PKTINFO,
    PKTINFO_V6,
    HOPLIMIT,
    TCLASS,
    GRO,
    (1, 2),
    (99, 1),
];

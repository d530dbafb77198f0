//! IP addresses: reading them as the seeds do, checking them at compile time, link-local ones.
//!
//! The addresses are std's. What the seeds had of their own, std has by now, and this is its form:
//!
//! - **Integers**: `u32::from(v4)` and `Ipv4Addr::from(number)`, `u128` for IPv6; the first byte of
//!   the address is the most significant.
//! - **Order**: that of these integers. As [`IpAddr`]s, all of IPv4 come before all of IPv6.
//! - **Text**: the dotted quad, and the shortest form of RFC 5952, in which an IPv4-mapped address
//!   ends as a dotted quad. [`Literal`] writes it as [`ip!`](crate::ip!) reads it.
//!
//! ```
//! use reseau::addr::ip;
//! use std::net::{IpAddr, Ipv4Addr};
//!
//! assert_eq!(ip::parse_ip("127.1"), Ok(IpAddr::from(Ipv4Addr::LOCALHOST)));
//! assert_eq!(u32::from(Ipv4Addr::LOCALHOST), 0x7f00_0001);
//! assert_eq!(Ipv4Addr::from(0x7f00_0001), Ipv4Addr::LOCALHOST);
//! assert!(reseau::ip!("9.0.0.0") < reseau::ip!("10.0.0.0"));
//! assert!(reseau::ip!("255.255.255.255") < reseau::ip!("::"));
//!
//! let error = ip::parse_ip("10.0.0.01").unwrap_err();
//! assert_eq!(error.column(), 8);
//! assert_eq!(
//!     error.to_string(),
//!     "IP address: column 8: a leading zero could mean octal: write the number without it"
//! );
//! ```
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{error, fmt};

/// Reads an IP address. A colon anywhere makes it an IPv6 address.
///
/// IPv4: four decimal fields, or fewer, of which the last fills what is left, as `inet_aton` has
/// it: `127.1` is 127.0.0.1, `10.258` is 10.0.1.2, `1` is 0.0.0.1. A field before the last is at
/// most 255, the last at most what fits. Leading zeros are refused, since some read octal then.
///
/// IPv6: groups of one to four hexadecimal digits, `::` for one group of zeros or more, and
/// perhaps a dotted quad at the end. A zone has no place in an [`IpAddr`] and is refused; an
/// [`Endpoint`](crate::Endpoint) has one.
///
/// # Errors
/// [`IpError`], which says what is wrong and at which column.
pub const fn parse_ip(text: &str) -> Result<IpAddr, IpError> {
    let bytes = text.as_bytes();
    if find(bytes, b':', 0) < bytes.len() {
        match parse_ipv6(text) {
            Ok(ip) => Ok(IpAddr::V6(ip)),
            Err(error) => Err(error),
        }
    } else {
        match parse_ipv4(text) {
            Ok(ip) => Ok(IpAddr::V4(ip)),
            Err(error) => Err(error),
        }
    }
}

/// Reads an IPv4 address as [`parse_ip`] does.
///
/// # Errors
/// As [`parse_ip`].
pub const fn parse_ipv4(text: &str) -> Result<Ipv4Addr, IpError> {
    match v4(text.as_bytes(), 0, false) {
        Ok(bits) => Ok(Ipv4Addr::from_bits(bits)),
        Err(error) => Err(error),
    }
}

/// Reads an IPv6 address as [`parse_ip`] does.
///
/// # Errors
/// As [`parse_ip`].
pub const fn parse_ipv6(text: &str) -> Result<Ipv6Addr, IpError> {
    match v6(text.as_bytes()) {
        Ok(bits) => Ok(Ipv6Addr::from_bits(bits)),
        Err(error) => Err(error),
    }
}

/// Whether an address holds on its own link alone: 169.254.0.0/16 and fe80::/10.
///
/// ```
/// use reseau::{addr::ip::is_link_local, ip};
/// assert!(is_link_local(ip!("169.254.1.1")) && is_link_local(ip!("fe80::1")));
/// assert!(!is_link_local(ip!("169.255.0.0")) && !is_link_local(ip!("fec0::1")));
/// ```
#[must_use]
pub const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// An [`IpAddr`] from a text that the compiler checks: one that is no address does not compile.
///
/// The text is read by [`parse_ip`](crate::addr::ip::parse_ip). The result may stand in a constant.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// const HOME: IpAddr = reseau::ip!("127.0.0.1");
/// assert_eq!(HOME, Ipv4Addr::LOCALHOST);
/// assert!(reseau::ip!("::1").is_loopback());
/// ```
///
/// ```compile_fail,E0080
/// let ip = reseau::ip!("127.0.0.256");
/// ```
#[macro_export]
macro_rules! ip {
    ($text:expr) => {{
        const IP: ::std::net::IpAddr = $crate::addr::ip::checked($text);
        IP
    }};
}

/// What [`ip!`](crate::ip!) becomes.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub const fn checked(text: &str) -> IpAddr {
    match parse_ip(text) {
        Ok(ip) => ip,
        Err(error) => panic!("{}", error.flaw.why()),
    }
}

/// Shows an address as the literal that it is in a program of the seeds: `ip"127.0.0.1"`.
///
/// ```
/// use reseau::addr::ip::Literal;
/// assert_eq!(Literal(reseau::ip!("127.0.0.1")).to_string(), r#"ip"127.0.0.1""#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Literal(pub IpAddr);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ip\"{}\"", self.0)
    }
}

/// A text that is no IP address: what is wrong with it, and at which column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpError {
    flaw: IpFlaw,
    column: usize,
}

/// What is wrong with a text that is no IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IpFlaw {
    /// A field or group without digits, or no text at all.
    Missing,
    /// Something that is no digit of the kind.
    Digit,
    /// A number of IPv4 that starts with a zero.
    LeadingZero,
    /// A field of IPv4 before the last, above 255.
    FieldRange,
    /// The last field of IPv4, above what is left for it.
    LastRange,
    /// More than four fields of IPv4, or than eight groups of IPv6.
    TooMany,
    /// Fewer than eight groups of IPv6 without `::`, or less than a dotted quad at their end.
    TooFew,
    /// A group of more than four digits.
    LongGroup,
    /// A second `::`, or three colons.
    Colons,
    /// A zone, as in `fe80::1%eth0`.
    Zone,
}

impl IpError {
    /// What is wrong.
    #[must_use]
    pub const fn flaw(&self) -> IpFlaw {
        self.flaw
    }

    /// Where it is wrong, in bytes from 1. What is missing at the end of a text of `n` bytes is
    /// missing at column `n + 1`.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }
}

impl IpFlaw {
    const fn why(self) -> &'static str {
        match self {
            Self::Missing => "a number is missing",
            Self::Digit => "this is no digit of an IP address",
            Self::LeadingZero => "a leading zero could mean octal: write the number without it",
            Self::FieldRange => "a field before the last is larger than 255",
            Self::LastRange => "the last field is larger than what is left for it",
            Self::TooMany => "there are too many fields",
            Self::TooFew => "there are too few fields",
            Self::LongGroup => "a group has more than four digits",
            Self::Colons => "\"::\" may stand once",
            Self::Zone => "a zone has no place here: write an endpoint",
        }
    }
}

impl fmt::Display for IpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IP address: column {}: {}", self.column, self.flaw.why())
    }
}

impl error::Error for IpError {}

impl From<IpError> for std::io::Error {
    fn from(error: IpError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

/// The fields from `at` to the end of the text: four of them, or fewer unless `whole`.
const fn v4(text: &[u8], mut at: usize, whole: bool) -> Result<u32, IpError> {
    let (mut bits, mut fields) = (0_u64, 0);
    loop {
        let (start, end) = (at, find(text, b'.', at));
        let last = end == text.len();
        if fields == 4 {
            return flaw(IpFlaw::TooMany, start);
        }
        if whole && last && fields < 3 {
            return flaw(IpFlaw::TooFew, end);
        }
        // What the last field has to fill.
        let width = if last { 8 * (4 - fields) } else { 8 };
        let number = match decimal(text, start, end) {
            Ok(number) => number,
            Err(error) => return Err(error),
        };
        if number >= 1 << width {
            let out = if last { IpFlaw::LastRange } else { IpFlaw::FieldRange };
            return flaw(out, start);
        }
        bits = bits << width | number;
        if last {
            return Ok(bits as u32);
        }
        (at, fields) = (end + 1, fields + 1);
    }
}

/// A decimal number without leading zeros; `u64::MAX` for those that are larger than any field.
const fn decimal(text: &[u8], start: usize, end: usize) -> Result<u64, IpError> {
    if start == end {
        return flaw(IpFlaw::Missing, start);
    }
    let (mut number, mut at) = (0_u64, start);
    while at < end {
        if !text[at].is_ascii_digit() {
            return flaw(IpFlaw::Digit, at);
        }
        number = number.saturating_mul(10).saturating_add((text[at] - b'0') as u64);
        at += 1;
    }
    if text[start] == b'0' && end - start > 1 {
        return flaw(IpFlaw::LeadingZero, start);
    }
    Ok(number)
}

const fn v6(text: &[u8]) -> Result<u128, IpError> {
    let (mut groups, mut count, mut at) = ([0_u16; 8], 0, 0);
    // How many groups stood before `::`.
    let mut gap = None;
    if text.len() >= 2 && text[0] == b':' && text[1] == b':' {
        (gap, at) = (Some(0), 2);
    }
    while at < text.len() {
        let end = find(text, b':', at);
        if count == 8 {
            return flaw(IpFlaw::TooMany, at);
        }
        if end == text.len() && find(text, b'.', at) < end {
            if count > 6 {
                return flaw(IpFlaw::TooMany, at);
            }
            match v4(text, at, true) {
                Ok(bits) => (groups[count], groups[count + 1]) = ((bits >> 16) as u16, bits as u16),
                Err(error) => return Err(error),
            }
            count += 2;
            at = end;
            break;
        }
        match hexadecimal(text, at, end) {
            Ok(group) => groups[count] = group,
            Err(error) => return Err(error),
        }
        (count, at) = (count + 1, end);
        if at == text.len() {
            break;
        }
        at += 1; // The colon, after which something must come.
        if at == text.len() {
            return flaw(IpFlaw::Missing, at);
        }
        if text[at] == b':' {
            if gap.is_some() {
                return flaw(IpFlaw::Colons, at);
            }
            (gap, at) = (Some(count), at + 1);
        }
    }
    spread(groups, count, gap, at)
}

/// The groups in their places: those after the gap at the end.
const fn spread(
    groups: [u16; 8],
    count: usize,
    gap: Option<usize>,
    end: usize,
) -> Result<u128, IpError> {
    let before = match gap {
        None if count < 8 => {
            return flaw(if count == 0 { IpFlaw::Missing } else { IpFlaw::TooFew }, end);
        }
        Some(_) if count == 8 => return flaw(IpFlaw::TooMany, end),
        None => 8,
        Some(before) => before,
    };
    let (mut bits, mut index) = (0_u128, 0);
    while index < count {
        let place = if index < before { index } else { 8 - count + index };
        bits |= (groups[index] as u128) << (16 * (7 - place));
        index += 1;
    }
    Ok(bits)
}

const fn hexadecimal(text: &[u8], start: usize, end: usize) -> Result<u16, IpError> {
    if start == end {
        let colons = start > 0 && text[start - 1] == b':' && start > 1 && text[start - 2] == b':';
        return flaw(if colons { IpFlaw::Colons } else { IpFlaw::Missing }, start);
    }
    let (mut number, mut at) = (0_u16, start);
    while at < end {
        let digit = match text[at] {
            b @ b'0'..=b'9' => b - b'0',
            b @ b'a'..=b'f' => b - b'a' + 10,
            b @ b'A'..=b'F' => b - b'A' + 10,
            b'%' if at > start => return flaw(IpFlaw::Zone, at),
            _ => return flaw(IpFlaw::Digit, at),
        };
        if at - start == 4 {
            return flaw(IpFlaw::LongGroup, start);
        }
        number = number << 4 | digit as u16;
        at += 1;
    }
    Ok(number)
}

/// The place of `byte` at or after `at`, or the text's end.
const fn find(text: &[u8], byte: u8, mut at: usize) -> usize {
    while at < text.len() && text[at] != byte {
        at += 1;
    }
    at
}

const fn flaw<T>(flaw: IpFlaw, at: usize) -> Result<T, IpError> {
    Err(IpError { flaw, column: at + 1 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fewer_fields_of_ipv4_are_filled_as_inet_aton_does() {
        for (text, wanted) in [
            ("1.2.3.4", [1, 2, 3, 4]),
            ("0.0.0.0", [0; 4]),
            ("255.255.255.255", [255; 4]),
            ("1", [0, 0, 0, 1]),
            ("4294967295", [255; 4]),
            ("127.1", [127, 0, 0, 1]),
            ("10.16777215", [10, 255, 255, 255]),
            ("10.258", [10, 0, 1, 2]),
            ("192.168.65535", [192, 168, 255, 255]),
        ] {
            assert_eq!(parse_ip(text), Ok(wanted.into()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_column() {
        for (text, flaw, column) in [
            ("", IpFlaw::Missing, 1),
            (".", IpFlaw::Missing, 1),
            ("1.", IpFlaw::Missing, 3),
            ("1..2", IpFlaw::Missing, 3),
            ("1.2.3.4.", IpFlaw::TooMany, 9),
            ("1.2.3.4.5", IpFlaw::TooMany, 9),
            ("256.1", IpFlaw::FieldRange, 1),
            ("1.2.256.4", IpFlaw::FieldRange, 5),
            ("1.2.3.256", IpFlaw::LastRange, 7),
            ("1.2.65536", IpFlaw::LastRange, 5),
            ("1.16777216", IpFlaw::LastRange, 3),
            ("4294967296", IpFlaw::LastRange, 1),
            ("99999999999999999999999", IpFlaw::LastRange, 1),
            ("01.2.3.4", IpFlaw::LeadingZero, 1),
            ("1.2.3.00", IpFlaw::LeadingZero, 7),
            ("0x7f.1", IpFlaw::Digit, 2),
            ("-1.2.3.4", IpFlaw::Digit, 1),
            ("1.2.3.4 ", IpFlaw::Digit, 8),
            ("localhost", IpFlaw::Digit, 1),
            (":", IpFlaw::Missing, 1),
            (":1", IpFlaw::Missing, 1),
            ("1:", IpFlaw::Missing, 3),
            (":::", IpFlaw::Colons, 3),
            ("1:::2", IpFlaw::Colons, 4),
            ("1::2::3", IpFlaw::Colons, 6),
            ("1:2", IpFlaw::TooFew, 4),
            ("1:2:3:4:5:6:7", IpFlaw::TooFew, 14),
            ("1:2:3:4:5:6:7:8:9", IpFlaw::TooMany, 17),
            ("1:2:3:4::5:6:7:8", IpFlaw::TooMany, 17),
            ("::12345", IpFlaw::LongGroup, 3),
            ("::g", IpFlaw::Digit, 3),
            ("fe80::1%eth0", IpFlaw::Zone, 8),
            ("::1.2.3", IpFlaw::TooFew, 8),
            ("::1.2.3.256", IpFlaw::LastRange, 9),
            ("::01.2.3.4", IpFlaw::LeadingZero, 3),
            ("1:2:3:4:5:6:7:1.2.3.4", IpFlaw::TooMany, 15),
            ("::1.2.3.4:5", IpFlaw::Digit, 4),
        ] {
            let error = parse_ip(text).expect_err(text);
            assert_eq!((error.flaw(), error.column()), (flaw, column), "{text:?}: {error}");
            assert!(error.to_string().ends_with(flaw.why()), "{error}");
        }
        let error = std::io::Error::from(parse_ip("x").unwrap_err());
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }

    #[test]
    fn literals_are_constants() {
        const V6: IpAddr = ip!("::ffff:1.2.3.4");
        const TEXT: &str = "10.1";
        assert_eq!(V6.to_string(), "::ffff:1.2.3.4");
        assert_eq!(ip!(TEXT), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(Literal(V6).to_string(), "ip\"::ffff:1.2.3.4\"");
    }

    #[test]
    fn link_local_ends_where_its_prefix_does() {
        for (text, is) in [
            ("169.253.255.255", false),
            ("169.254.0.0", true),
            ("169.254.255.255", true),
            ("169.255.0.0", false),
            ("fe7f::", false),
            ("fe80::", true),
            ("febf:ffff::", true),
            ("fec0::", false),
            ("::ffff:169.254.0.1", false),
        ] {
            assert_eq!(is_link_local(parse_ip(text).unwrap()), is, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_prints_parses(ip: IpAddr) {
            prop_assert_eq!(parse_ip(&ip.to_string()), Ok(ip));
        }

        #[test]
        fn order_is_that_of_the_integers(one: [u32; 2], two: [u128; 2]) {
            let v4 = one.map(Ipv4Addr::from);
            prop_assert_eq!(v4[0].cmp(&v4[1]), one[0].cmp(&one[1]));
            prop_assert_eq!(v4.map(u32::from), one);
            let v6 = two.map(Ipv6Addr::from);
            prop_assert_eq!(v6[0].cmp(&v6[1]), two[0].cmp(&two[1]));
            prop_assert_eq!(v6.map(u128::from), two);
            prop_assert!(IpAddr::from(v4[0]) < IpAddr::from(v6[0]));
        }

        /// std is the judge of IPv6; of IPv4 it reads what has all its fields.
        #[test]
        fn std_agrees(text in "([0-9a-f]{0,5}[:.]?|::|[0-9]{1,3}\\.){1,10}") {
            if text.contains(':') {
                prop_assert_eq!(parse_ip(&text).ok(), text.parse::<IpAddr>().ok(), "{}", text);
            } else if let Ok(ip) = text.parse::<IpAddr>() {
                prop_assert_eq!(parse_ip(&text), Ok(ip));
            }
            if let Err(error) = parse_ip(&text) {
                prop_assert!((1..=text.len() + 1).contains(&error.column()));
            }
        }

        /// Like `inet_aton`, which some systems' own resolvers do not ask about the range.
        #[test]
        fn the_last_field_fills_what_is_left(bytes: [u8; 4], fields in 1..=4_usize) {
            let rest = bytes[fields - 1..].iter().fold(0_u32, |sum, b| sum << 8 | u32::from(*b));
            let mut text: Vec<_> = bytes[..fields - 1].iter().map(u8::to_string).collect();
            text.push(rest.to_string());
            prop_assert_eq!(parse_ip(&text.join(".")), Ok(bytes.into()));
        }
    }
}

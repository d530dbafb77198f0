//! What a certificate says, for people to read. Whom to trust is decided elsewhere.
use std::fmt::Write;
use std::net::IpAddr;

use super::der::{BIT_STRING, Der, INTEGER, OCTET_STRING, OID, SEQUENCE, SET};

/// What stands in a certificate, as text that does a terminal no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// Hosts, addresses and others that it is for.
    pub(crate) names: Vec<String>,
    pub(crate) from: Moment,
    pub(crate) until: Moment,
    /// The kind of its key.
    pub(crate) key: String,
}

/// A point in time, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since the beginning of 1970.
    pub(crate) seconds: i64,
    pub(crate) text: String,
}

impl Certificate {
    /// Reads DER; `None` if it is no certificate.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let mut body = Der(der).enter(SEQUENCE)?.enter(SEQUENCE)?;
        let _version = body.value_if(0xa0);
        let _serial = body.value(INTEGER)?;
        let _signed_by = body.value(SEQUENCE)?;
        let issuer = distinguished(body.enter(SEQUENCE)?)?;
        let mut valid = body.enter(SEQUENCE)?;
        let (from, until) = (Moment::read(valid.next()?)?, Moment::read(valid.next()?)?);
        let subject = distinguished(body.enter(SEQUENCE)?)?;
        let key = key(body.enter(SEQUENCE)?)?;
        let _ids = (body.value_if(0x81), body.value_if(0x82));
        let mut names = Vec::new();
        if let Some(extensions) = body.value_if(0xa3) {
            for (_, extension) in Der(extensions).enter(SEQUENCE)? {
                let mut extension = Der(extension);
                let id = extension.value(OID)?;
                let _critical = extension.value_if(0x01);
                if id == SUBJECT_ALT_NAME {
                    let list = Der(extension.value(OCTET_STRING)?).enter(SEQUENCE)?;
                    names.extend(list.filter_map(|(tag, value)| general(tag, value)));
                }
            }
        }
        Some(Self { subject, issuer, names, from, until, key })
    }
}

impl Moment {
    /// UTCTime, whose years are those from 1950 to 2049, or GeneralizedTime.
    fn read((tag, text): (u8, &[u8])) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let century = match (tag, text.get(..2)?.parse::<u8>().ok()?) {
            (0x17, 50..) => "19",
            (0x17, _) => "20",
            (0x18, _) => "",
            _ => return None,
        };
        let digits = format!("{century}{text}");
        if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = |at: usize, length| digits[at..at + length].parse::<i64>().ok();
        let (year, month, day) = (part(0, 4)?, part(4, 2)?, part(6, 2)?);
        let (hour, minute, second) = (part(8, 2)?, part(10, 2)?, part(12, 2)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
        Some(Self { seconds, text })
    }
}

/// Days since the beginning of 1970. Years that begin in March have their leap day at their end.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + of_year - 719_468
}

/// `CN=example.com, O=Example`.
fn distinguished(name: Der<'_>) -> Option<String> {
    let mut text = String::new();
    for (tag, set) in name {
        for (_, attribute) in Der(set).filter(|_| tag == SET) {
            let mut attribute = Der(attribute);
            let (id, (kind, value)) = (attribute.value(OID)?, attribute.next()?);
            let separator = if text.is_empty() { "" } else { ", " };
            let known = ATTRIBUTES.iter().find(|(known, _)| *known == id);
            let id = known.map_or_else(|| dotted(id), |(_, name)| (*name).to_owned());
            write!(text, "{separator}{id}={}", string(kind, value)).ok()?;
        }
    }
    Some(if text.is_empty() { "(no name)".to_owned() } else { text })
}

fn string(tag: u8, value: &[u8]) -> String {
    if tag == 0x1e {
        let units: Vec<_> =
            value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        return harmless(&String::from_utf16_lossy(&units));
    }
    harmless(&String::from_utf8_lossy(value))
}

/// Without what would move a cursor, or turn the direction of what is written around.
pub(crate) fn harmless(text: &str) -> String {
    let harms = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(letter, '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match harms(letter) {
            true => safe.extend(letter.escape_unicode()),
            false => safe.push(letter),
        }
    }
    safe
}

fn general(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        0x82 => Some(string(tag, value)),
        0x81 => Some(format!("email:{}", string(tag, value))),
        0x86 => Some(format!("uri:{}", string(tag, value))),
        0x87 => {
            let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
                .ok()
                .map(|ip| ip.to_string())
        }
        _ => None,
    }
}

/// The kind of a key, and its size where that is not in the name.
fn key(mut info: Der<'_>) -> Option<String> {
    let mut algorithm = info.enter(SEQUENCE)?;
    let id = algorithm.value(OID)?;
    let bits = info.value(BIT_STRING)?;
    if id == RSA {
        let modulus = Der(bits.get(1..)?).enter(SEQUENCE)?.value(INTEGER)?;
        let modulus = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
        let unused = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        return Some(format!("RSA, {} bits", modulus.len() * 8 - unused));
    }
    let named = |id: &[u8]| {
        let known = KEYS.iter().find(|(known, _)| *known == id);
        known.map_or_else(|| dotted(id), |(_, name)| (*name).to_owned())
    };
    match id == EC {
        true => Some(format!("EC, {}", named(algorithm.value(OID)?))),
        false => Some(named(id)),
    }
}

/// `1.2.840`: an object's identifier without a name here.
fn dotted(id: &[u8]) -> String {
    let mut text = String::new();
    let mut arc = 0_u64;
    for byte in id {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            match text.is_empty() {
                true => text = format!("{}.{}", (arc / 40).min(2), arc - (arc / 40).min(2) * 40),
                false => text.push_str(&format!(".{arc}")),
            }
            arc = 0;
        }
    }
    text
}

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const KEYS: [(&[u8], &str); 6] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256"),
    (&[0x2b, 0x81, 4, 0, 0x22], "P-384"),
    (&[0x2b, 0x81, 4, 0, 0x23], "P-521"),
    (&[0x2b, 0x65, 0x70], "Ed25519"),
    (&[0x2b, 0x65, 0x71], "Ed448"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], "RSA-PSS"),
];
const ATTRIBUTES: [(&[u8], &str); 8] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn made(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Vec<u8> {
        let names = ["example.com", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2050, 3, 1);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Ex\u{1b}[2Jample");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Bücher");
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_read_and_does_no_harm() {
        let read = Certificate::read(&made(|_| {})).unwrap();
        assert_eq!(read.subject, r"CN=Ex\u{1b}[2Jample, O=Bücher");
        assert_eq!(read.issuer, read.subject);
        assert_eq!(read.names, ["example.com", "127.0.0.1", "::1"]);
        assert_eq!((read.from.seconds, &*read.from.text), (1_709_164_800, "2024-02-29 00:00:00"));
        // From 2050 on the form is another.
        assert_eq!((read.until.seconds, &*read.until.text), (2_529_705_600, "2050-03-01 00:00:00"));
        assert_eq!(read.key, "EC, P-256");
        let bare = made(|params| {
            params.subject_alt_names.clear();
            params.distinguished_name = rcgen::DistinguishedName::new();
        });
        let read = Certificate::read(&bare).unwrap();
        assert_eq!((read.subject.as_str(), read.names.len()), ("(no name)", 0));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for ((year, month, day), wanted) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((1950, 1, 1), -7_305),
            ((2100, 3, 1), 47_541),
        ] {
            assert_eq!(days(year, month, day), wanted, "{year}-{month}-{day}");
        }
        let utc = |text: &str| Moment::read((0x17, text.as_bytes())).map(|at| at.text);
        assert_eq!(utc("500101000000Z").as_deref(), Some("1950-01-01 00:00:00"));
        assert_eq!(utc("491231235959Z").as_deref(), Some("2049-12-31 23:59:59"));
        for text in ["", "Z", "4912312359Z", "491331235959Z", "49123123595éZ", "+91231235959Z"] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn identifiers_without_a_name_are_numbers() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]), "1.2.840.113549.1.9.1");
        assert_eq!(dotted(&[0x88, 0x37, 3]), "2.999.3");
        // Numbers that are too large wrap, and panic nowhere.
        assert!(!dotted(&[0xff; 40]).contains('.') && dotted(&[0xff, 0x7f, 0xff]).contains('.'));
    }

    /// What comes over the network may be anything.
    #[test]
    fn garbage_is_no_certificate_and_no_panic() {
        let whole = made(|_| {});
        for end in 0..whole.len() {
            // Once the body is there, what signs it is not looked at.
            let _ = Certificate::read(&whole[..end]);
        }
        assert_eq!(Certificate::read(&whole[..whole.len() / 2]), None);
        let mut dice = 0x2545_f491_4f6c_dd1d_u64;
        let mut roll = || {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice as usize
        };
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + roll() % 4 {
                let at = roll() % bytes.len();
                bytes[at] = roll() as u8;
            }
            let read = Certificate::read(&bytes);
            assert!(read.is_none_or(|read| !read.subject.contains('\x1b')));
            let garbage: Vec<u8> = (0..roll() % 64).map(|_| roll() as u8).collect();
            let _ = Certificate::read(&garbage);
            let _ = (distinguished(Der(&garbage)), key(Der(&garbage)), dotted(&garbage));
        }
    }
}

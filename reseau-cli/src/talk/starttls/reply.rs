//! What servers answer, read from all that has come so far.
use super::Refusal;
use crate::tls::certificate::harmless;
use crate::tls::der::{Der, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, extent};

/// The answer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Lines that begin with this code (SMTP, FTP), one of which is to begin with this word.
    Code(&'static str, Option<&'static str>),
    /// The greeting of IMAP.
    Untagged,
    /// The result of IMAP's command `a1`.
    Tagged,
    /// A line of POP3.
    Plus,
    /// An extended response of LDAP.
    Result,
    /// The head of a stream of XMPP and its features, among them TLS.
    Feature,
    /// XMPP's go-ahead.
    Proceed,
    /// One byte of PostgreSQL.
    Letter,
    /// The first packet of MySQL.
    Greeting,
}

/// How far the answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// There is more to come.
    More,
    /// All of it is in the first `length` bytes; `told` is for people, `then` to be sent.
    Whole { length: usize, told: String, then: Option<Vec<u8>> },
}

pub(super) fn read(answer: Answer, bytes: &[u8]) -> Result<Read, Refusal> {
    match answer {
        Answer::Code(code, word) => coded(bytes, code, word),
        Answer::Untagged => imap_greeting(bytes),
        Answer::Tagged => imap_result(bytes),
        Answer::Plus => pop3(bytes),
        Answer::Result => ldap(bytes),
        Answer::Feature => xmpp_features(bytes),
        Answer::Proceed => xmpp_proceed(bytes),
        Answer::Letter => postgres(bytes),
        Answer::Greeting => mysql(bytes),
    }
}

/// Text of the other side, cut and without what a terminal would obey.
pub(super) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTE_MAX).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", harmless(&cut))
}

fn quoted_bytes(bytes: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(bytes))
}

fn whole(length: usize, told: impl Into<String>) -> Read {
    Read::Whole { length, told: told.into(), then: None }
}

/// The next line without its end, and what it takes with it. It may end in a line feed alone.
fn line(bytes: &[u8]) -> Result<Option<(String, usize)>, Refusal> {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) if at <= LINE_MAX => {
            let text = bytes[..at].strip_suffix(b"\r").unwrap_or(&bytes[..at]);
            Ok(Some((String::from_utf8_lossy(text).into_owned(), at + 1)))
        }
        None if bytes.len() <= LINE_MAX => Ok(None),
        _ => Err(Refusal::TooLong),
    }
}

/// The reply of SMTP and FTP: `250-` goes on until `250 `.
fn coded(bytes: &[u8], wanted: &str, word: Option<&str>) -> Result<Read, Refusal> {
    let (mut length, mut code, mut offered) = (0, None::<String>, false);
    while let Some((text, taken)) = line(&bytes[length..])? {
        length += taken;
        let digits = text.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        let (more, of_it) = match (digits, text.as_bytes().get(3), &code) {
            (Some(_), Some(b' ') | None, None) => (false, true),
            (Some(_), Some(b'-'), None) => (true, true),
            (Some(digits), Some(b' ') | None, Some(code)) if digits == code => (false, true),
            (Some(digits), Some(b'-'), Some(code)) if digits == code => (true, true),
            // FTP has lines of any form between the first and the last.
            (_, _, Some(_)) => (true, false),
            _ => return Err(Refusal::Unexpected(quoted(&text))),
        };
        let rest = text.get(4..).unwrap_or_default();
        let first = rest.split_whitespace().next().unwrap_or_default();
        offered |= of_it && word.is_none_or(|word| first.eq_ignore_ascii_case(word));
        if code.is_none() {
            code = digits.map(str::to_owned);
        }
        if !more {
            return match code {
                Some(code) if code != wanted => Err(Refusal::Refused(quoted(&text))),
                _ if !offered => Err(Refusal::NotOffered),
                _ => Ok(whole(length, quoted(&text))),
            };
        }
    }
    if bytes.len() >= 3 && !bytes[..3].iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Unexpected(quoted_bytes(bytes)));
    }
    Ok(Read::More)
}

fn imap_greeting(bytes: &[u8]) -> Result<Read, Refusal> {
    let Some((text, length)) = line(bytes)? else { return begins(bytes, b"* ") };
    let mut words = text.split_whitespace().map(str::to_ascii_uppercase);
    match (words.next().as_deref(), words.next().as_deref()) {
        (Some("*"), Some("OK")) => Ok(whole(length, quoted(&text))),
        // Who is known already cannot ask for TLS any more; BYE is a no.
        (Some("*"), Some("PREAUTH" | "BYE")) => Err(Refusal::Refused(quoted(&text))),
        _ => Err(Refusal::Unexpected(quoted(&text))),
    }
}

fn imap_result(bytes: &[u8]) -> Result<Read, Refusal> {
    let mut length = 0;
    while let Some((text, taken)) = line(&bytes[length..])? {
        length += taken;
        let mut words = text.split_whitespace().map(str::to_ascii_uppercase);
        match (words.next().as_deref(), words.next().as_deref()) {
            (Some("*"), Some("BYE")) => return Err(Refusal::Refused(quoted(&text))),
            (Some("*"), _) => {}
            (Some("A1"), Some("OK")) => return Ok(whole(length, quoted(&text))),
            (Some("A1"), _) => return Err(Refusal::Refused(quoted(&text))),
            _ => return Err(Refusal::Unexpected(quoted(&text))),
        }
    }
    Ok(Read::More)
}

fn pop3(bytes: &[u8]) -> Result<Read, Refusal> {
    let Some((text, length)) = line(bytes)? else {
        return if bytes.first() == Some(&b'-') { Ok(Read::More) } else { begins(bytes, b"+OK") };
    };
    match text.split_whitespace().next() {
        Some("+OK") => Ok(whole(length, quoted(&text))),
        Some("-ERR") => Err(Refusal::Refused(quoted(&text))),
        _ => Err(Refusal::Unexpected(quoted(&text))),
    }
}

/// More is to come, if it can still become what begins so.
fn begins(bytes: &[u8], start: &[u8]) -> Result<Read, Refusal> {
    match bytes.iter().zip(start).all(|(byte, wanted)| byte == wanted) {
        true => Ok(Read::More),
        false => Err(Refusal::Unexpected(quoted_bytes(bytes))),
    }
}

fn ldap(bytes: &[u8]) -> Result<Read, Refusal> {
    let unexpected = || Refusal::Unexpected(quoted_bytes(bytes));
    if bytes.first().is_some_and(|first| *first != SEQUENCE) {
        return Err(unexpected());
    }
    let Some((start, size)) = extent(bytes) else {
        // Six bytes hold every length there is.
        return if bytes.len() < 6 { Ok(Read::More) } else { Err(unexpected()) };
    };
    let length = start.checked_add(size).filter(|length| *length <= super::REPLY_MAX);
    let Some(length) = length else { return Err(Refusal::TooLong) };
    let Some(message) = bytes.get(start..length) else { return Ok(Read::More) };
    let mut message = Der(message);
    let id = message.value(INTEGER);
    let parts = message.enter(EXTENDED_RESPONSE).and_then(|mut response| {
        let code = response.value(ENUMERATED)?.last().copied()?;
        let _matched = response.value(OCTET_STRING)?;
        Some((code, quoted_bytes(response.value(OCTET_STRING)?)))
    });
    match (id, parts) {
        (Some([1]), Some((0, _))) => Ok(whole(length, "success")),
        (Some([1] | [0]), Some((code, said))) => {
            let name = LDAP_CODES.iter().find(|(known, _)| *known == code);
            let name = name.map_or("", |(_, name)| *name);
            let space = if said.is_empty() { "" } else { ": " };
            Err(Refusal::Refused(format!("result {code}{name}{space}{said}")))
        }
        _ => Err(unexpected()),
    }
}

fn xmpp_features(bytes: &[u8]) -> Result<Read, Refusal> {
    let (mut depth, mut offered) = (0, false);
    let mut tags = Tags { bytes, at: 0 };
    while let Some(tag) = tags.next()? {
        match (depth, tag.local, tag.closes) {
            (0, "stream", false) => depth = 1,
            (1, "features", false) if !tag.is_empty => depth = 2,
            (1, "error", _) => return Err(Refusal::Refused(quoted_bytes(&bytes[tag.start..]))),
            (2, "starttls", false) => offered |= tag.text.contains(XMPP_TLS),
            (1, "features", false) | (2, "features", true) => {
                return match offered {
                    true => Ok(whole(tags.at, "features, among them starttls")),
                    false => Err(Refusal::NotOffered),
                };
            }
            (2, ..) => {}
            _ => return Err(Refusal::Unexpected(quoted(tag.text))),
        }
    }
    Ok(Read::More)
}

fn xmpp_proceed(bytes: &[u8]) -> Result<Read, Refusal> {
    let mut tags = Tags { bytes, at: 0 };
    let Some(tag) = tags.next()? else { return Ok(Read::More) };
    match tag.local {
        "proceed" if !tag.closes && tag.text.contains(XMPP_TLS) => {}
        "failure" | "error" => return Err(Refusal::Refused(quoted(tag.text))),
        _ => return Err(Refusal::Unexpected(quoted(tag.text))),
    }
    if !tag.is_empty {
        match tags.next()? {
            None => return Ok(Read::More),
            Some(end) if end.closes && end.local == "proceed" => {}
            Some(other) => return Err(Refusal::Unexpected(quoted(other.text))),
        }
    }
    Ok(whole(tags.at, "proceed"))
}

/// The tags of XML, as far as streams of XMPP have any: without comments and the like.
struct Tags<'a> {
    bytes: &'a [u8],
    at: usize,
}

struct Tag<'a> {
    start: usize,
    /// All of it.
    text: &'a str,
    /// Its name without its namespace.
    local: &'a str,
    closes: bool,
    is_empty: bool,
}

impl<'a> Tags<'a> {
    /// The next one, if all of it is there.
    fn next(&mut self) -> Result<Option<Tag<'a>>, Refusal> {
        loop {
            let rest = &self.bytes[self.at..];
            let unexpected = || Err(Refusal::Unexpected(quoted_bytes(rest)));
            let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let start = match rest.iter().position(|byte| *byte == b'<') {
                // Before the stream there is nothing but space.
                Some(start) if self.at > 0 || start == blank => start,
                None if self.at > 0 || blank == rest.len() => return Ok(None),
                _ => return unexpected(),
            };
            let Some(length) = tag_length(&rest[start..]) else { return Ok(None) };
            let Ok(text) = std::str::from_utf8(&rest[start..start + length]) else {
                return unexpected();
            };
            let begin = self.at + start;
            self.at = begin + length;
            let inside = &text[1..text.len() - 1];
            match inside.as_bytes().first() {
                Some(b'?') => continue,
                None | Some(b'!') => return unexpected(),
                _ => {}
            }
            let (closes, is_empty) = (inside.starts_with('/'), inside.ends_with('/'));
            let name = inside.trim_matches('/').split_whitespace().next().unwrap_or_default();
            let local = name.rsplit(':').next().unwrap_or_default();
            return Ok(Some(Tag { start: begin, text, local, closes, is_empty }));
        }
    }
}

/// Up to its end, which is not in quotes.
fn tag_length(bytes: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'\'' | b'"') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

fn postgres(bytes: &[u8]) -> Result<Read, Refusal> {
    match bytes.first() {
        None => Ok(Read::More),
        Some(b'S') => Ok(whole(1, "S")),
        Some(b'N') => Err(Refusal::Refused("N".to_owned())),
        // An error, from before there was TLS: its length, and texts.
        Some(b'E') => Err(Refusal::Refused(quoted_bytes(bytes))),
        _ => Err(Refusal::Unexpected(quoted_bytes(bytes))),
    }
}

fn mysql(bytes: &[u8]) -> Result<Read, Refusal> {
    let Some([low, middle, high, order]) = bytes.first_chunk::<4>() else {
        return Ok(Read::More);
    };
    let size = u32::from_le_bytes([*low, *middle, *high, 0]) as usize;
    if size == 0 || *order != 0 {
        return Err(Refusal::Unexpected(quoted_bytes(bytes)));
    }
    if size > super::REPLY_MAX {
        return Err(Refusal::TooLong);
    }
    let Some(packet) = bytes.get(4..4 + size) else { return Ok(Read::More) };
    let unexpected = || Refusal::Unexpected(quoted_bytes(packet));
    match packet.first() {
        Some(10) => {}
        // A code of two bytes, then words.
        Some(0xff) => {
            return Err(Refusal::Refused(quoted_bytes(packet.get(3..).unwrap_or_default())));
        }
        _ => return Err(unexpected()),
    }
    // The version ends with a zero; then come an id, salt and a filler.
    let end = packet.iter().position(|byte| *byte == 0).ok_or_else(unexpected)?;
    let rest = packet.get(end + 1 + 4 + 8 + 1..).ok_or_else(unexpected)?;
    let can = u16::from_le_bytes(*rest.first_chunk().ok_or_else(unexpected)?);
    if u32::from(can) & CLIENT_SSL == 0 {
        return Err(Refusal::NotOffered);
    }
    let charset = rest.get(2).copied().unwrap_or(UTF8);
    let upper = rest.get(5..7).map_or(0, |two| u32::from(u16::from_le_bytes([two[0], two[1]])));
    let can = u32::from(can) | upper << 16;
    let asked = CLIENT_SSL | (can & (PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH));
    // 32 bytes, the second packet of the connection.
    let mut request = vec![32, 0, 0, 1];
    request.extend(asked.to_le_bytes());
    request.extend(PACKET_MAX.to_le_bytes());
    request.push(charset);
    request.extend([0; 23]);
    let version = quoted_bytes(&packet[1..end]);
    Ok(Read::Whole { length: 4 + size, told: format!("MySQL {version}"), then: Some(request) })
}

/// How long a line may be: RFC 5321 has 512 bytes, capabilities of IMAP may need more.
const LINE_MAX: usize = 4 << 10;
/// How much of what the other side says is passed on.
const QUOTE_MAX: usize = 120;
/// [APPLICATION 24]
const EXTENDED_RESPONSE: u8 = 0x78;
const LDAP_CODES: [(u8, &str); 6] = [
    (1, " (operationsError)"),
    (2, " (protocolError)"),
    (10, " (referral)"),
    (51, " (busy)"),
    (52, " (unavailable)"),
    (53, " (unwillingToPerform)"),
];
const XMPP_TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const PROTOCOL_41: u32 = 0x200;
const CLIENT_SSL: u32 = 0x800;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;
/// What clients of MySQL take at most.
const PACKET_MAX: u32 = 1 << 24;
/// The number of a character set of MySQL.
const UTF8: u8 = 33;

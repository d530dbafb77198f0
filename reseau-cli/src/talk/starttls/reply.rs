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
    /// All of it is in the first `length` bytes; `told` is for people, in lines, `then` to be
    /// sent.
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
    cut(text, QUOTE_MAX)
}

/// The beginning of what may be anything.
pub(super) fn quoted_bytes(bytes: &[u8]) -> String {
    cut(&String::from_utf8_lossy(bytes), GLANCE_MAX)
}

fn lossy(bytes: &[u8]) -> String {
    quoted(String::from_utf8_lossy(bytes).trim_end())
}

fn cut(text: &str, most: usize) -> String {
    let cut: String = text.chars().take(most).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", harmless(&cut))
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
    let (mut length, mut lines, mut told) = (0, Vec::<String>::new(), Vec::new());
    while let Some((text, taken)) = line(&bytes[length..])? {
        length += taken;
        told.push(quoted(text.trim_end()));
        // Between the first and the last, FTP has lines of any form.
        let first = lines.first().unwrap_or(&text);
        let Some(code) = code(first).map(str::to_owned) else {
            return Err(Refusal::Unexpected(quoted(&text)));
        };
        let is_last = rest(&text, &code).is_some_and(|(more, _)| !more);
        lines.push(text);
        match (is_last, &code[..]) {
            (false, _) => {}
            // Not now, but soon: the greeting of FTP is still to come.
            (true, "120") => lines.clear(),
            (true, code) if code != wanted => return Err(Refusal::Refused(in_one(&lines, " "))),
            (true, code) => {
                let said = lines.iter().filter_map(|line| rest(line, code)).map(|(_, text)| text);
                let mut firsts = said.map(|text| text.split_whitespace().next());
                let is_it = |first: &str| word.is_some_and(|word| first.eq_ignore_ascii_case(word));
                return match word.is_none() || firsts.any(|first| first.is_some_and(is_it)) {
                    true => Ok(whole(length, told.join("\n"))),
                    false => Err(Refusal::NotOffered(in_one(&lines, ", "))),
                };
            }
        }
    }
    if bytes.len() >= 3 && !bytes[..3].iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Unexpected(quoted_bytes(bytes)));
    }
    Ok(Read::More)
}

/// The three digits in front of a first line, if there are any.
fn code(line: &str) -> Option<&str> {
    let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?;
    rest(line, code).map(|_| code)
}

/// Whether lines follow, and what stands behind the code, if it is that one.
fn rest<'a>(line: &'a str, code: &str) -> Option<(bool, &'a str)> {
    let behind = line.strip_prefix(code)?;
    match behind.chars().next() {
        None => Some((false, "")),
        Some(' ') => Some((false, &behind[1..])),
        Some('-') => Some((true, &behind[1..])),
        Some(_) => None,
    }
}

/// The lines of a reply as one. Many servers break a sentence, and say the code of RFC 3463 in
/// front of each part: once is enough.
fn in_one(lines: &[String], between: &str) -> String {
    let Some(code) = lines.first().and_then(|first| code(first)) else { return String::new() };
    let texts = lines.iter().map(|line| rest(line, code).map_or(&line[..], |(_, text)| text));
    let mut texts = texts.map(str::trim).filter(|text| !text.is_empty());
    let mut one = format!("{code} {}", texts.next().unwrap_or_default());
    let detail = one[4..].split(' ').next().unwrap_or_default().to_owned();
    let is_detail = detail.split('.').count() == 3
        && detail.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
    for text in texts {
        one.push_str(between);
        one.push_str(match text.split_once(' ') {
            Some((again, more)) if is_detail && again == detail => more.trim_start(),
            _ => text,
        });
    }
    quoted(one.trim_end())
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
        Some((code, lossy(response.value(OCTET_STRING)?)))
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
    let (mut depth, mut offered, mut begin) = (0, false, 0);
    let mut tags = Tags { bytes, at: 0 };
    while let Some(tag) = tags.next()? {
        match (depth, tag.local, tag.closes) {
            (0, "stream", false) => depth = 1,
            (1, "features", false) if !tag.is_empty => (depth, begin) = (2, tag.start),
            (1, "error", false) => return xmpp_refusal(&mut tags, &tag),
            (2, "starttls", false) => offered |= tag.text.contains(XMPP_TLS),
            (1, "features", false) | (2, "features", true) => {
                if offered {
                    return Ok(whole(tags.at, "features, among them starttls"));
                }
                let begin = if depth == 2 { begin } else { tag.start };
                return Err(Refusal::NotOffered(lossy(&bytes[begin..tags.at])));
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
        "failure" | "error" if !tag.closes => return xmpp_refusal(&mut tags, &tag),
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

/// The reason is inside, and may come later.
fn xmpp_refusal(tags: &mut Tags<'_>, tag: &Tag<'_>) -> Result<Read, Refusal> {
    let mut is_whole = tag.is_empty;
    while !is_whole {
        let Some(next) = tags.next()? else { return Ok(Read::More) };
        is_whole = next.closes && next.local == tag.local;
    }
    Err(Refusal::Refused(lossy(&tags.bytes[tag.start..tags.at])))
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
        Some(b'N') => Err(Refusal::NotOffered("it answers N".to_owned())),
        Some(b'E') => postgres_error(bytes),
        _ => Err(Refusal::Unexpected(quoted_bytes(bytes))),
    }
}

/// Its length, and texts, each with a letter in front and a zero behind. A server that cannot start
/// a process for us says a text alone, as all did before version 3 of the protocol.
fn postgres_error(bytes: &[u8]) -> Result<Read, Refusal> {
    let said = match &bytes[1..] {
        [] => return Ok(Read::More),
        [0, ..] => {
            let Some(size) = bytes[1..].first_chunk() else { return Ok(Read::More) };
            let size = u32::from_be_bytes(*size) as usize;
            if size > super::REPLY_MAX {
                return Err(Refusal::TooLong);
            }
            let Some(fields) = bytes.get(1..1 + size) else { return Ok(Read::More) };
            let fields = fields.get(4..).unwrap_or_default();
            let field = |letter| {
                let mut fields = fields.split(|byte| *byte == 0);
                fields.find_map(|field| field.strip_prefix(&[letter])).map(lossy)
            };
            [b'S', b'C', b'M'].into_iter().filter_map(field).collect::<Vec<_>>().join(" ")
        }
        old => match old.iter().position(|byte| *byte == 0) {
            Some(end) => lossy(&old[..end]),
            None => return Ok(Read::More),
        },
    };
    Err(Refusal::Refused(said))
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
        // A number of two bytes, then words.
        Some(0xff) => {
            let number = u16::from_le_bytes(*packet[1..].first_chunk().ok_or_else(unexpected)?);
            let said = lossy(&packet[3..]);
            return Err(Refusal::Refused(format!("error {number}: {said}")));
        }
        _ => return Err(unexpected()),
    }
    // The version ends with a zero; then come an id, salt and a filler.
    let end = packet.iter().position(|byte| *byte == 0).ok_or_else(unexpected)?;
    let rest = packet.get(end + 1 + 4 + 8 + 1..).ok_or_else(unexpected)?;
    let can = u16::from_le_bytes(*rest.first_chunk().ok_or_else(unexpected)?);
    let told = format!("MySQL {}", lossy(&packet[1..end]));
    if u32::from(can) & CLIENT_SSL == 0 {
        return Err(Refusal::NotOffered(told));
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
    Ok(Read::Whole { length: 4 + size, told, then: Some(request) })
}

/// How long a line may be: RFC 5321 has 512 bytes, capabilities of IMAP may need more.
const LINE_MAX: usize = 4 << 10;
/// How much of what the other side says is passed on.
const QUOTE_MAX: usize = 500;
/// How much of it, if it need not be words.
const GLANCE_MAX: usize = 120;
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

//! HTTP CONNECT (RFC 9110, 9.3.6; the answer's form: RFC 9112), with Basic logins (RFC 7617).
use std::fmt::{self, Write as _};
use std::mem;

use super::hop::HopError;
use super::proxy::{Authority, Login};
use crate::addr::Host;

/// The client's side of the conversation, taken byte by byte: so it cannot matter how what arrives
/// is cut.
pub(super) struct HttpConnect {
    /// What is to be written, and what was given out to be.
    output: Vec<u8>,
    given: Vec<u8>,
    login: bool,
    /// What the next byte is part of.
    next: Next,
    status: u16,
    /// The proxy's own words beside the status, the first of them.
    words: Vec<u8>,
    /// How much has come.
    size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// `HTTP/1.1 200`, the byte at that place.
    Version(usize),
    Status(usize),
    /// A space, or the end of the line: the words may be left out, space and all.
    AfterStatus,
    Words,
    /// The line feed after a carriage return: at the end of the status line.
    StatusEnd,
    /// The first byte of a line: a header's name, or the end of it all.
    Line {
        first: bool,
    },
    Name,
    Value,
    ValueEnd,
    /// The line feed of the blank line.
    LastEnd,
    Tunnel,
}

impl HttpConnect {
    pub(super) fn new(login: Option<&Login>, host: &Host, port: u16) -> Self {
        let to = Authority(host, port);
        let mut text = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
        if let Some(login) = login {
            let plain = [&login.user, &b":"[..], &login.password].concat();
            text.push_str("Proxy-Authorization: Basic ");
            base64(&plain, &mut text);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        Self {
            output: text.into_bytes(),
            given: Vec::new(),
            login: login.is_some(),
            next: Next::Version(0),
            status: 0,
            words: Vec::new(),
            size: 0,
        }
    }

    pub(super) fn output(&mut self) -> &[u8] {
        self.given = mem::take(&mut self.output);
        &self.given
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<(), HopError> {
        self.size += 1;
        if self.size > SIZE_MAX {
            return Err(HopError::TooLong);
        }
        self.next = match self.next {
            Next::Version(at) => version(at, byte)?,
            Next::Status(at) => self.digit(at, byte)?,
            Next::AfterStatus if byte == b' ' => Next::Words,
            Next::AfterStatus | Next::Words => self.words(byte)?,
            Next::StatusEnd if byte == b'\n' => self.judged()?,
            Next::StatusEnd | Next::ValueEnd | Next::LastEnd if byte != b'\n' => {
                return Err(HopError::Garbage("the end of a line"));
            }
            Next::StatusEnd | Next::ValueEnd => Next::Line { first: false },
            Next::Line { first } => self.line(first, byte)?,
            Next::Name => match byte {
                b':' => Next::Value,
                _ if is_token(byte) => Next::Name,
                _ => return Err(HopError::Garbage("the name of a header")),
            },
            Next::Value => match byte {
                b'\r' => Next::ValueEnd,
                b'\n' => Next::Line { first: false },
                b'\t' => Next::Value,
                _ if byte.is_ascii_control() => {
                    return Err(HopError::Garbage("the value of a header"));
                }
                _ => Next::Value,
            },
            Next::LastEnd => self.after_headers(),
            Next::Tunnel => Next::Tunnel,
        };
        Ok(())
    }

    /// Lines may end in a line feed alone (RFC 9112, 2.2), so two bytes can be the end.
    pub(super) fn wanted(&self) -> usize {
        match self.next {
            Next::Version(at) => VERSION.len() - at + 3 + 2,
            Next::Status(at) => 3 - at + 2,
            Next::AfterStatus | Next::Words | Next::StatusEnd => 2,
            Next::Name => 3,
            Next::Value | Next::ValueEnd => 2,
            Next::Line { .. } | Next::LastEnd => 1,
            Next::Tunnel => 0,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.output.is_empty()
    }

    fn digit(&mut self, at: usize, byte: u8) -> Result<Next, HopError> {
        let fits = byte.is_ascii_digit() && (at > 0 || (b'1'..=b'5').contains(&byte));
        if !fits {
            return Err(HopError::Garbage("a status of three digits"));
        }
        self.status = self.status * 10 + u16::from(byte - b'0');
        Ok(if at == 2 { Next::AfterStatus } else { Next::Status(at + 1) })
    }

    fn words(&mut self, byte: u8) -> Result<Next, HopError> {
        match byte {
            b'\r' => return Ok(Next::StatusEnd),
            b'\n' => return self.judged(),
            _ if self.next == Next::AfterStatus || (byte.is_ascii_control() && byte != b'\t') => {
                return Err(HopError::Garbage("the end of the status line"));
            }
            _ => {}
        }
        if self.words.len() < WORDS_MAX {
            self.words.push(byte);
        }
        Ok(Next::Words)
    }

    /// The status line is whole.
    fn judged(&mut self) -> Result<Next, HopError> {
        match self.status {
            // 101 would be another protocol, which nobody asked for.
            101 => Err(HopError::Garbage("an answer to CONNECT")),
            100..300 => Ok(Next::Line { first: true }),
            407 if self.login => Err(HopError::LoginRefused),
            407 => Err(HopError::LoginWanted),
            status => {
                let words = String::from_utf8_lossy(&self.words);
                // They are to be printed: what would not be, or would turn the text, is not kept.
                let plain = |c: char| if c.is_control() || !c.is_ascii() { '?' } else { c };
                let words: String = words.trim().chars().map(plain).collect();
                Err(HopError::Http(status, words.into()))
            }
        }
    }

    fn line(&mut self, first: bool, byte: u8) -> Result<Next, HopError> {
        match byte {
            b'\r' => Ok(Next::LastEnd),
            b'\n' => Ok(self.after_headers()),
            // A value that goes on, as it once could.
            b' ' | b'\t' if !first => Ok(Next::Value),
            _ if is_token(byte) => Ok(Next::Name),
            _ => Err(HopError::Garbage("a header")),
        }
    }

    /// The blank line is over. What comes before the answer itself is passed by.
    fn after_headers(&mut self) -> Next {
        if self.status >= 200 {
            return Next::Tunnel;
        }
        self.status = 0;
        self.words.clear();
        Next::Version(0)
    }
}

/// Without what it will write: a password is in there.
impl fmt::Debug for HttpConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("HttpConnect");
        form.field("next", &self.next).field("status", &self.status).finish_non_exhaustive()
    }
}

fn version(at: usize, byte: u8) -> Result<Next, HopError> {
    let fits = match VERSION[at] {
        b'x' => byte.is_ascii_digit(),
        expected => byte == expected,
    };
    if !fits {
        return Err(HopError::Garbage("HTTP/1.1"));
    }
    Ok(if at + 1 == VERSION.len() { Next::Status(0) } else { Next::Version(at + 1) })
}

/// What names of headers are made of (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 4648, 4. Of our own, because a dependency weighs more than these lines; how long it takes
/// tells no more than how long the login is.
fn base64(bytes: &[u8], text: &mut String) {
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = match place > group.len() {
                true => '=',
                false => char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]),
            };
            let _ = text.write_char(letter);
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Any version 1 will do: `x` is a digit.
const VERSION: &[u8] = b"HTTP/1.x ";

/// What a header may have in all, those passed by included: twice what servers send at most.
const SIZE_MAX: usize = 16 * 1024;

/// What of the proxy's own words is kept for the error.
const WORDS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, 10; RFC 7617, 2.
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("test:123\u{a3}", "dGVzdDoxMjPCow=="),
        ] {
            let mut text = String::new();
            base64(plain.as_bytes(), &mut text);
            assert_eq!(text, coded);
        }
        let mut text = String::new();
        base64(&[0xfb, 0xff, 0xfe], &mut text);
        assert_eq!(text, "+//+");
    }
}

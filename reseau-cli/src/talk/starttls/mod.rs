//! Asking a server in its own protocol to speak TLS from here on.
//!
//! A [`Dialogue`] takes bytes and gives bytes, and knows no socket: it goes through a table of
//! steps, each of which [says](Step::Say) something or [reads](reply) an answer. Behind the last
//! answer nothing may have come: whoever is on the way could have put it there, to be taken for
//! something that was said in private.
mod protocol;
mod reply;

use std::fmt;
use std::net::IpAddr;

pub(super) use protocol::Protocol;
use protocol::Step;
use reply::Read;

/// The conversation up to the point where TLS begins.
#[derive(Debug)]
pub(super) struct Dialogue {
    protocol: Protocol,
    /// The steps that are left.
    steps: &'static [Step],
    received: Vec<u8>,
    output: Vec<u8>,
    names: Names,
    /// What was said and heard, for people.
    news: Vec<String>,
    /// The end of the last answer.
    heard: Option<String>,
}

/// Who the two sides are.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The name of the server.
    pub(super) host: String,
    /// The address of this side.
    pub(super) own: Option<IpAddr>,
}

/// Why there is no TLS to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server says no, in these words.
    Refused(String),
    /// The server says what it can do, in these words, and this is not in it.
    NotOffered(String),
    /// The server says something that its protocol has no place for here.
    Unexpected(String),
    /// An answer without an end.
    TooLong,
    /// So many bytes came behind the last answer, in front of TLS.
    Injected(usize),
}

impl Dialogue {
    pub(super) fn new(protocol: Protocol, names: Names) -> Self {
        let (received, output, news) = (Vec::new(), Vec::new(), Vec::new());
        let (steps, heard) = (protocol.steps(), None);
        let mut new = Self { protocol, steps, received, output, names, news, heard };
        new.speak();
        new
    }

    /// What is to be sent now.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What is to be told of it.
    pub(super) fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Goes on with what has come.
    pub(super) fn input(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.received.extend_from_slice(bytes);
        while let Some(Step::Hear(answer)) = self.steps.first() {
            match reply::read(*answer, &self.received)? {
                Read::More if self.received.len() > REPLY_MAX => return Err(Refusal::TooLong),
                Read::More => return Ok(()),
                Read::Whole { length, told, then } => {
                    self.hear(&told);
                    self.received.drain(..length);
                    self.steps = &self.steps[1..];
                    if let Some(bytes) = then {
                        self.news.push(format!("{}: > a request for TLS", self.protocol));
                        self.output.extend(bytes);
                    }
                    self.speak();
                }
            }
        }
        match self.received.len() {
            0 => Ok(()),
            count => Err(Refusal::Injected(count)),
        }
    }

    /// Whether TLS comes next, once all output is sent.
    pub(super) fn is_done(&self) -> bool {
        self.steps.is_empty()
    }

    /// How far it came, for those who do not get an answer.
    pub(super) fn so_far(&self) -> String {
        match (&self.heard, &self.received[..]) {
            (None, []) => "the server has said nothing".to_owned(),
            (Some(heard), []) => format!("the last that the server said: {heard}"),
            (_, begun) => format!("the server began to say: {}", reply::quoted_bytes(begun)),
        }
    }

    fn hear(&mut self, told: &str) {
        let (protocol, count) = (self.protocol, told.lines().count());
        let lines = told.lines().take(LINES_MAX);
        self.news.extend(lines.map(|line| format!("{protocol}: < {line}")));
        if count > LINES_MAX {
            self.news.push(format!("{protocol}: < … and {} lines more", count - LINES_MAX));
        }
        self.heard = told.lines().last().map(str::to_owned);
    }

    fn speak(&mut self) {
        while let Some(Step::Say(words)) = self.steps.first() {
            let bytes = words.bytes(&self.names);
            let told = match std::str::from_utf8(&bytes) {
                Ok(text) if !text.contains('\0') => reply::quoted(text.trim_end()),
                _ => "a request for TLS".to_owned(),
            };
            self.news.push(format!("{}: > {told}", self.protocol));
            self.output.extend(bytes);
            self.steps = &self.steps[1..];
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(words) => write!(f, "the server refuses TLS: {words}"),
            Self::NotOffered(words) => write!(f, "the server does not offer TLS: {words}"),
            Self::Unexpected(words) => write!(f, "the server answers out of turn: {words}"),
            Self::TooLong => write!(f, "the server's answer is longer than {REPLY_MAX} bytes"),
            Self::Injected(count) => write!(
                f,
                "{count} bytes came in plaintext behind the go-ahead, where TLS has to begin: \
                 somebody may have put them there"
            ),
        }
    }
}

/// How long an answer may be: that of SMTP has a line of 512 bytes for each extension.
const REPLY_MAX: usize = 16 << 10;
/// How many of its lines are shown.
const LINES_MAX: usize = 50;

#[cfg(test)]
mod tests;

//! The protocols, and the steps that lead each of them to TLS.
use std::fmt;
use std::net::IpAddr;

use super::Names;
use super::reply::Answer;

/// A protocol that begins in plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Protocol {
    Smtp,
    Imap,
    Pop3,
    Ftp,
    Ldap,
    Xmpp,
    Postgres,
    Mysql,
}

/// One step of a dialogue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Say(Words),
    Hear(Answer),
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Words {
    Text(&'static str),
    Bytes(&'static [u8]),
    /// SMTP's greeting, with this side's address.
    Ehlo,
    /// The head of a stream of XMPP, to the server's name.
    StreamTo,
}

use Answer::{Feature, Greeting, Letter, Plus, Proceed, Result, Tagged, Untagged};
use Step::{Hear, Say};

impl Protocol {
    pub(in super::super) const ALL: [Self; 8] = [
        Self::Smtp,
        Self::Imap,
        Self::Pop3,
        Self::Ftp,
        Self::Ldap,
        Self::Xmpp,
        Self::Postgres,
        Self::Mysql,
    ];

    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Ldap => "ldap",
            Self::Xmpp => "xmpp",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    pub(super) fn steps(self) -> &'static [Step] {
        match self {
            // RFC 3207.
            Self::Smtp => &[
                Hear(Answer::Code("220", None)),
                Say(Words::Ehlo),
                Hear(Answer::Code("250", Some("STARTTLS"))),
                Say(Words::Text("STARTTLS\r\n")),
                Hear(Answer::Code("220", None)),
            ],
            // RFC 3501, 6.2.1.
            Self::Imap => &[Hear(Untagged), Say(Words::Text("a1 STARTTLS\r\n")), Hear(Tagged)],
            // RFC 2595, 4.
            Self::Pop3 => &[Hear(Plus), Say(Words::Text("STLS\r\n")), Hear(Plus)],
            // RFC 4217, 4.1.
            Self::Ftp => &[
                Hear(Answer::Code("220", None)),
                Say(Words::Text("AUTH TLS\r\n")),
                Hear(Answer::Code("234", None)),
            ],
            // RFC 4511, 4.14.
            Self::Ldap => &[Say(Words::Bytes(LDAP_REQUEST)), Hear(Result)],
            // RFC 6120, 5.4.
            Self::Xmpp => &[
                Say(Words::StreamTo),
                Hear(Feature),
                Say(Words::Text("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")),
                Hear(Proceed),
            ],
            // "SSLRequest" among the message formats of PostgreSQL: its length, then 80877103.
            Self::Postgres => {
                &[Say(Words::Bytes(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])), Hear(Letter)]
            }
            // The server speaks first; what it can do decides what is answered.
            Self::Mysql => &[Hear(Greeting)],
        }
    }
}

impl Words {
    pub(super) fn bytes(self, names: &Names) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => bytes.into(),
            // RFC 5321, 4.1.3: who has no name of its own says its address.
            Self::Ehlo => match names.own {
                Some(IpAddr::V4(ip)) => format!("EHLO [{ip}]\r\n"),
                Some(IpAddr::V6(ip)) => format!("EHLO [IPv6:{ip}]\r\n"),
                None => "EHLO localhost\r\n".to_owned(),
            }
            .into(),
            Self::StreamTo => format!(
                "<?xml version='1.0'?><stream:stream to='{}' xmlns='jabber:client' \
                 xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
                escaped(&names.host),
            )
            .into(),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// As the value of an attribute of XML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\'' => safe.push_str("&apos;"),
            '"' => safe.push_str("&quot;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Message 1, an extended request [APPLICATION 23], whose name [0] is that of StartTLS.
const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_says_so() {
        let names = |host: &str, own: Option<&str>| Names {
            host: host.to_owned(),
            own: own.map(|ip| ip.parse().unwrap()),
        };
        let said = |words: Words, names: &Names| String::from_utf8(words.bytes(names)).unwrap();
        for (own, wanted) in [
            (Some("192.0.2.1"), "EHLO [192.0.2.1]\r\n"),
            (Some("2001:db8::1"), "EHLO [IPv6:2001:db8::1]\r\n"),
            (None, "EHLO localhost\r\n"),
        ] {
            assert_eq!(said(Words::Ehlo, &names("x", own)), wanted);
        }
        let stream = said(Words::StreamTo, &names("a'/><b c=\"&", None));
        assert!(stream.contains(" to='a&apos;/&gt;&lt;b c=&quot;&amp;' xmlns="), "{stream}");
    }

    #[test]
    fn the_request_of_ldap_says_its_own_lengths() {
        let (whole, request) = (LDAP_REQUEST.len(), LDAP_REQUEST[1] as usize);
        assert_eq!((whole, LDAP_REQUEST[6] as usize), (request + 2, request - 5));
        assert_eq!(LDAP_REQUEST[8] as usize, whole - 9);
    }
}

//! What two sides are told, and what comes of it.
use std::fmt;

use reseau::tls::{ClientCerts, Version};

use super::papers::{Guest, Shown, Trusted};

/// What two sides are told. The other program's versions are those of the run.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) spoken: Spoken,
    /// We speak no older version.
    pub(crate) oldest: Version,
    pub(crate) shown: Shown,
    /// The server has an identity for [`OTHER`](super::papers::OTHER), too.
    pub(crate) also: bool,
    /// The name that the client asks for.
    pub(crate) asked: &'static str,
    pub(crate) trusted: Trusted,
    /// What the client would speak, what the server would, and what comes of it.
    pub(crate) alpn: (&'static [&'static str], &'static [&'static str], Option<&'static str>),
    pub(crate) ask: Ask,
    pub(crate) guest: Option<Guest>,
    /// A second connection after the first, and whether the session was kept for it.
    pub(crate) again: Option<bool>,
    pub(crate) ending: Ending,
    /// The other program changes its keys in the middle, by this command.
    pub(crate) update: Option<&'static str>,
}

/// The versions that the other program speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// 1.2 in one run, and 1.3 in another.
    Each,
    Only(Version),
    /// 1.1 and 1.0.
    Old,
}

/// How clients are asked for certificates: row N11 of the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    No,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A close_notify from the client, and one from the server in return.
    ClientFirst,
    ServerFirst,
    /// The end of the transport without a word: a process is killed.
    ClientCuts,
    ServerCuts,
}

/// What comes of a case.
#[derive(Clone, Copy)]
pub(crate) enum Cell {
    /// They speak with each other, agree on what is to be agreed on, and see the same end.
    Yes,
    /// We refuse; our error says this.
    We(&'static str),
    /// They refuse, and say so by this alert, in 1.2 and in 1.3.
    They(&'static str, &'static str),
    /// The other program cannot do it.
    Cannot,
}

/// One of several runs of a case.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) case: &'static Case,
    /// What the other program speaks; nothing newer than 1.1 if it is `None`.
    pub(crate) version: Option<Version>,
}

/// What most have in common.
pub(crate) const USUAL: Case = Case {
    spoken: Spoken::Each,
    oldest: Version::Tls12,
    shown: Shown::P256,
    also: false,
    asked: "localhost",
    trusted: Trusted::Issuer,
    alpn: (&[], &[], None),
    ask: Ask::No,
    guest: None,
    again: None,
    ending: Ending::ClientFirst,
    update: None,
};

impl Case {
    pub(crate) fn runs(&'static self) -> Vec<Run> {
        let versions = match self.spoken {
            Spoken::Each => vec![Some(Version::Tls12), Some(Version::Tls13)],
            Spoken::Only(version) => vec![Some(version)],
            Spoken::Old => vec![None],
        };
        versions.into_iter().map(|version| Run { case: self, version }).collect()
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        1 + usize::from(self.again.is_some())
    }

    /// Whether that connection takes up an earlier session.
    pub(crate) fn resumes(&self, connection: usize) -> bool {
        connection > 0 && self.again == Some(true)
    }

    /// What the server shows to who asks for this name.
    pub(crate) fn seen(&self) -> Shown {
        match self.also && self.asked == super::papers::OTHER {
            true => Shown::Other,
            false => self.shown,
        }
    }

    /// Whether the client's certificate gets to the server.
    pub(crate) fn introduces(&self) -> bool {
        self.ask != Ask::No && self.guest.is_some()
    }

    /// The name that is sent (SNI): addresses are not.
    pub(crate) fn sni(&self) -> Option<&'static str> {
        (!self.asked.starts_with("127.")).then_some(self.asked)
    }
}

impl Ask {
    pub(crate) fn of_ours(self) -> ClientCerts {
        let roots = || Trusted::OfGuests.roots();
        match self {
            Self::No => ClientCerts::None,
            Self::Request => ClientCerts::Request,
            Self::RequireAny => ClientCerts::RequireAny,
            Self::VerifyIfGiven => ClientCerts::VerifyIfGiven(roots()),
            Self::RequireAndVerify => ClientCerts::RequireAndVerify(roots()),
        }
    }
}

impl Cell {
    /// The alert that is to be heard in a run.
    pub(crate) fn alert(self, version: Option<Version>) -> Option<&'static str> {
        match (self, version) {
            (Self::They(_, newer), Some(Version::Tls13)) => Some(newer),
            (Self::They(older, _), _) => Some(older),
            _ => None,
        }
    }
}

/// As the page says it.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::We(told) => write!(f, "we refuse: {told}"),
            Self::They(one, other) if one == other => write!(f, "they refuse: {one}"),
            Self::They(older, newer) => write!(f, "they refuse: {older} (1.2), {newer} (1.3)"),
            Self::Cannot => f.write_str("—"),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{version}"),
            None => f.write_str("older versions"),
        }
    }
}

//! The table: what is tried with other people's programs, and what comes of it.
use reseau::tls::Version;

use super::case::Cell::{self, Cannot, They, We, Yes};
use super::case::{Ask, Case, Ending, Spoken, USUAL};
use super::papers::{Guest, OTHER, Shown, Trusted};

/// One of the table's parts.
pub(crate) struct Part {
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Row],
}

/// What is tried, and what comes of it in each column: our client with `s_server` and with
/// Python's, our server with `s_client` and with Python's.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) case: Case,
    pub(crate) cells: [Cell; 4],
}

pub(crate) static PARTS: &[Part] = &[
    Part { title: "Versions and keys", rows: SPOKEN },
    Part { title: "Names and protocols", rows: NAMES },
    Part { title: "Sessions and keys that change", rows: SESSIONS },
    Part { title: "What servers show", rows: SERVERS },
    Part { title: "Clients that are asked for certificates", rows: CLIENTS },
    Part { title: "Ends", rows: ENDS },
];

const fn row(what: &'static str, case: Case, cells: [Cell; 4]) -> Row {
    Row { what, case, cells }
}

/// The same in each column.
const fn all(what: &'static str, case: Case) -> Row {
    row(what, case, [Yes; 4])
}

/// What one side refuses for its own reasons: `we` as clients, and as servers what `they` say.
const fn clients_refuse(
    what: &'static str,
    case: Case,
    we: &'static str,
    they: &'static str,
) -> Row {
    row(what, case, [We(we), We(we), They(they, they), They(they, they)])
}

const fn shown(shown: Shown) -> Case {
    Case { shown, ..USUAL }
}

const TLS12: Spoken = Spoken::Only(Version::Tls12);
const TLS13: Spoken = Spoken::Only(Version::Tls13);

static SPOKEN: &[Row] = &[
    all("1.2, ECDSA P-256", Case { spoken: TLS12, ..USUAL }),
    all("1.2, ECDSA P-384", Case { spoken: TLS12, ..shown(Shown::P384) }),
    all("1.2, RSA", Case { spoken: TLS12, ..shown(Shown::Rsa) }),
    all("1.2, Ed25519", Case { spoken: TLS12, ..shown(Shown::Ed25519) }),
    all("1.3, ECDSA P-256", Case { spoken: TLS13, ..USUAL }),
    all("1.3, ECDSA P-384", Case { spoken: TLS13, ..shown(Shown::P384) }),
    all("1.3, RSA", Case { spoken: TLS13, ..shown(Shown::Rsa) }),
    all("1.3, Ed25519", Case { spoken: TLS13, ..shown(Shown::Ed25519) }),
    row(
        "they speak 1.0 and 1.1 alone",
        Case { spoken: Spoken::Old, ..USUAL },
        [
            They("ProtocolVersion", "ProtocolVersion"),
            They("ProtocolVersion", "ProtocolVersion"),
            We("peer is incompatible"),
            We("peer is incompatible"),
        ],
    ),
    row(
        "they speak 1.2 alone, we 1.3",
        Case { spoken: TLS12, oldest: Version::Tls13, ..USUAL },
        [
            They("ProtocolVersion", "ProtocolVersion"),
            They("ProtocolVersion", "ProtocolVersion"),
            We("peer is incompatible"),
            We("peer is incompatible"),
        ],
    ),
];

static NAMES: &[Row] = &[
    all("ALPN: one in common", Case { alpn: (&["x", "h2"], &["h2", "y"], Some("h2")), ..USUAL }),
    all("ALPN: the client alone names some", Case { alpn: (&["h2"], &[], None), ..USUAL }),
    all("ALPN: the server alone names some", Case { alpn: (&[], &["h2"], None), ..USUAL }),
    row(
        "ALPN: none in common",
        Case { alpn: (&["x"], &["y"], None), ..USUAL },
        [
            They("NoApplicationProtocol", "NoApplicationProtocol"),
            Yes,
            We("peer doesn't support any known protocol"),
            We("peer doesn't support any known protocol"),
        ],
    ),
    all("SNI: a name with an identity of its own", Case { also: true, asked: OTHER, ..USUAL }),
    all("SNI: another name, the first identity", Case { also: true, ..USUAL }),
    all("an address, no SNI", Case { asked: "127.0.0.1", ..shown(Shown::Address) }),
];

static SESSIONS: &[Row] = &[
    all("1.2, taken up again", Case { spoken: TLS12, again: Some(true), ..USUAL }),
    all("1.3, taken up again", Case { spoken: TLS13, again: Some(true), ..USUAL }),
    all("not taken up: we keep none", Case { again: Some(false), ..USUAL }),
    row(
        "1.3, they change their keys",
        Case { spoken: TLS13, update: Some("k"), ..USUAL },
        [Yes, Cannot, Yes, Cannot],
    ),
    row(
        "1.3, they change theirs and ask for ours",
        Case { spoken: TLS13, update: Some("K"), ..USUAL },
        [Yes, Cannot, Yes, Cannot],
    ),
];

static SERVERS: &[Row] = &[
    all("issued by an authority between", shown(Shown::WithBetween)),
    clients_refuse(
        "an authority between that is not shown",
        shown(Shown::WithoutBetween),
        UNKNOWN,
        "UnknownCA",
    ),
    clients_refuse(
        "another name",
        shown(Shown::Other),
        "certificate is not for localhost, but for other.example",
        "BadCertificate",
    ),
    clients_refuse("expired", shown(Shown::Expired), "certificate expired", "CertificateExpired"),
    clients_refuse(
        "not valid yet",
        shown(Shown::NotYet),
        "certificate not valid yet",
        "BadCertificate",
    ),
    clients_refuse(
        "an issuer that is not trusted",
        Case { trusted: Trusted::Others, ..USUAL },
        UNKNOWN,
        "UnknownCA",
    ),
    all("one root of two has issued it", Case { trusted: Trusted::Both, ..USUAL }),
    clients_refuse(
        "the same once that root is taken away",
        Case { trusted: Trusted::Others, ..shown(Shown::WithBetween) },
        UNKNOWN,
        "UnknownCA",
    ),
    clients_refuse("signed by itself", shown(Shown::SelfSigned), UNKNOWN, "UnknownCA"),
    clients_refuse(
        "issued by no authority",
        shown(Shown::ByNobody),
        "certificate: EndEntityUsedAsCa",
        "UnknownCA",
    ),
    clients_refuse(
        "for clients alone",
        shown(Shown::ForClients),
        "certificate is not for server authentication, but for client authentication",
        "UnsupportedCertificate",
    ),
];

const UNKNOWN: &str = "certificate's issuer is not among those that are trusted";

const fn asked(ask: Ask, guest: Option<Guest>) -> Case {
    Case { ask, guest, ..USUAL }
}

/// What a server refuses: what our client hears from `s_server` and from Python, and what our
/// server says.
const fn servers_refuse(
    what: &'static str,
    case: Case,
    [openssl, python]: [Cell; 2],
    we: &'static str,
) -> Row {
    row(what, case, [openssl, python, We(we), We(we)])
}

/// Python has no mode that asks and takes any.
const NOT_PYTHON: [Cell; 4] = [Yes, Cannot, Yes, Yes];
const MISSING: Cell = They("HandshakeFailure", "CertificateRequired");

static CLIENTS: &[Row] = &[
    all("nobody is asked; none", asked(Ask::No, None)),
    all("nobody is asked; known", asked(Ask::No, Some(Guest::Known))),
    all("nobody is asked; foreign", asked(Ask::No, Some(Guest::Foreign))),
    row("requested; none", asked(Ask::Request, None), NOT_PYTHON),
    row("requested; known", asked(Ask::Request, Some(Guest::Known)), NOT_PYTHON),
    row("requested; foreign", asked(Ask::Request, Some(Guest::Foreign)), NOT_PYTHON),
    servers_refuse("any required; none", asked(Ask::RequireAny, None), [MISSING, Cannot], NONE),
    row("any required; known", asked(Ask::RequireAny, Some(Guest::Known)), NOT_PYTHON),
    row("any required; foreign", asked(Ask::RequireAny, Some(Guest::Foreign)), NOT_PYTHON),
    all("verified if given; none", asked(Ask::VerifyIfGiven, None)),
    all("verified if given; known", asked(Ask::VerifyIfGiven, Some(Guest::Known))),
    servers_refuse(
        "verified if given; foreign",
        asked(Ask::VerifyIfGiven, Some(Guest::Foreign)),
        [They("UnknownCA", "UnknownCA"); 2],
        UNKNOWN,
    ),
    servers_refuse(
        "required and verified; none",
        asked(Ask::RequireAndVerify, None),
        [MISSING; 2],
        NONE,
    ),
    all("required and verified; known", asked(Ask::RequireAndVerify, Some(Guest::Known))),
    servers_refuse(
        "required and verified; foreign",
        asked(Ask::RequireAndVerify, Some(Guest::Foreign)),
        [They("UnknownCA", "UnknownCA"); 2],
        UNKNOWN,
    ),
    servers_refuse(
        "required and verified; expired",
        asked(Ask::RequireAndVerify, Some(Guest::Old)),
        [They("CertificateExpired", "CertificateExpired"); 2],
        "certificate expired",
    ),
    servers_refuse(
        "required and verified; for servers alone",
        asked(Ask::RequireAndVerify, Some(Guest::ForServers)),
        [They("UnsupportedCertificate", "UnsupportedCertificate"); 2],
        "certificate is not for client authentication, but for server authentication",
    ),
];

const NONE: &str = "peer sent no certificates";

const fn ending(ending: Ending) -> Case {
    Case { ending, ..USUAL }
}

static ENDS: &[Row] = &[
    all("close_notify, the client's first", ending(Ending::ClientFirst)),
    all("close_notify, the server's first", ending(Ending::ServerFirst)),
    all("the client is cut off without a word", ending(Ending::ClientCuts)),
    all("the server is cut off without a word", ending(Ending::ServerCuts)),
];

//! Who is who: authorities, and what they have issued to servers and to clients.
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rcgen::{DnType, ExtendedKeyUsagePurpose, SanType, SignatureAlgorithm, date_time_ymd};
use reseau::tls::{Identity, Roots};

/// What a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    P256,
    P384,
    Rsa,
    Ed25519,
    /// Of an authority between, which is shown too.
    WithBetween,
    /// The same, and it is not shown.
    WithoutBetween,
    Other,
    Expired,
    NotYet,
    SelfSigned,
    /// By somebody who is no authority.
    ByNobody,
    ForClients,
    /// For 127.0.0.1.
    Address,
}

/// What a client shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    Known,
    Foreign,
    Old,
    ForServers,
}

/// Whom somebody trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// Who issues to servers.
    Issuer,
    /// Somebody else.
    Others,
    Both,
    /// Who issues to clients.
    OfGuests,
}

/// What is wrong with servers: what they show, whom their clients trust, and what the client says.
pub(crate) const WRONG: [(Shown, Trusted, &str); 8] = [
    (Shown::Other, Trusted::Issuer, "is not for localhost, but for other.example"),
    (Shown::Expired, Trusted::Issuer, "certificate expired"),
    (Shown::NotYet, Trusted::Issuer, "not valid yet"),
    (Shown::P256, Trusted::Others, "issuer is not among"),
    (Shown::SelfSigned, Trusted::Issuer, "issuer is not among"),
    (Shown::WithoutBetween, Trusted::Issuer, "issuer is not among"),
    (Shown::ByNobody, Trusted::Issuer, "EndEntityUsedAsCa"),
    (Shown::ForClients, Trusted::Issuer, "is not for server authentication"),
];

/// A chain and its key, as texts.
#[derive(Clone)]
pub(crate) struct Papers {
    pub(crate) chain: String,
    /// Each of the chain.
    pub(crate) der: Vec<Vec<u8>>,
    pub(crate) key: String,
}

impl Papers {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }

    /// What comes after one's own certificate.
    pub(crate) fn rest(&self) -> Option<&str> {
        let at = self.chain[1..].find("-----BEGIN")?;
        Some(&self.chain[1 + at..])
    }
}

impl Shown {
    pub(crate) const ALL: [Self; 13] = [
        Self::P256,
        Self::P384,
        Self::Rsa,
        Self::Ed25519,
        Self::WithBetween,
        Self::WithoutBetween,
        Self::Other,
        Self::Expired,
        Self::NotYet,
        Self::SelfSigned,
        Self::ByNobody,
        Self::ForClients,
        Self::Address,
    ];

    pub(crate) fn papers(self) -> &'static Papers {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap();
        &COURT.servers[at]
    }
}

impl Guest {
    pub(crate) const ALL: [Self; 4] = [Self::Known, Self::Foreign, Self::Old, Self::ForServers];

    pub(crate) fn papers(self) -> &'static Papers {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap();
        &COURT.guests[at]
    }
}

impl Trusted {
    const ALL: [Self; 4] = [Self::Issuer, Self::Others, Self::Both, Self::OfGuests];

    pub(crate) fn pem(self) -> String {
        match self {
            Self::Issuer => COURT.issuer.pem.clone(),
            Self::Others => COURT.stranger.pem.clone(),
            Self::Both => format!("{}{}", COURT.stranger.pem, COURT.issuer.pem),
            Self::OfGuests => COURT.of_guests.pem.clone(),
        }
    }

    pub(crate) fn roots(self) -> Roots {
        Roots::from_pem(self.pem().as_bytes()).unwrap()
    }
}

/// All of them, made once.
struct Court {
    issuer: Authority,
    stranger: Authority,
    of_guests: Authority,
    servers: Vec<Papers>,
    guests: Vec<Papers>,
}

struct Authority {
    pem: String,
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

static COURT: LazyLock<Court> = LazyLock::new(|| {
    let (issuer, stranger) = (Authority::root("servers"), Authority::root("strangers"));
    let of_guests = Authority::root("guests");
    let servers = Shown::ALL.map(|shown| issuer.server(shown)).into();
    let guests = Guest::ALL.map(|guest| match guest {
        Guest::Foreign => stranger.guest(guest),
        _ => of_guests.guest(guest),
    });
    Court { issuer, stranger, of_guests, servers, guests: guests.into() }
});

impl Authority {
    fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = named(name, true);
        let own = params.self_signed(&key).unwrap();
        Self::of(own, Issuer::new(params, key))
    }

    /// Another whom this one has issued a certificate, and who is an authority or not.
    fn below(&self, name: &str, may_issue: bool) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = named(name, may_issue);
        let own = params.signed_by(&key, &self.issuer).unwrap();
        Self::of(own, Issuer::new(params, key))
    }

    fn of(own: Certificate, issuer: Issuer<'static, KeyPair>) -> Self {
        Self { pem: own.pem(), der: own.der().to_vec(), issuer }
    }

    fn server(&self, shown: Shown) -> Papers {
        let key = match shown {
            Shown::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
            Shown::Rsa => KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap(),
            Shown::Ed25519 => KeyPair::from_pem(ED25519).unwrap(),
            _ => KeyPair::generate_for(P256).unwrap(),
        };
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        match shown {
            Shown::Other => {
                let name = OTHER.try_into().unwrap();
                params.subject_alt_names = vec![SanType::DnsName(name)];
            }
            Shown::Address => {
                params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
            }
            Shown::Expired => past(&mut params),
            Shown::NotYet => {
                params.not_before = date_time_ymd(2190, 1, 1);
                params.not_after = date_time_ymd(2200, 1, 1);
            }
            Shown::ForClients => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            _ => {}
        }
        let (own, between) = match shown {
            Shown::SelfSigned => (params.self_signed(&key), None),
            Shown::WithBetween | Shown::WithoutBetween | Shown::ByNobody => {
                let between = self.below("between", shown != Shown::ByNobody);
                let own = params.signed_by(&key, &between.issuer);
                (own, (shown != Shown::WithoutBetween).then_some(between))
            }
            _ => (params.signed_by(&key, &self.issuer), None),
        };
        let own = own.unwrap();
        let rest = between.as_ref().map_or("", |between| &between.pem);
        let chain = own.pem() + rest;
        let der = [own.der().to_vec()].into_iter().chain(between.map(|one| one.der)).collect();
        // The program cannot read keys of this kind that have their public half, too.
        let key = if shown == Shown::Ed25519 { ED25519.into() } else { key.serialize_pem() };
        Papers { chain, der, key }
    }

    fn guest(&self, guest: Guest) -> Papers {
        let key = KeyPair::generate_for(P256).unwrap();
        let mut params = named("guest", false);
        match guest {
            Guest::Known | Guest::Foreign => {}
            Guest::Old => past(&mut params),
            Guest::ForServers => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
        }
        let own = params.signed_by(&key, &self.issuer).unwrap();
        Papers { chain: own.pem(), der: vec![own.der().to_vec()], key: key.serialize_pem() }
    }
}

fn past(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 2, 1);
}

fn named(name: &str, may_issue: bool) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, format!("interop {name}"));
    if may_issue {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// All of it as files, for programs; gone at the end.
pub(crate) struct Desk(PathBuf);

impl Desk {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("reseau-interop-{}-{count}", std::process::id());
        let desk = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&desk.0).unwrap();
        for shown in Shown::ALL {
            desk.put(&format!("{shown:?}"), shown.papers());
        }
        for guest in Guest::ALL {
            desk.put(&format!("{guest:?}"), guest.papers());
        }
        for trusted in Trusted::ALL {
            std::fs::write(desk.0.join(format!("{trusted:?}.pem")), trusted.pem()).unwrap();
        }
        desk
    }

    fn put(&self, name: &str, papers: &Papers) {
        std::fs::write(self.0.join(format!("{name}.pem")), &papers.chain).unwrap();
        std::fs::write(self.0.join(format!("{name}.key")), &papers.key).unwrap();
        if let Some(rest) = papers.rest() {
            std::fs::write(self.0.join(format!("{name}.rest")), rest).unwrap();
        }
    }

    /// Where `P256.pem` is, or `Known.key`, or `Issuer.pem`; `.rest` is a chain without its first.
    pub(crate) fn path(&self, what: impl std::fmt::Debug, kind: &str) -> String {
        self.0.join(format!("{what:?}.{kind}")).to_str().unwrap().to_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The name of a server that is not `localhost`.
pub(crate) const OTHER: &str = "other.example";

static P256: &SignatureAlgorithm = &rcgen::PKCS_ECDSA_P256_SHA256;

/// The example of RFC 8410, 10.3.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

//! What the two sides of a connection agreed upon: [`Session`].
use std::fmt;

use rustls::ProtocolVersion;

/// What two sides of TLS agreed upon in their handshake.
///
/// ```
#[doc = include_str!("pair.txt")]
/// let (one, other) = pair();
/// let session = one.session();
/// assert_eq!(session.version().unwrap().to_string(), "TLS 1.3");
/// assert_eq!(session.cipher(), other.session().cipher());
/// assert_eq!(session.group(), Some("X25519MLKEM768"));
/// assert_eq!((session.alpn(), session.server_name()), (None, None));
/// assert_eq!(session.peer_chain().len(), 1);
/// assert!(!session.is_resumed() && !session.was_retried());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub(super) version: Option<Version>,
    pub(super) cipher: Option<&'static str>,
    pub(super) group: Option<&'static str>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) server_name: Option<String>,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) resumed: bool,
    pub(super) retried: bool,
    pub(super) early: usize,
}

/// A version of TLS. There are older ones, and they are not spoken here.
///
/// ```
#[doc = include_str!("pair.txt")]
/// use reseau::tls::Version;
/// let (identity, roots) = made("localhost");
/// let client = Client::new().trust_only(&roots).newest(Version::Tls12);
/// let (one, _other) = connected(&client, &Server::new(&identity));
/// assert_eq!(one.session().version(), Some(Version::Tls12));
/// assert!(Version::Tls12 < Version::Tls13);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Session {
    /// The version that is spoken.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The cipher suite, by its name in the registry: `TLS13_AES_256_GCM_SHA384`.
    #[must_use]
    pub fn cipher(&self) -> Option<&str> {
        self.cipher
    }

    /// The group of the key exchange, by its name: `X25519MLKEM768`.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.group
    }

    /// The protocol that ALPN chose.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// The name that the client asked for (SNI), at the server's side.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The peer's certificates in DER, its own first. Empty if it showed none.
    pub fn peer_chain(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.chain.iter().map(Vec::as_slice)
    }

    /// At the client's side: how many bytes of [`Side::early`](super::Side::early) the server has
    /// taken before the handshake was done.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let (identity, roots) = made("localhost");
    /// let (one, other) = plain();
    /// let serving = std::thread::spawn(move || other.start_tls(&Server::new(&identity)));
    /// let client = Client::new().trust_only(&roots).resume(Client::SESSIONS);
    /// let one = one.start_tls(client.to("localhost").early("first"))?;
    /// let mut other = serving.join().unwrap()?;
    /// let mut said = [0; 5];
    /// other.read_exact(&mut said)?;
    /// assert_eq!(&said, b"first"); // But not early: this server takes nothing then.
    /// assert_eq!(one.session().early(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn early(&self) -> usize {
        self.early
    }

    /// Whether this is an earlier session that was taken up again.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether the server asked for another group (a HelloRetryRequest), at the price of one more
    /// round trip.
    #[must_use]
    pub fn was_retried(&self) -> bool {
        self.retried
    }
}

impl Version {
    pub(super) fn of(version: ProtocolVersion) -> Option<Self> {
        match version {
            ProtocolVersion::TLSv1_2 => Some(Self::Tls12),
            ProtocolVersion::TLSv1_3 => Some(Self::Tls13),
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

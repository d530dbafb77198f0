//! How an endpoint says what is spoken there.
use std::fmt;

/// What an [`Endpoint`](crate::Endpoint) says that is spoken over its host and port.
///
/// ```
/// use reseau::{Endpoint, addr::Scheme};
/// let endpoint: Endpoint = "tls://example.com:https".parse()?;
/// assert_eq!(endpoint.scheme(), Scheme::Tls);
/// assert_eq!("example.com:https".parse::<Endpoint>()?.scheme(), Scheme::Plain);
/// # Ok::<(), reseau::addr::EndpointError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// Nothing: whatever the one who is asked speaks, as a rule TCP.
    #[default]
    Plain,
    /// `tcp://`
    Tcp,
    /// `udp://`
    Udp,
    /// `tls://`
    Tls,
}

impl Scheme {
    pub(super) fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "tcp" => Self::Tcp,
            "udp" => Self::Udp,
            "tls" => Self::Tls,
            _ => return None,
        })
    }
}

/// With the `://`; nothing for [`Plain`](Self::Plain).
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "",
            Self::Tcp => "tcp://",
            Self::Udp => "udp://",
            Self::Tls => "tls://",
        })
    }
}

//! How an endpoint says that its socket is open already.
use std::fmt;

/// A socket that was open when this program began: an [`Endpoint`](crate::Endpoint) `fd:3` or
/// `systemd:name`.
///
/// ```
/// use reseau::{Endpoint, addr::Inherited};
/// let endpoint: Endpoint = "fd:3".parse()?;
/// assert_eq!(endpoint.inherited(), Some(&Inherited::Fd(3)));
/// # Ok::<(), reseau::addr::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Inherited {
    /// A descriptor, by its number.
    Fd(u32),
    /// A descriptor that systemd passed, by the name in its unit (`FileDescriptorName=`).
    Systemd(Box<str>),
}

impl fmt::Display for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fd(number) => write!(f, "fd:{number}"),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

//! Which families of addresses are wanted, and which of them first.
use std::io;

use super::IpFamily;

/// Which of IPv4 and IPv6 may be used, and which is preferred. At least one always is.
///
/// ```
/// use reseau::dns::{Families, IpFamily};
/// assert_eq!(Families::default().first(), IpFamily::V6);
/// assert_eq!(Families::V4First.second(), Some(IpFamily::V6));
/// assert!(!Families::V4Only.allows(IpFamily::V6));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Families {
    /// Both, IPv6 first: what RFC 6724 and RFC 8305 want.
    #[default]
    V6First,
    /// Both, IPv4 first.
    V4First,
    /// IPv6 alone.
    V6Only,
    /// IPv4 alone.
    V4Only,
}

impl Families {
    /// From three switches, as configurations have them.
    ///
    /// ```
    /// use reseau::dns::Families;
    /// assert_eq!(Families::from_switches(true, true, false)?, Families::V4Only);
    /// assert!(Families::from_switches(true, false, false).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if neither family is allowed.
    pub fn from_switches(prefer_v6: bool, allow_v4: bool, allow_v6: bool) -> io::Result<Self> {
        match (allow_v4, allow_v6) {
            (true, true) if prefer_v6 => Ok(Self::V6First),
            (true, true) => Ok(Self::V4First),
            (true, false) => Ok(Self::V4Only),
            (false, true) => Ok(Self::V6Only),
            (false, false) => {
                let what = "no family of addresses is allowed: at least one must be";
                Err(io::Error::new(io::ErrorKind::InvalidInput, what))
            }
        }
    }

    /// The preferred family.
    #[must_use]
    pub fn first(self) -> IpFamily {
        match self {
            Self::V6First | Self::V6Only => IpFamily::V6,
            Self::V4First | Self::V4Only => IpFamily::V4,
        }
    }

    /// The other family, if it is allowed.
    #[must_use]
    pub fn second(self) -> Option<IpFamily> {
        match self {
            Self::V6First => Some(IpFamily::V4),
            Self::V4First => Some(IpFamily::V6),
            Self::V6Only | Self::V4Only => None,
        }
    }

    /// Whether that family may be used.
    #[must_use]
    pub fn allows(self, family: IpFamily) -> bool {
        self.first() == family || self.second() == Some(family)
    }

    /// What both allow, in the order of `self`; `None` if that is nothing.
    ///
    /// ```
    /// use reseau::dns::Families;
    /// assert_eq!(Families::V4First.and(Families::V6Only), Some(Families::V6Only));
    /// assert_eq!(Families::V4First.and(Families::V6First), Some(Families::V4First));
    /// assert_eq!(Families::V4Only.and(Families::V6Only), None);
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        let both = |family| self.allows(family) && other.allows(family);
        match (both(IpFamily::V4), both(IpFamily::V6)) {
            (true, true) => Some(self),
            (true, false) => Some(Self::V4Only),
            (false, true) => Some(Self::V6Only),
            (false, false) => None,
        }
    }

    /// The families that are allowed, in order.
    pub fn iter(self) -> impl Iterator<Item = IpFamily> {
        [Some(self.first()), self.second()].into_iter().flatten()
    }
}

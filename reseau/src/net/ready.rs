//! What a caller may wait for, and what there is.
use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// What to wait for, in [`Stream::ready`](crate::net::Stream::ready).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

/// What a stream is ready for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ready(u8);

impl Interest {
    /// Bytes to read, or the end.
    pub const READABLE: Self = Self(1);
    /// Room to write, or the news that writing is over.
    pub const WRITABLE: Self = Self(2);

    /// Whether it includes reading.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0 & Self::READABLE.0 != 0
    }

    /// Whether it includes writing.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0 & Self::WRITABLE.0 != 0
    }

    /// Both of these.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // As tokio's, and `|` is there too.
    pub const fn add(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This without `other`; `None` if nothing remains.
    #[must_use]
    pub fn remove(self, other: Self) -> Option<Self> {
        Some(Self(self.0 & !other.0)).filter(|left| left.0 != 0)
    }
}

impl Ready {
    /// Nothing.
    pub const EMPTY: Self = Self(0);
    /// There is something to read.
    pub const READABLE: Self = Self(1);
    /// There is room to write.
    pub const WRITABLE: Self = Self(2);
    /// Nothing more will come.
    pub const READ_CLOSED: Self = Self(4);
    /// Nothing more can be written.
    pub const WRITE_CLOSED: Self = Self(8);
    /// All of them.
    pub const ALL: Self = Self(15);

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether reading gives something: bytes, the end, or an error.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0 & (Self::READABLE.0 | Self::READ_CLOSED.0) != 0
    }

    /// Whether writing does something: takes bytes, or fails.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0 & (Self::WRITABLE.0 | Self::WRITE_CLOSED.0) != 0
    }

    /// Whether nothing more will come.
    #[must_use]
    pub const fn is_read_closed(self) -> bool {
        self.0 & Self::READ_CLOSED.0 != 0
    }

    /// Whether nothing more can be written.
    #[must_use]
    pub const fn is_write_closed(self) -> bool {
        self.0 & Self::WRITE_CLOSED.0 != 0
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Ready {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Ready {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.is_readable(), self.is_writable()) {
            (true, true) => "READABLE | WRITABLE",
            (true, false) => "READABLE",
            (false, _) => "WRITABLE",
        })
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("is_readable", &self.is_readable())
            .field("is_writable", &self.is_writable())
            .field("is_read_closed", &self.is_read_closed())
            .field("is_write_closed", &self.is_write_closed())
            .finish()
    }
}

//! The table of options: what a row says, and what is made of it.
use std::io;

use super::{ip, socket, tcp, udp};
use crate::error::{Error, Operation};
use crate::sys::option::{Place, named};

/// What there is to say of an option: a line of `docs/options.md`.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub(super) name: &'static str,
    pub(super) value: &'static str,
    pub(super) doc: &'static str,
    pub(super) get: &'static str,
    pub(super) set: &'static str,
    pub(super) place: &'static Place,
}

/// Every option there is.
///
/// ```
/// let row = reseau::opt::table().find(|row| row.name() == "Nodelay").unwrap();
/// assert_eq!((row.value(), row.get(), row.set()), ("bool", "Tcp", "Tcp"));
/// assert!(row.is_here());
/// ```
pub fn table() -> impl Iterator<Item = &'static Row> {
    [socket::ROWS, tcp::ROWS, ip::ROWS, udp::ROWS].into_iter().flatten()
}

impl Row {
    /// The name of the type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The type of the value.
    #[must_use]
    pub fn value(&self) -> &'static str {
        self.value
    }

    /// What it does.
    #[must_use]
    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    /// The group of [`fits`](super::fits) on which it can be read: `Socket` is all, and nothing
    /// is none.
    #[must_use]
    pub fn get(&self) -> &'static str {
        self.get
    }

    /// The group of [`fits`](super::fits) on which it can be set.
    #[must_use]
    pub fn set(&self) -> &'static str {
        self.set
    }

    /// The systems that have it: `everywhere`, `unix`, or names.
    #[must_use]
    pub fn systems(&self) -> &'static [&'static str] {
        self.place.systems
    }

    /// Whether the system that this program was built for has it. An older kernel may not.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.place.keys.is_some()
    }

    /// Whether a simulated socket has it.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.place.simulated.is_some()
    }
}

/// Options: for each its page, its type, the groups that can read and set it, where it is kept,
/// and how it is written there. Before them, in brackets, what is derived for them.
macro_rules! options {
    ($($derived:tt { $(
        $(#[doc = $doc:literal])+
        $option:ident($value:ty) $(get $get:ident)? $(set $set:ident)?
            at $place:ident as $codec:expr;
    )+ })+) => {
        $($(
            $(#[doc = $doc])+
            ///
            $(#[doc = concat!("Read on [`", stringify!($get), "`].")])?
            $(#[doc = concat!("Set on [`", stringify!($set), "`].")])?
            #[derive $derived]
            pub struct $option(
                /// The value.
                pub $value,
            );

            $(
                impl<S: $get> Get<S> for $option {}

                impl sealed::Read for $option {
                    fn read(socket: Lent<'_>) -> io::Result<Self> {
                        let (codec, place) = (&$codec, &places::$place);
                        let read = Decode::<$value>::read(codec, socket.0, place);
                        read.map(Self).map_err(|error| unread(stringify!($option), error))
                    }
                }
            )?

            $(
                impl<S: $set> Set<S> for $option {}

                impl sealed::Write for $option {
                    fn write(self, socket: Lent<'_>) -> io::Result<()> {
                        let (codec, place) = (&$codec, &places::$place);
                        let written = Encode::<$value>::write(codec, socket.0, place, self.0);
                        written.map_err(|error| unset(stringify!($option), error))
                    }
                }
            )?
        )+)+

        /// The options of this file.
        pub(super) const ROWS: &[Row] = &[$($(Row {
            name: stringify!($option),
            value: stringify!($value),
            doc: concat!($($doc),+),
            get: concat!($(stringify!($get))?),
            set: concat!($(stringify!($set))?),
            place: &places::$place,
        },)+)+];
    };
}

/// The calls of a type that has options, at the end of its file: the type, and how to reach its
/// socket. What fits it says [`fits!`].
macro_rules! has_options {
    ([$($generics:tt)*] $type:ty, $this:ident => $on:expr) => {
        impl<$($generics)*> $type {
            /// Sets an option: those of [`opt`](crate::opt) that fit this socket.
            ///
            /// # Errors
            /// `Unsupported`, `InvalidInput` or `PermissionDenied`, with the option's name in it;
            /// else the system's.
            pub fn set<O: $crate::opt::Set<Self>>(&self, option: O) -> std::io::Result<()> {
                $crate::opt::Socket::set(self, option)
            }

            /// Reads an option: those of [`opt`](crate::opt) that fit this socket.
            ///
            /// # Errors
            /// `Unsupported`, with the option's name in it; else the system's.
            pub fn get<O: $crate::opt::Get<Self>>(&self) -> std::io::Result<O> {
                $crate::opt::Socket::get(self)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<$($generics)*> $crate::opt::Socket for $type {}

        #[diagnostic::do_not_recommend]
        impl<$($generics)*> $crate::opt::sealed::Lends for $type {
            fn lend(&self) -> $crate::opt::sealed::Lent<'_> {
                let $this = self;
                $crate::opt::sealed::Lent($on)
            }
        }
    };
}

/// Calls that read and set an option by the names that others have for it.
macro_rules! named_options {
    ($type:ty, $this:ident => $socket:expr;
     $($(#[$doc:meta])* $get:ident, $set:ident: $value:ty => $read:ident, $write:ident;)*) => {
        impl $type {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// The system's; `Unsupported` where it has no such option.
            pub fn $set(&self, value: $value) -> std::io::Result<()> {
                let $this = self;
                $socket.$write(value)
            }

            #[doc = concat!("What [`", stringify!($set), "`](Self::", stringify!($set), ") set.")]
            ///
            /// # Errors
            /// The system's; `Unsupported` where it has no such option.
            pub fn $get(&self) -> std::io::Result<$value> {
                let $this = self;
                $socket.$read()
            }
        )*}
    };
}

/// The groups of [`fits`](super::fits) that types are in, beside [`Socket`](super::Socket).
macro_rules! fits {
    ($($type:ty: $($group:ident)+;)+) => {
        $($(
            #[diagnostic::do_not_recommend] // Who is not in it does not want to hear who is.
            impl $crate::opt::fits::$group for $type {}
        )+)+
    };
}

/// What is said of an option that could not be read, and of one that could not be set.
pub(super) fn unread(option: &str, error: io::Error) -> io::Error {
    Error::new(Operation::GetOption, named(error)).target(option).into()
}

pub(super) fn unset(option: &str, error: io::Error) -> io::Error {
    Error::new(Operation::SetOption, named(error)).target(option).into()
}

pub(super) use options;
pub(crate) use {fits, has_options, named_options};

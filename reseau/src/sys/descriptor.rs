//! The traits by which std lends and gives away descriptors, for the types of the floors above.
//!
//! They are made by macro because one of them has an `unsafe fn`, and that word stays in this room.

/// `AsFd` and `AsRawFd` (on Windows `AsSocket` and `AsRawSocket`) for a type that has
/// `fn socket(&self) -> &OsSocket`.
macro_rules! borrows_descriptor {
    ($type:ty) => {
        #[cfg(unix)]
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket().as_fd()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket().as_raw_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $type {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.socket().as_socket()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $type {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                self.socket().as_raw_socket()
            }
        }
    };
}

/// `From` and `Into` of owned and raw descriptors for a type that has
/// `fn from_socket(OsSocket) -> Self` and `fn into_socket(self) -> OsSocket`.
macro_rules! owns_descriptor {
    ($type:ty) => {
        #[cfg(unix)]
        $crate::sys::owns_descriptor!(
            $type, std::os::fd::OwnedFd,
            FromRawFd::from_raw_fd, IntoRawFd::into_raw_fd, std::os::fd::RawFd, std::os::fd
        );
        #[cfg(windows)]
        $crate::sys::owns_descriptor!(
            $type, std::os::windows::io::OwnedSocket,
            FromRawSocket::from_raw_socket, IntoRawSocket::into_raw_socket,
            std::os::windows::io::RawSocket, std::os::windows::io
        );
    };
    (
        $type:ty, $owned:path,
        $from_trait:ident :: $from:ident, $into_trait:ident :: $into:ident,
        $raw:path, $($io:ident)::+
    ) => {
        impl From<$owned> for $type {
            fn from(owned: $owned) -> Self {
                Self::from_socket(owned.into())
            }
        }

        impl From<$type> for $owned {
            fn from(value: $type) -> Self {
                value.into_socket().into()
            }
        }

        impl $($io)::+::$into_trait for $type {
            fn $into(self) -> $raw {
                self.into_socket().$into()
            }
        }

        #[allow(unsafe_code)]
        impl $($io)::+::$from_trait for $type {
            // SAFETY: the trait's own contract, handed on.
            unsafe fn $from(raw: $raw) -> Self {
                // SAFETY: the caller answers for it: `raw` is open, a socket, and his to give.
                Self::from_socket(unsafe { $crate::sys::OsSocket::$from(raw) })
            }
        }
    };
}

/// `TryFrom` and `TryInto` of owned descriptors: `$from` is `fn(OsSocket) -> io::Result<Self>`,
/// `$into` the way back.
macro_rules! adopts_descriptor {
    ([$($generics:tt)*] $type:ty, $from:expr, $into:expr) => {
        #[cfg(unix)]
        $crate::sys::adopts_descriptor!(
            @ [$($generics)*] $type, $from, $into, std::os::fd::OwnedFd
        );
        #[cfg(windows)]
        $crate::sys::adopts_descriptor!(
            @ [$($generics)*] $type, $from, $into, std::os::windows::io::OwnedSocket
        );
    };
    (@ [$($generics:tt)*] $type:ty, $from:expr, $into:expr, $owned:path) => {
        impl<$($generics)*> TryFrom<$owned> for $type {
            type Error = std::io::Error;

            /// Looks whether it is one, and takes it.
            fn try_from(owned: $owned) -> std::io::Result<Self> {
                let from = $from;
                from($crate::sys::OsSocket::from(owned))
            }
        }

        impl<$($generics)*> TryFrom<$type> for $owned {
            type Error = std::io::Error;

            fn try_from(socket: $type) -> std::io::Result<Self> {
                let into = $into;
                into(socket).map(Into::into)
            }
        }
    };
}

pub(crate) use {adopts_descriptor, borrows_descriptor, owns_descriptor};

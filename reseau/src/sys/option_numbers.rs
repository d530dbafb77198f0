//! The system's numbers for families, ways to send, protocols and the oldest option, for those
//! who say them themselves.
#![allow(clippy::unnecessary_cast)] // They are of several types, as the system likes.
use super::system::c;

macro_rules! numbers {
    ($($name:ident)+) => {$(
        pub(crate) const $name: i32 = c::$name as i32;
    )+};
}

numbers! {
    AF_INET AF_INET6 AF_UNIX
    SOCK_STREAM SOCK_DGRAM
    IPPROTO_TCP IPPROTO_UDP
    SOL_SOCKET SO_REUSEADDR
}

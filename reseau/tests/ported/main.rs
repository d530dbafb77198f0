//! Programs as their authors wrote them for `std::net`, `std::os::unix::net` and `tokio::net`,
//! each of them compiled twice: with the author's `use` lines, and with ours in their place.
//!
//! A program says `use super::net::…` (and `super::unix`, `super::io`); what that is, the modules
//! below decide, and nothing else differs. What it asserts must hold in both. Those for tokio run
//! on both of its schedulers; they need the feature of that name.
#![allow(clippy::duplicate_mod)] // Twice is the point.
#![allow(clippy::disallowed_methods)] // Programs look at the clock, and sleep.

#[path = "../watchdog/mod.rs"]
mod watchdog;

/// A test for each program.
macro_rules! thread_tests {
    ($($(#[$cfg:meta])* $program:ident)*) => {$(
        $(#[$cfg])*
        #[test]
        fn $program() {
            let name = concat!(module_path!(), "::", stringify!($program));
            crate::watchdog::watched(name, || $program::main().unwrap());
        }
    )*};
}

/// Two tests for each program.
#[cfg(feature = "tokio")]
macro_rules! task_tests {
    ($($(#[$cfg:meta])* $program:ident)*) => {
        mod multi_thread {$(
            $(#[$cfg])*
            #[test]
            fn $program() {
                #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
                async fn run() {
                    super::$program::main().await.unwrap();
                }
                let name = concat!(module_path!(), "::", stringify!($program));
                crate::watchdog::watched(name, run);
            }
        )*}

        mod current_thread {$(
            $(#[$cfg])*
            #[test]
            fn $program() {
                #[tokio::main(flavor = "current_thread")]
                async fn run() {
                    super::$program::main().await.unwrap();
                }
                let name = concat!(module_path!(), "::", stringify!($program));
                crate::watchdog::watched(name, run);
            }
        )*}
    };
}

/// As written.
#[path = "programs"]
mod std_net {
    use std::net;
    #[cfg(unix)]
    use std::os::unix::net as unix;

    #[path = "std_datagrams/mod.rs"]
    mod datagrams;
    #[path = "std/mod.rs"]
    mod programs;
}

/// After changing the `use` lines.
#[path = "programs"]
mod reseau_blocking {
    use reseau::blocking as net;
    #[cfg(unix)]
    use reseau::blocking::unix;

    #[path = "std_datagrams/mod.rs"]
    mod datagrams;
    #[path = "std/mod.rs"]
    mod programs;
}

/// As written.
#[cfg(feature = "tokio")]
#[path = "programs"]
mod tokio_net {
    use tokio::{io, net};

    #[path = "tokio_datagrams/mod.rs"]
    mod datagrams;
    #[path = "tokio/mod.rs"]
    mod programs;
}

/// After changing the `use` lines.
#[cfg(feature = "tokio")]
#[allow(unused_imports)] // `read_exact` is the socket's own: some need no `AsyncReadExt` for it.
#[path = "programs"]
mod reseau_net {
    // `Interest` and `Ready` are beside the sockets here.
    use reseau::{net, net as io};

    #[path = "tokio_datagrams/mod.rs"]
    mod datagrams;
    #[path = "tokio/mod.rs"]
    mod programs;
}

//! Sockets that live on one loop and are used from other threads, by executors that know nothing
//! of loops: each body on io_uring and on readiness, with and without direct sends.
//!
//! Where io_uring cannot be used those tests are skipped, and say so; `RESEAU_REQUIRE=uring` makes
//! that a failure.
#![cfg(feature = "async")]
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.
// Where tests are left out, what they use stays.
#![cfg_attr(not(target_os = "linux"), allow(unused_imports, dead_code))]

mod afar;
mod echo;
mod ends;
mod exit;
mod hostile;
mod order;
mod program;
mod stage;
#[path = "../watchdog/mod.rs"]
mod watchdog;

/// The tests of a file, on each backend, in each way of sending.
macro_rules! foreign {
    ($($name:ident),* $(,)?) => {
        $crate::on_loop! { uring, Uring, false; $($name),* }
        $crate::on_loop! { uring_direct, Uring, true; $($name),* }
        $crate::on_loop! { ready, Ready, false; $($name),* }
        $crate::on_loop! { ready_direct, Ready, true; $($name),* }
    };
}

macro_rules! on_loop {
    ($way:ident, $kind:ident, $direct:expr; $($name:ident),*) => {
        mod $way {
            $(
                #[test]
                fn $name() {
                    let name = concat!(module_path!(), "::", stringify!($name));
                    $crate::stage::on(reseau::Kind::$kind, $direct, name, super::$name);
                }
            )*
        }
    };
}

use {foreign, on_loop};

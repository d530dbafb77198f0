//! One contract, every backend: each body runs unchanged on io_uring, on readiness, and in the
//! simulator. Bodies that need a real peer or a real process run on the first two.
//!
//! Where io_uring cannot be used those tests are skipped, and say so; `RESEAU_REQUIRE=uring` makes
//! that a failure.
#![cfg(feature = "async")]
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.
// Where tests are left out, what they use stays.
#![cfg_attr(not(target_os = "linux"), allow(unused_imports, dead_code))]

mod alone;
mod bounds;
mod closing;
mod datagrams;
mod deadlines;
mod dialling;
mod drop_points;
mod dropping;
mod echo;
mod ending;
#[cfg(unix)]
mod exhaustion;
mod fairness;
mod families;
mod futures;
mod halves;
mod listening;
mod moving;
mod names;
#[cfg(feature = "tls")]
mod over_tls;
mod own_calls;
mod packets;
#[cfg(unix)]
mod passing;
mod peers;
mod proxies;
#[cfg(unix)]
mod records;
mod refusal;
mod simulated;
mod stage;
mod teardown;
#[path = "../watchdog/mod.rs"]
mod watchdog;

/// The tests of a file, on each backend.
///
/// Some of them are not played over TLS (`over_tls`): those are `plain`, for a reason.
macro_rules! everywhere {
    (
        $($(#[$when:meta])? $name:ident),* $(,)?
        $(; plain $why:literal: $($(#[$if:meta])? $plain:ident),* $(,)?)*
    ) => {
        $crate::on_backends! {
            uring: Uring, ready: Ready, sim: Sim;
            $($(#[$when])? $name,)* $($($(#[$if])? $plain,)*)*
        }
    };
}

/// The tests of a file that need a real kernel.
macro_rules! on_kernels {
    (
        $($(#[$when:meta])? $name:ident),* $(,)?
        $(; plain $why:literal: $($(#[$if:meta])? $plain:ident),* $(,)?)*
    ) => {
        $crate::on_backends! {
            uring: Uring, ready: Ready;
            $($(#[$when])? $name,)* $($($(#[$if])? $plain,)*)*
        }
    };
}

macro_rules! on_backends {
    (
        $backend:ident: $kind:ident $(, $more:ident: $kinds:ident)*;
        $($(#[$when:meta])? $name:ident,)*
    ) => {
        mod $backend {
            $(
                $(#[$when])?
                #[test]
                fn $name() {
                    let name = concat!(module_path!(), "::", stringify!($name));
                    $crate::stage::on(reseau::Kind::$kind, name, super::$name);
                }
            )*
        }
        $crate::on_backends! { $($more: $kinds),*; $($(#[$when])? $name,)* }
    };
    (; $($(#[$when:meta])? $name:ident,)*) => {};
}

use {everywhere, on_backends, on_kernels};

//! Dialling through broken networks: RFC 8305 in the simulator, to the millisecond, against its own
//! arithmetic; the same networks made of the kernel's own means, where one may make them.
#![cfg(feature = "async")]
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.

mod networks;
mod plot;
mod proxies;
mod simulated;
#[cfg(target_os = "linux")]
mod spaces;
mod threads;
#[path = "../watchdog/mod.rs"]
mod watchdog;

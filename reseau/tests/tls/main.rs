//! TLS: streams of threads and of tasks, and other people's programs.
#![cfg(feature = "tls")]
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.

#[cfg(feature = "async")]
mod backends;
#[cfg(feature = "async")]
mod checks;
mod config;
#[cfg(feature = "async")]
mod cuts;
#[cfg(feature = "async")]
mod dialling;
mod early;
mod handles;
#[cfg(feature = "async")]
mod interleavings;
mod interop;
#[cfg(feature = "async")]
mod listening;
mod listening_threads;
#[cfg(feature = "async")]
mod maybe;
#[cfg(feature = "async")]
mod peers;
mod refusals;
mod reload;
#[cfg(feature = "async")]
mod simulated;
mod stage;
mod strangers;
#[cfg(feature = "async")]
mod surface;
#[cfg(feature = "futures-io")]
mod tasks;
mod threads;
mod unread;

//! TLS 1.2 and 1.3, on rustls: configurations as values, and what was agreed upon.
//!
//! A [`Client`] says whom to trust and who one is; a [`Server`] says who one is and whom to ask.
//! Both are values, cheap to clone, and good for any number of connections. Streams take them:
//! [`Stream::start_tls`](crate::Stream::start_tls), and
//! [`blocking::Stream::start_tls`](crate::blocking::Stream::start_tls) for threads.
//!
//! **By default everything is checked**: a client trusts what the system trusts, through the
//! system's own verifier where it has one, and asks for the name it was given; versions before 1.2
//! are not spoken. What is checked, and how, is rustls's.
//!
//! **The end is told from a cut.** A peer that is done says so (close_notify). A connection that
//! ends without it reads as an error, [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof), because
//! what came may be a part of what was sent: [`Broken::is_truncation`].
//!
//! **In a [simulated world](crate::sim)** keys come from its seed and dates from its calendar, so
//! that the same seed is the same run: [`World::date`](crate::sim::World::date).
#![doc = include_str!("threads.md")]
#[cfg(feature = "async")]
mod calls;
pub(crate) mod chance;
mod choice;
mod client;
#[cfg(feature = "async")]
mod closing;
#[cfg(feature = "async")]
mod compat;
#[cfg(feature = "async")]
mod core;
pub(crate) mod engine;
#[cfg(all(any(test, fuzzing), feature = "async"))]
pub(crate) mod engine_model;
mod error;
#[cfg(feature = "async")]
mod facts;
mod identity;
#[cfg(feature = "async")]
mod link;
#[cfg(feature = "async")]
mod listener;
pub(crate) mod listening;
#[cfg(feature = "async")]
mod maybe;
#[cfg(feature = "async")]
mod maybe_compat;
mod pem;
#[cfg(feature = "async")]
mod played;
#[cfg(feature = "async")]
mod room;
mod roots;
#[cfg(feature = "async")]
mod sealed;
mod server;
mod session;
mod sessions;
mod side;
#[cfg(feature = "async")]
mod split;
#[cfg(feature = "async")]
mod stream;
mod system;
mod tickets;
mod unchecked;
mod unfit;
mod witness;

pub use client::Client;
pub use error::{Broken, Role};
pub use identity::Identity;
#[cfg(feature = "async")]
pub use listener::TlsListener;
pub use listening::Failure;
#[cfg(feature = "async")]
pub use maybe::{MaybeReadHalf, MaybeTls, MaybeTlsListener, MaybeWriteHalf};
pub use roots::Roots;
pub use server::{ClientCerts, Server};
pub use session::{Session, Version};
pub use side::Side;
#[cfg(feature = "async")]
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
#[cfg(feature = "async")]
pub use stream::TlsStream;
pub use unfit::Unfit;

use std::io;

use chance::{calendar, provider};

/// What is wrong with what one was given, as an error.
fn unfit(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

//! Names: hosts into addresses and back, services into ports and back, and what this machine is
//! called. Nothing here blocks a loop, and a deadline is kept even where the system's resolver
//! does not return.
//!
//! A [`Resolver`] is a value made of layers. At the bottom stands what knows: the system, name
//! servers, a table, or a function of yours; above it what many share: one lookup for all who ask
//! at the same time, and a memory of what was answered.
//!
//! ```
//! # #[cfg(feature = "async")]
//! # fn main() -> std::io::Result<()> {
//! use reseau::Resolver;
//! use std::time::Duration;
//!
//! let resolver = Resolver::default();
//! reseau::block_on(async {
//!     let found = resolver.lookup("localhost").limit(Duration::from_secs(5)).await?;
//!     assert!(found.iter().all(|ip| ip.is_loopback()));
//!     Ok(())
//! })
//! # }
//! # #[cfg(not(feature = "async"))]
//! # fn main() {}
//! ```
//!
//! Threads wait instead of awaiting:
//!
//! ```
//! use reseau::Resolver;
//! let ip = std::net::IpAddr::from([192, 0, 2, 7]);
//! let resolver = Resolver::fixed([("db.internal", [ip])]);
//! assert_eq!(resolver.lookup("db.internal").wait()?, [ip]);
//! let error = resolver.lookup("db.external").wait().unwrap_err();
//! assert_eq!(reseau::dns::LookupError::of(&error).unwrap().cause(), reseau::dns::Cause::NotFound);
//! # Ok::<(), std::io::Error>(())
//! ```
#![doc = include_str!("examples.md")]
mod cache;
mod cached;
mod either;
mod error;
mod families;
mod flight;
mod lookup;
mod machine;
mod message;
mod query;
mod realm;
mod reply;
mod resolver;
mod servers;
pub mod services;
mod source;

pub use cache::CacheConfig;
pub use error::{Cause, LookupError};
pub use families::Families;
#[cfg(feature = "async")]
pub use lookup::Looking;
pub use lookup::Lookup;
pub use machine::{Interface, InterfaceAddr, host_name, interfaces, ip_addr, ip_addrs};
#[cfg(fuzzing)]
pub(crate) use message::fuzz as fuzz_message;
pub use query::{Answer, IpFamily, Query, Source};
pub(crate) use reply::Pending;
pub use resolver::{Counters, Resolver};

/// Whether this thread runs a simulated loop, which stands still while the thread waits.
pub(crate) fn in_world() -> bool {
    realm::Realm::here().is_simulated()
}

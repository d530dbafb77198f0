//! Reaching the other end, whatever the network does: names and addresses raced, proxies on the
//! way, and a report of what was tried.
//!
//! `reseau::connect("example.com:https")` (in threads:
//! [`blocking::connect`](crate::blocking::connect())) does what RFC 8305 ("Happy Eyeballs") says:
//!
//! - the addresses of IPv6 and those of IPv4 are asked for at the same time. The first IPv6 address
//!   is tried as soon as it is known; IPv4, when it is known first, waits 50 ms for it;
//! - the families take turns. An attempt that does not connect within 250 ms goes on, and beside it
//!   the next one starts; when the latest attempt fails, the next one starts at once;
//! - the first connection wins, and all others are closed.
//!
//! One deadline holds for everything together. `docs/dialling.md` shows, for many a broken network,
//! when a connection is there.
//!
//! ```
//! use reseau::{Resolver, blocking};
//! use std::time::Duration;
//!
//! let listener = blocking::TcpListener::bind("127.0.0.1:0")?;
//! let addr = listener.local_addr()?;
//! // Nobody answers at the first address, and nobody waits long for that.
//! let nobody = "127.0.0.2".parse().unwrap();
//! let resolver = Resolver::fixed([("db.internal", [nobody, addr.ip()])]);
//! let (stream, report) = blocking::connect(("db.internal", addr.port()))
//!     .resolver(&resolver)
//!     .limit(Duration::from_secs(5))
//!     .wait_with_report()?;
//! assert_eq!(report.won().unwrap().addr(), &addr.into());
//! println!("{report}");
//! # Ok::<(), std::io::Error>(())
//! ```
#![cfg_attr(feature = "async", doc = include_str!("listening.md"))]
mod berth;
#[cfg(feature = "async")]
mod connect;
mod course;
mod hop;
mod http_connect;
#[cfg(feature = "async")]
mod listen;
#[cfg(all(feature = "tls", feature = "async"))]
mod listen_tls;
mod plan;
mod proxy;
mod race;
mod report;
mod socks5;
#[cfg(all(feature = "tls", feature = "async"))]
mod tls;

#[cfg(feature = "async")]
pub use connect::{Connect, Connecting, connect};
pub use hop::{Hop, HopError, SocksReply};
#[cfg(feature = "async")]
pub use listen::{Listen, ListenAny, Opening, listen, listen_any};
#[cfg(all(feature = "tls", feature = "async"))]
pub use listen_tls::ListenTls;
pub use plan::Unconnected;
pub use proxy::{Proxy, ProxyError, ProxyKind};
pub use report::{AttemptRecord, DialReport, HopRecord, LookupRecord, News, Outcome};
#[cfg(all(feature = "tls", feature = "async"))]
pub use tls::ConnectTls;

pub(crate) use berth::{Aim, Berth, words as berth_words};
pub(crate) use course::{Attempt, Course, Door, Failure, late};
pub(crate) use plan::{Plan, words};

//! Reaching the other end: proxies on the way.
mod hop;
mod http_connect;
mod proxy;
mod socks5;

pub use hop::{Hop, HopError, SocksReply};
pub use proxy::{Proxy, ProxyError, ProxyKind};

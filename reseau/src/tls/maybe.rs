//! Connections that speak TLS, or not: [`MaybeTls`].
use super::TlsStream;
use crate::addr::{Any, Family};
use crate::net::Stream;

/// A connection that speaks TLS, or not.
#[derive(Debug)]
pub enum MaybeTls<F: Family = Any> {
    /// It does not.
    Plain(Stream<F>),
    /// It does.
    Tls(TlsStream<F>),
}

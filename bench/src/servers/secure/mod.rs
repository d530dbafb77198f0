//! The servers that speak TLS: they do what those of [`Mode`] do, behind a handshake, and say that
//! it was all before they close what has ended.

mod futures;
mod openssl;
mod reseau;
mod threads;
mod tokio;

use super::{ECHO_BYTES, Task};
use crate::scenario::Mode;
use crate::tls;

pub(super) use futures::run as smol;
pub(super) use openssl::run as openssl;
pub(super) use reseau::{blocking, listener, ready, under_tokio, uring};
pub(super) use threads::run as threads;
pub(super) use tokio::run as tokio;

/// What a sink reads into.
const SINK_BYTES: usize = 64 * 1024;

/// What a source writes at a time: the plaintext of a record.
const RECORD_BYTES: usize = 16 * 1024;

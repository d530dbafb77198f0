//! What this machine is called.
use std::io;

use crate::error::{Error, Operation};
use crate::sys::names;

/// What this machine calls itself. Nobody is asked but the kernel.
///
/// ```
/// assert!(!reseau::dns::host_name()?.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// The system's.
pub fn host_name() -> io::Result<String> {
    names::host_name().map_err(|error| Error::new(Operation::Resolve, error).into())
}

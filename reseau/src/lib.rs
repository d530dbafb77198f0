//! reseau
pub mod addr;
pub mod clock;
pub mod error;
mod sys;
mod pool;
#[cfg(feature = "async")]
mod sync;
#[cfg(feature = "async")]
mod driver;
#[cfg(feature = "async")]
mod rt;

pub use addr::{Addr, Endpoint, UnixAddr};
pub use error::Error;
pub use pool::Chunk;
#[cfg(feature = "async")]
pub use driver::{probe, DriverReport, Kind, Tried};
#[cfg(feature = "async")]
pub use rt::*;

//! reseau
pub mod addr;
pub mod clock;
mod error;
mod sys;
pub mod blocking;

pub use addr::{Addr, Endpoint, UnixAddr};
pub use error::Error;

//! The sockets of younger languages: their functions under their own names, with their meaning.
//!
//! Somebody who knows one of these modules finds it here, function for function; a program moves
//! line by line. All calls wait, none needs a loop, and every one that can fail says so by a typed
//! error:
//!
//! - [`codon`]: the `Socket` of the Codon frameworks TurboX and Conduit;
//! - [`mojo`]: the generic `Socket` that forge_tools plans for Mojo, and a pool of workers;
//! - [`julia`]: Julia's `Sockets`, as the seed of Reseau.jl has it.
//!
//! What is mended: an address is honoured, a closed socket leaves no descriptor behind, a backlog
//! reaches the system, interrupted calls are repeated, and nothing raises SIGPIPE. The table
//! `docs/seeds.md` has a line for every item of the originals.
pub mod codon;
pub mod julia;
pub mod mojo;
mod place;
mod plain;
mod shared;

use place::{port_of, resolve};
use plain::Plain;

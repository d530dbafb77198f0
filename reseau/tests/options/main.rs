//! Every option there is: set and read back, on every kind of socket that it fits, before binding
//! and after, on io_uring, on readiness, in the simulator, and on sockets that wait. And the table
//! of the documentation: `UPDATE=1 cargo test -p reseau --test options` writes it anew.
#![cfg(feature = "async")]

mod each;
mod facts;
mod printed;
mod rows;
mod stage;
mod trial;
#[path = "../watchdog/mod.rs"]
mod watchdog;

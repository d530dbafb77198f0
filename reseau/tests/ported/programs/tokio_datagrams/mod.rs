//! Programs for tasks and sockets that are awaited, of datagrams.
use super::{io, net};

mod buffers;
mod dispatch;
mod echo;
mod forwarder;
mod from_std;
#[cfg(unix)]
mod full_queue;
#[cfg(unix)]
mod hand_over;
mod hand_written;
#[cfg(unix)]
mod log_daemon;
mod ping;
mod publisher;
#[cfg(unix)]
mod questions;
mod readable;
mod resolver;
mod setup;
#[cfg(unix)]
mod worker_pair;

task_tests! {
    buffers
    dispatch
    echo
    forwarder
    from_std
    #[cfg(unix)] full_queue
    #[cfg(unix)] hand_over
    hand_written
    #[cfg(unix)] log_daemon
    ping
    publisher
    #[cfg(unix)] questions
    readable
    resolver
    setup
    #[cfg(unix)] worker_pair
}

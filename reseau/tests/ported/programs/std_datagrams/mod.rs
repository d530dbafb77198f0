//! Programs for threads and blocking sockets, of datagrams.
use super::net;
#[cfg(unix)]
use super::unix;

#[cfg(target_os = "linux")]
mod abstract_names;
#[cfg(target_os = "linux")]
mod discovery;
#[cfg(unix)]
mod dispatch;
mod dns;
mod file_transfer;
#[cfg(unix)]
mod log_daemon;
#[cfg(unix)]
mod notify;
mod ntp;
mod poll_loop;
#[cfg(unix)]
mod questions;
mod setup;
mod statsd;
#[cfg(unix)]
mod subscribers;
mod syslog;
mod tftp;
mod time_server;
#[cfg(unix)]
mod worker_pair;

thread_tests! {
    #[cfg(target_os = "linux")] abstract_names
    #[cfg(target_os = "linux")] discovery
    #[cfg(unix)] dispatch
    dns
    file_transfer
    #[cfg(unix)] log_daemon
    ntp
    #[cfg(unix)] notify
    poll_loop
    #[cfg(unix)] questions
    setup
    statsd
    #[cfg(unix)] subscribers
    syslog
    tftp
    time_server
    #[cfg(unix)] worker_pair
}

//! Programs for threads and blocking sockets.
use super::net;
#[cfg(unix)]
use super::unix;

mod accept_timeout;
mod broadcast;
mod chat;
#[cfg(unix)]
mod control_socket;
mod echo_threads;
mod file_server;
mod half_close_proxy;
mod key_value;
mod options;
mod poll_loop;
mod port_scan;
mod rpc;
mod sniff;
#[cfg(unix)]
mod socket_pair;
mod thread_pool;
mod vectored;

thread_tests! {
    accept_timeout
    broadcast
    chat
    #[cfg(unix)] control_socket
    echo_threads
    file_server
    half_close_proxy
    key_value
    options
    poll_loop
    port_scan
    rpc
    sniff
    #[cfg(unix)] socket_pair
    thread_pool
    vectored
}

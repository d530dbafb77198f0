//! Programs for tasks and sockets that are awaited.
use super::{io, net};

mod accept_timeout;
mod chat;
mod clients;
#[cfg(unix)]
mod control_socket;
mod echo;
mod file_server;
mod from_std;
mod half_close;
#[cfg(unix)]
mod hand_over;
mod hand_written;
mod key_value;
mod port_scan;
mod proxy;
mod readable;
mod restart;
mod reunite;
mod rpc;
mod setup;
mod shutdown;
mod sniff;
#[cfg(unix)]
mod socket_pair;
mod writable;

task_tests! {
    accept_timeout
    chat
    clients
    #[cfg(unix)] control_socket
    echo
    file_server
    from_std
    half_close
    #[cfg(unix)] hand_over
    hand_written
    key_value
    port_scan
    proxy
    readable
    restart
    reunite
    rpc
    setup
    shutdown
    sniff
    #[cfg(unix)] socket_pair
    writable
}

//! Groups of sockets: what an option says it is for.

/// IP: TCP and UDP.
#[diagnostic::on_unimplemented(message = "`{Self}` is no socket of IP, for which this option is")]
pub trait Inet: super::Socket {}

/// TCP: streams, listeners, and sockets that are neither yet.
#[diagnostic::on_unimplemented(message = "`{Self}` is no TCP socket, for which this option is")]
pub trait Tcp: Inet {}

/// TCP: listeners, and sockets that may become one.
#[diagnostic::on_unimplemented(message = "`{Self}` is no TCP listener, for which this option is")]
pub trait Listening: Tcp {}

/// UDP.
#[diagnostic::on_unimplemented(message = "`{Self}` is no UDP socket, for which this option is")]
pub trait Udp: Inet {}

/// Unix-domain sockets of every kind.
#[diagnostic::on_unimplemented(message = "`{Self}` is no Unix socket, for which this option is")]
pub trait Unix: super::Socket {}

/// Sockets that send datagrams: of UDP, or Unix-domain.
#[diagnostic::on_unimplemented(message = "`{Self}` sends no datagrams, for which this option is")]
pub trait Datagram: super::Socket {}

/// Sockets of IP that have no address yet.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has an address already, and it is too late for this option"
)]
pub trait Fresh: Inet {}

/// Sockets of TCP that have no address yet.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no TCP socket without an address, for which this option is"
)]
pub trait FreshTcp: Fresh + Tcp {}

/// Sockets that wait in their calls: those of [`blocking`](crate::blocking), and std's.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not wait in its calls, as this option's sockets do"
)]
pub trait Waiting: super::Socket {}

/// Sockets of TCP that wait in their calls.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no TCP socket that waits in its calls, for which this option is"
)]
pub trait WaitingTcp: Waiting + Tcp {}

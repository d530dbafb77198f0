//! Options of sockets that are not ours.
use std::marker::PhantomData;
use std::net::{TcpListener, TcpStream, UdpSocket};

use super::table::{fits, has_options};
use crate::sys::option::{Borrowed, On};

/// A socket of std's, borrowed for its options: what [`of`] makes.
#[derive(Debug)]
pub struct Of<'a, T: Foreign> {
    socket: Borrowed<'a>,
    whose: PhantomData<&'a T>,
}

/// A socket that is not ours, but whose options can be had: std's.
pub trait Foreign: sealed::Borrows {}

/// Lends a socket of std's for its options.
///
/// ```
/// use reseau::opt;
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// opt::of(&socket).set(opt::Broadcast(true))?;
/// let opt::Broadcast(on) = opt::of(&socket).get()?;
/// assert!(on && socket.broadcast()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn of<T: Foreign>(socket: &T) -> Of<'_, T> {
    Of { socket: socket.borrowed(), whose: PhantomData }
}

#[allow(unnameable_types)] // That is what seals it.
mod sealed {
    use crate::sys::option::Borrowed;

    pub trait Borrows {
        fn borrowed(&self) -> Borrowed<'_>;
    }
}

macro_rules! foreign {
    ($($socket:ty),*) => {$(
        impl sealed::Borrows for $socket {
            fn borrowed(&self) -> Borrowed<'_> {
                self.into()
            }
        }

        impl Foreign for $socket {}
    )*};
}

foreign!(TcpStream, TcpListener, UdpSocket);
#[cfg(unix)]
foreign! {
    std::os::unix::net::UnixStream, std::os::unix::net::UnixListener,
    std::os::unix::net::UnixDatagram
}

has_options!(['a, T: Foreign] Of<'a, T>, this => On::Os(&this.socket));
fits! {
    Of<'_, TcpStream>: Inet Tcp Waiting WaitingTcp;
    Of<'_, TcpListener>: Inet Tcp Listening Waiting WaitingTcp;
    Of<'_, UdpSocket>: Inet Udp Datagram Waiting;
}

#[cfg(unix)]
fits! {
    Of<'_, std::os::unix::net::UnixStream>: Unix Waiting;
    Of<'_, std::os::unix::net::UnixListener>: Unix Waiting;
    Of<'_, std::os::unix::net::UnixDatagram>: Unix Datagram Waiting;
}

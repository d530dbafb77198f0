//! Ways of sending, as types: the second half of what a [`Socket`](crate::Socket) is.
//!
//! ```
//! # #[cfg(feature = "async")]
//! # fn main() -> std::io::Result<()> {
//! # reseau::block_on(async {
//! use reseau::{Inet, Socket, kind};
//! let socket = Socket::<Inet, kind::Dgram>::new()?;
//! socket.bind("127.0.0.1:0".parse().unwrap())?;
//! let socket = socket.into_datagram()?;
//! socket.send_to(b"hello", socket.local_addr()?).await?;
//! assert_eq!(socket.recv(&mut [0; 8]).await?, 5);
//! # Ok(())
//! # })
//! # }
//! # #[cfg(not(feature = "async"))]
//! # fn main() {}
//! ```

/// Bytes, in order, over a connection: TCP and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {}

/// Messages, each by itself: UDP and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dgram {}

/// Messages, in order, over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seqpacket {}

/// One of [`Stream`], [`Dgram`] and [`Seqpacket`].
pub trait Kind: sealed::Sent + 'static {}

impl Kind for Stream {}
impl Kind for Dgram {}
impl Kind for Seqpacket {}

#[allow(unnameable_types)] // That is what seals it.
pub(crate) mod sealed {
    /// How it sends.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Way {
        Stream,
        Dgram,
        Seqpacket,
    }

    pub trait Sent {
        const WAY: Way;
    }

    impl Sent for super::Stream {
        const WAY: Way = Way::Stream;
    }
    impl Sent for super::Dgram {
        const WAY: Way = Way::Dgram;
    }
    impl Sent for super::Seqpacket {
        const WAY: Way = Way::Seqpacket;
    }
}

//! Descriptors that came with a message. Only Unix passes them.
#[cfg(unix)]
mod unix {
    use crate::addr::UnixAddr;
    use std::os::fd::OwnedFd;

    /// What `recv_fds` received: bytes in the caller's buffer, and descriptors.
    #[derive(Debug)]
    #[non_exhaustive]
    pub struct Passed<A = UnixAddr> {
        /// How many bytes of the buffer it fills.
        pub len: usize,
        /// Who sent it, if he has a name (and it was no stream).
        pub peer: Option<A>,
        /// The descriptors, in the order in which they were sent: ours now, and closed on exec.
        pub fds: Vec<OwnedFd>,
        /// Bytes or descriptors did not fit. They are lost, and the descriptors are closed.
        pub truncated: bool,
    }

    impl<A> Passed<A> {
        pub(crate) const fn new(len: usize, peer: Option<A>, fds: Vec<OwnedFd>) -> Self {
            Self { len, peer, fds, truncated: false }
        }

        /// The same with another kind of peer.
        pub(crate) fn map<B, E>(
            self,
            peer: impl FnOnce(A) -> Result<B, E>,
        ) -> Result<Passed<B>, E> {
            let Self { len, peer: named, fds, truncated } = self;
            let peer = named.map(peer).transpose()?;
            Ok(Passed { len, peer, fds, truncated })
        }
    }
}

#[cfg(unix)]
pub use unix::Passed;

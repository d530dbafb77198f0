//! How bytes come and go: as they are, or by way of TLS.
use std::io;
use std::net::Shutdown;
use std::sync::Arc;

#[cfg(feature = "tls")]
use crate::blocking::TlsStream;
use crate::sockets::plain::Plain;
#[cfg(feature = "tls")]
use crate::sys::Side;
use crate::sys::blocking as calls;
#[cfg(feature = "tls")]
use std::io::{Read, Write};

/// A connection for the time of a call.
pub(super) enum Way {
    Plain(Arc<Plain>),
    #[cfg(feature = "tls")]
    Tls(Arc<Plain>, Arc<TlsStream>),
}

impl Way {
    pub(super) fn recv(&self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.recv(space),
            #[cfg(feature = "tls")]
            Self::Tls(plain, tls) => wakeful(plain, tls, |mut tls| tls.read(space)),
        }
    }

    /// What has come already.
    pub(super) fn recv_at_once(&self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => {
                let socket = plain.socket();
                calls::at_once(socket, crate::sys::Side::Recv, |flags| {
                    calls::recv(socket, space, flags)
                })
            }
            #[cfg(feature = "tls")]
            Self::Tls(_, tls) => tls.read_at_once(space),
        }
    }

    pub(super) fn send_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.send_all(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(plain, tls) => match plain.looks_every() {
                None => (&**tls).write_all(bytes),
                Some(span) => {
                    for part in bytes.chunks(ROOM_MIN) {
                        while !calls::wait(plain.socket(), Side::Send, Some(span))? {
                            plain.check_open()?;
                        }
                        (&**tls).write_all(part)?;
                    }
                    Ok(())
                }
            },
        }
    }

    pub(super) fn closewrite(&self) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.shutdown(Shutdown::Write),
            #[cfg(feature = "tls")]
            Self::Tls(_, tls) => tls.finish(),
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.is_ended(),
            #[cfg(feature = "tls")]
            Self::Tls(plain, _) => plain.is_ended(),
        }
    }
}

/// Makes a call that reads. Where ending a socket does not wake who waits in it, he looks now and
/// then.
#[cfg(feature = "tls")]
fn wakeful<T>(
    plain: &Plain,
    tls: &TlsStream,
    mut call: impl FnMut(&TlsStream) -> io::Result<T>,
) -> io::Result<T> {
    let Some(span) = plain.looks_every() else { return call(tls) };
    loop {
        let soon = crate::clock::real().checked_add(span);
        tls.set_deadlines(soon, tls.write_deadline());
        match call(tls) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => plain.check_open()?,
            done => return done,
        }
    }
}

/// For so much there is room in a socket that can be written to, with what TLS adds to it.
#[cfg(feature = "tls")]
const ROOM_MIN: usize = 15 << 10;

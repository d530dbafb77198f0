//! Paths of Unix listeners that are one's own: taken over from the dead, and removed at the end.
#![allow(unsafe_code)]

use super::{Domain, Fd, Kind};
use crate::addr::{Addr, UnixAddr};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A socket's file that is removed when this is dropped, unless it is another's by then.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    file: Identity,
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Claim {
    /// Binds by `bind` at `path`. A socket that is there already gives way if nobody listens on
    /// it, which a connect of that kind has to show; anything else stays, and it is `AddrInUse`.
    pub(crate) fn take<T>(
        path: &Path,
        kind: Kind,
        bind: impl Fn() -> io::Result<T>,
    ) -> io::Result<(T, Self)> {
        // Whoever else takes over the dead here does it before or after.
        let _turn = turn_at(path);
        let bound = match bind() {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                remove_dead(path, kind)?;
                bind()?
            }
            bound => bound?,
        };
        let (file, _) = look(path)?;
        Ok((bound, Self { path: path.to_owned(), file }))
    }

    /// The file stays.
    pub(crate) fn release(self) {
        std::mem::forget(self);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if look(&self.path).is_ok_and(|(file, _)| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn remove_dead(path: &Path, kind: Kind) -> io::Result<()> {
    let in_use = |what: &str| io::Error::new(ErrorKind::AddrInUse, what.to_owned());
    let (before, is_socket) = look(path)?;
    if !is_socket {
        return Err(in_use("what is at this path is no socket"));
    }
    let addr = Addr::from(UnixAddr::from_pathname(path)?);
    match Fd::open_as(Domain::UNIX, kind)?.connect(&addr) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
        // A listener, though it may have a full backlog, be of another kind, or not be for us.
        _ => return Err(in_use("somebody listens at this path")),
    }
    if look(path)?.0 != before {
        return Err(in_use("somebody else has just taken this path"));
    }
    fs::remove_file(path)
}

/// The file itself, not what it may point to; and whether it is a socket.
fn look(path: &Path) -> io::Result<(Identity, bool)> {
    let found = fs::symlink_metadata(path)?;
    let file = Identity { device: found.dev(), inode: found.ino() };
    Ok((file, found.file_type().is_socket()))
}

/// A lock on the directory, for as long as it is open. That somebody else holds it for longer is
/// no reason to wait: it is for those who do as we do.
fn turn_at(path: &Path) -> Option<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = File::open(parent.unwrap_or_else(|| Path::new("."))).ok()?;
    for _ in 0..TRIES_MAX {
        // SAFETY: an open descriptor, and no memory.
        if unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            break;
        }
        std::thread::yield_now();
    }
    Some(directory)
}

/// How often to ask for the directory: others hold it for a few calls only.
const TRIES_MAX: u32 = 1000;

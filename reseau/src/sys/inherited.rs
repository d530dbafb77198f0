//! Sockets that were open when the program began: taken out once, and no other descriptor for
//! one of them.
#![allow(unsafe_code)]

use super::{Kind, OsSocket, kind, listens};
use crate::addr::Inherited;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

/// A listening stream socket, which is the caller's from now on, and closed on exec.
///
/// It must have come through an `exec`: a descriptor that is closed on exec is this program's own.
/// All that std and this crate open are, so nobody's descriptor can be taken away here by its
/// number. Each number can be taken once, and what is refused stays as it was.
pub(crate) fn take(which: &Inherited) -> io::Result<OsSocket> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    match which {
        Inherited::Fd(number) => {
            let number = RawFd::try_from(*number).map_err(|_| none())?;
            take_number(number, &mut taken)
        }
        Inherited::Systemd(name) => {
            let told = |name: &str| std::env::var(name).ok();
            let own = std::process::id();
            let (pid, fds) = (told("LISTEN_PID"), told("LISTEN_FDS"));
            let names = told("LISTEN_FDNAMES");
            let passed = passed(own, pid.as_deref(), fds.as_deref(), names.as_deref())?;
            let mut called = passed.iter().filter(|(found, _)| **found == **name).peekable();
            if called.peek().is_none() {
                return Err(refusal(ErrorKind::NotFound, "systemd passed none of that name"));
            }
            // Several may have one name: each is for one listener.
            let (_, number) =
                called.find(|(_, number)| !taken.contains(number)).ok_or_else(twice)?;
            take_number(*number, &mut taken)
        }
    }
}

fn take_number(number: RawFd, taken: &mut BTreeSet<RawFd>) -> io::Result<OsSocket> {
    if taken.contains(&number) {
        return Err(twice());
    }
    // SAFETY: any number may be asked about.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(none());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        let what = "the descriptor was not inherited: it was opened by this program";
        return Err(refusal(ErrorKind::InvalidInput, what));
    }
    // SAFETY: it is open, and came through an `exec`, so nobody in this program has opened it; it
    // has not been taken before. It is not closed here before it is certain that it is taken.
    let socket = ManuallyDrop::new(unsafe { OsSocket::from_raw_fd(number) });
    let what = match kind(&socket) {
        Ok(Some(Kind::Stream)) if listens(&socket) != Some(false) => {
            socket.set_cloexec(true)?;
            taken.insert(number);
            return Ok(ManuallyDrop::into_inner(socket));
        }
        Ok(Some(Kind::Stream)) => "the descriptor is a socket that does not listen",
        Ok(_) => "the descriptor is no stream socket",
        Err(_) => "the descriptor is no socket",
    };
    Err(refusal(ErrorKind::InvalidInput, what))
}

/// The descriptors that the environment announces to the process `own`, with their names.
fn passed<'a>(
    own: u32,
    pid: Option<&str>,
    fds: Option<&str>,
    names: Option<&'a str>,
) -> io::Result<Vec<(&'a str, RawFd)>> {
    let odd = |what| refusal(ErrorKind::InvalidData, what);
    let (Some(pid), Some(fds)) = (pid, fds) else {
        let what = "systemd passed none: LISTEN_PID and LISTEN_FDS are not both set";
        return Err(refusal(ErrorKind::NotFound, what));
    };
    if pid.parse() != Ok(own) {
        let what = "what systemd passed is for another process, as LISTEN_PID says";
        return Err(refusal(ErrorKind::NotFound, what));
    }
    let count: u16 = fds.parse().map_err(|_| odd("LISTEN_FDS is not the number of descriptors"))?;
    let names: Vec<&str> = match names {
        // As systemd itself reads it.
        None => vec!["unknown"; count.into()],
        Some("") if count == 0 => Vec::new(),
        Some(names) => names.split(':').collect(),
    };
    if names.len() != usize::from(count) {
        return Err(odd("LISTEN_FDNAMES has not as many names as there are descriptors"));
    }
    Ok(names.into_iter().zip(FIRST..).collect())
}

fn none() -> io::Error {
    refusal(ErrorKind::NotFound, "no descriptor of this number is open")
}

fn twice() -> io::Error {
    refusal(ErrorKind::AlreadyExists, "the descriptor was taken before")
}

fn refusal(kind: ErrorKind, what: &'static str) -> io::Error {
    io::Error::new(kind, what)
}

/// The numbers that were taken, ever.
static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// The first number that systemd passes (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_systemd_reads_it() {
        let read = |pid, fds, names| passed(42, pid, fds, names);
        let names = |pid, fds, names| read(pid, fds, names).unwrap();
        assert_eq!(names(Some("42"), Some("2"), Some("web:db")), [("web", 3), ("db", 4)]);
        assert_eq!(names(Some("42"), Some("2"), None), [("unknown", 3), ("unknown", 4)]);
        assert_eq!(names(Some("42"), Some("2"), Some(":")), [("", 3), ("", 4)]);
        assert_eq!(names(Some("42"), Some("0"), Some("")), []);
        for (pid, fds, names, kind) in [
            (None, Some("1"), Some("web"), ErrorKind::NotFound),
            (Some("42"), None, Some("web"), ErrorKind::NotFound),
            (Some("41"), Some("1"), Some("web"), ErrorKind::NotFound),
            (Some("x"), Some("1"), Some("web"), ErrorKind::NotFound),
            (Some("42"), Some("x"), Some("web"), ErrorKind::InvalidData),
            (Some("42"), Some("-1"), None, ErrorKind::InvalidData),
            (Some("42"), Some("99999999"), None, ErrorKind::InvalidData),
            (Some("42"), Some("2"), Some("web"), ErrorKind::InvalidData),
            (Some("42"), Some("1"), Some("web:db"), ErrorKind::InvalidData),
        ] {
            assert_eq!(
                read(pid, fds, names).unwrap_err().kind(),
                kind,
                "{pid:?} {fds:?} {names:?}"
            );
        }
    }

    #[test]
    fn this_programs_own_descriptors_are_not_taken() {
        use std::os::fd::AsRawFd;
        let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let number = u32::try_from(own.as_raw_fd()).unwrap();
        let error = take(&Inherited::Fd(number)).unwrap_err();
        assert!(error.to_string().contains("opened by this program"), "{error}");
        own.local_addr().expect("it is open still");
        for none in [u32::MAX, 1 << 30] {
            assert_eq!(take(&Inherited::Fd(none)).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

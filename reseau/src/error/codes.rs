//! What the systems' error numbers mean. The numbers have one name on every Unix and another on
//! Windows; what to do about them is said once, in `class` and in `hint`.
use std::io;

use super::{Class, Operation};
use crate::addr::Addr;

/// What can be done about an error number; None for those that the kind of an error tells well
/// enough. `accept`: a listener gave it, which reports what happened to a connection in its queue
/// as its own error.
pub(super) fn class(code: i32, accept: bool) -> Option<Class> {
    let has = |table: &[i32]| table.contains(&code);
    if accept && has(system::PENDING) {
        return Some(Class::Retry);
    }
    if has(system::WEATHER) {
        Some(Class::Retry)
    } else if has(system::SCARCE) {
        Some(Class::Wait)
    } else if has(system::ENDED) {
        Some(Class::Closed)
    } else if has(system::LATE) {
        Some(Class::Timeout)
    } else if has(system::MISUSE) {
        Some(Class::Fatal)
    } else {
        None
    }
}

/// What a person can do about it. `place` is the address that it is about.
pub(super) fn hint(
    error: &io::Error,
    operation: Operation,
    place: Option<&Addr>,
) -> Option<&'static str> {
    let code = error.raw_os_error();
    if let Some((_, hint)) = system::HINTS.iter().find(|(known, _)| Some(*known) == code) {
        return Some(hint);
    }
    let unix = place.is_some_and(|place| place.unix().is_some());
    let low = place.and_then(Addr::inet).is_some_and(|addr| (1..1024).contains(&addr.port()));
    let naming = matches!(operation, Operation::Bind | Operation::Listen);
    match error.kind() {
        io::ErrorKind::AddrInUse if unix => {
            Some("remove the socket's file if no program listens there")
        }
        io::ErrorKind::AddrInUse => Some("another socket has this address: choose another port"),
        io::ErrorKind::AddrNotAvailable if naming => Some("this machine does not have the address"),
        io::ErrorKind::AddrNotAvailable => {
            Some("the address cannot be reached from here, or no local port is free")
        }
        io::ErrorKind::PermissionDenied if naming && low => Some(system::LOW_PORT),
        io::ErrorKind::PermissionDenied if unix => Some("look at the rights of the socket's file"),
        io::ErrorKind::NotFound if unix && naming => Some("the directory does not exist"),
        io::ErrorKind::NotFound if unix => Some("no socket is there: does the server run?"),
        io::ErrorKind::WouldBlock if unix && operation == Operation::Connect => {
            Some("the listener's backlog is full")
        }
        _ => None,
    }
}

#[cfg(unix)]
mod system {
    use libc as c;

    /// Retry, of a listener alone: what had befallen a connection before it was taken. Linux
    /// passes pending network errors on (accept(2)) and firewalls' refusals as EPERM.
    pub(super) const PENDING: &[i32] = &[
        c::ECONNABORTED,
        c::ECONNRESET,
        c::EPROTO,
        c::ENOPROTOOPT,
        c::EHOSTDOWN,
        c::EPERM,
        c::ETIMEDOUT,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        c::ENONET,
        // On other systems this says that the socket is not one that listens.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        c::EOPNOTSUPP,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        c::ESOCKTNOSUPPORT,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        c::EPROTONOSUPPORT,
    ];
    /// Retry: the network's doing, or nobody's.
    pub(super) const WEATHER: &[i32] = &[
        c::EINTR,
        c::ECONNREFUSED,
        c::ENETDOWN,
        c::ENETUNREACH,
        c::EHOSTDOWN,
        c::EHOSTUNREACH,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        c::ENONET,
    ];
    /// Wait: for readiness, descriptors or memory.
    pub(super) const SCARCE: &[i32] = &[
        c::EAGAIN,
        c::EWOULDBLOCK,
        c::EINPROGRESS,
        c::EALREADY,
        c::EMFILE,
        c::ENFILE,
        c::ENOBUFS,
        c::ENOMEM,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        c::ENOSR,
    ];
    /// Closed: by this side, by the other, or by the network.
    pub(super) const ENDED: &[i32] =
        &[c::EPIPE, c::ECONNRESET, c::ECONNABORTED, c::ENOTCONN, c::ESHUTDOWN, c::ENETRESET];
    pub(super) const LATE: &[i32] = &[c::ETIMEDOUT];
    /// Fatal, where the kind would not say so.
    pub(super) const MISUSE: &[i32] = &[c::EBADF, c::ENOTSOCK, c::EINVAL, c::EFAULT, c::EPROTO];

    pub(super) const HINTS: &[(i32, &str)] = &[
        (c::EMFILE, "this process has no descriptors left: raise `ulimit -n`"),
        (c::ENFILE, "the system has no descriptors left: raise its limit (Linux: fs.file-max)"),
        (c::ENOBUFS, "the kernel has no socket memory left: fewer sockets or smaller buffers"),
        (c::ENOMEM, "the kernel has no memory left for it: look at `ulimit` and free memory"),
        (c::EAFNOSUPPORT, "this system has no such addresses: is IPv6 switched off?"),
    ];
    pub(super) const LOW_PORT: &str = "ports below 1024 need a privilege (Linux: \
         CAP_NET_BIND_SERVICE, or the sysctl net.ipv4.ip_unprivileged_port_start)";
}

#[cfg(windows)]
mod system {
    use windows_sys::Win32::Foundation as f;
    use windows_sys::Win32::Networking::WinSock as w;

    /// Retry, of a listener alone: what had befallen a connection before it was taken.
    pub(super) const PENDING: &[i32] = &[
        w::WSAECONNRESET,
        w::WSAECONNABORTED,
        w::WSAETIMEDOUT,
        f::ERROR_NETNAME_DELETED as i32,
        f::ERROR_CONNECTION_ABORTED as i32,
        f::ERROR_SEM_TIMEOUT as i32,
    ];
    /// Retry: the network's doing, or nobody's.
    pub(super) const WEATHER: &[i32] = &[
        w::WSAEINTR,
        w::WSAECONNREFUSED,
        w::WSAENETDOWN,
        w::WSAENETUNREACH,
        w::WSAEHOSTDOWN,
        w::WSAEHOSTUNREACH,
        f::ERROR_CONNECTION_REFUSED as i32,
        f::ERROR_NETWORK_UNREACHABLE as i32,
        f::ERROR_HOST_UNREACHABLE as i32,
        f::ERROR_PORT_UNREACHABLE as i32,
    ];
    /// Wait: for readiness, handles or memory.
    pub(super) const SCARCE: &[i32] = &[
        w::WSAEWOULDBLOCK,
        w::WSAEINPROGRESS,
        w::WSAEALREADY,
        w::WSAEMFILE,
        w::WSAENOBUFS,
        f::ERROR_TOO_MANY_OPEN_FILES as i32,
        f::ERROR_NOT_ENOUGH_MEMORY as i32,
        f::ERROR_OUTOFMEMORY as i32,
        f::ERROR_NO_SYSTEM_RESOURCES as i32,
    ];
    /// Closed: by this side, by the other, or by the network.
    pub(super) const ENDED: &[i32] = &[
        w::WSAECONNRESET,
        w::WSAECONNABORTED,
        w::WSAENOTCONN,
        w::WSAESHUTDOWN,
        w::WSAENETRESET,
        w::WSAEDISCON,
        f::ERROR_BROKEN_PIPE as i32,
        f::ERROR_NO_DATA as i32,
        f::ERROR_NETNAME_DELETED as i32,
        f::ERROR_CONNECTION_ABORTED as i32,
        f::ERROR_GRACEFUL_DISCONNECT as i32,
        f::ERROR_OPERATION_ABORTED as i32,
    ];
    pub(super) const LATE: &[i32] = &[w::WSAETIMEDOUT, f::ERROR_SEM_TIMEOUT as i32];
    /// Fatal, where the kind would not say so.
    pub(super) const MISUSE: &[i32] =
        &[w::WSAEBADF, w::WSAENOTSOCK, w::WSAEINVAL, w::WSAEFAULT, w::WSANOTINITIALISED];

    pub(super) const HINTS: &[(i32, &str)] = &[
        (w::WSAEMFILE, "this process has no sockets left"),
        (w::WSAENOBUFS, "the system has no socket memory or no local port left"),
        (w::WSAEAFNOSUPPORT, "this system has no such addresses: is IPv6 switched off?"),
    ];
    pub(super) const LOW_PORT: &str =
        "the port is reserved (`netsh int ipv4 show excludedportrange tcp`) or taken for one alone";
}

#[cfg(not(any(unix, windows)))]
mod system {
    pub(super) const PENDING: &[i32] = &[];
    pub(super) const WEATHER: &[i32] = &[];
    pub(super) const SCARCE: &[i32] = &[];
    pub(super) const ENDED: &[i32] = &[];
    pub(super) const LATE: &[i32] = &[];
    pub(super) const MISUSE: &[i32] = &[];
    pub(super) const HINTS: &[(i32, &str)] = &[];
    pub(super) const LOW_PORT: &str = "ports below 1024 may need a privilege";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::UnixAddr;
    use crate::error::{Error, class_of};

    fn os(code: i32) -> io::Error {
        io::Error::from_raw_os_error(code)
    }

    #[cfg(unix)]
    #[test]
    fn numbers_have_a_class_on_unix() {
        for (code, any, accept) in [
            (libc::EINTR, Class::Retry, Class::Retry),
            (libc::ECONNABORTED, Class::Closed, Class::Retry),
            (libc::ECONNRESET, Class::Closed, Class::Retry),
            (libc::EPROTO, Class::Fatal, Class::Retry),
            (libc::EPERM, Class::Fatal, Class::Retry),
            (libc::ETIMEDOUT, Class::Timeout, Class::Retry),
            (libc::ECONNREFUSED, Class::Retry, Class::Retry),
            (libc::ENETUNREACH, Class::Retry, Class::Retry),
            (libc::EHOSTDOWN, Class::Retry, Class::Retry),
            (libc::EAGAIN, Class::Wait, Class::Wait),
            (libc::EMFILE, Class::Wait, Class::Wait),
            (libc::ENFILE, Class::Wait, Class::Wait),
            (libc::ENOBUFS, Class::Wait, Class::Wait),
            (libc::ENOMEM, Class::Wait, Class::Wait),
            (libc::EPIPE, Class::Closed, Class::Closed),
            (libc::ENOTCONN, Class::Closed, Class::Closed),
            (libc::EBADF, Class::Fatal, Class::Fatal),
            (libc::ENOTSOCK, Class::Fatal, Class::Fatal),
            (libc::EINVAL, Class::Fatal, Class::Fatal),
            (libc::EFAULT, Class::Fatal, Class::Fatal),
            (libc::EACCES, Class::Fatal, Class::Fatal),
        ] {
            assert_eq!(class_of(&os(code)), any, "{}", os(code));
            assert_eq!(Operation::Accept.class_of(&os(code)), accept, "accept: {}", os(code));
        }
        let busy = Operation::Accept.class_of(&os(libc::EOPNOTSUPP));
        let linux = cfg!(any(target_os = "linux", target_os = "android"));
        assert_eq!(busy, if linux { Class::Retry } else { Class::Fatal });
    }

    #[cfg(windows)]
    #[test]
    fn numbers_have_a_class_on_windows() {
        use windows_sys::Win32::Networking::WinSock as w;
        for (code, any, accept) in [
            (w::WSAECONNRESET, Class::Closed, Class::Retry),
            (w::WSAECONNREFUSED, Class::Retry, Class::Retry),
            (w::WSAEWOULDBLOCK, Class::Wait, Class::Wait),
            (w::WSAEMFILE, Class::Wait, Class::Wait),
            (w::WSAENOTSOCK, Class::Fatal, Class::Fatal),
            (w::WSAETIMEDOUT, Class::Timeout, Class::Retry),
            (w::WSAESHUTDOWN, Class::Closed, Class::Closed),
        ] {
            assert_eq!(class_of(&os(code)), any, "{}", os(code));
            assert_eq!(Operation::Accept.class_of(&os(code)), accept, "accept: {}", os(code));
        }
    }

    #[test]
    fn no_number_is_in_two_classes() {
        let tables = [system::WEATHER, system::SCARCE, system::ENDED, system::LATE, system::MISUSE];
        for (at, table) in tables.iter().enumerate() {
            for code in *table {
                let twice = tables[at + 1..].iter().any(|other| other.contains(code));
                assert!(!twice, "{}", os(*code));
            }
        }
    }

    #[test]
    fn well_known_causes_have_a_hint() {
        let inet = |port| Addr::from(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let unix = Addr::from(UnixAddr::from_pathname("/x").unwrap());
        let of = |operation, kind: io::ErrorKind, place: &Addr| {
            let error = Error::new(operation, kind.into()).local(place.clone());
            error.hint().unwrap_or("").to_owned()
        };
        let denied = io::ErrorKind::PermissionDenied;
        assert_eq!(of(Operation::Bind, denied, &inet(80)), system::LOW_PORT);
        assert_eq!(of(Operation::Bind, denied, &inet(8080)), "");
        assert_eq!(of(Operation::Connect, denied, &inet(80)), "");
        assert!(of(Operation::Connect, denied, &unix).contains("rights"));
        let used = io::ErrorKind::AddrInUse;
        assert!(of(Operation::Bind, used, &inet(80)).contains("another port"));
        assert!(of(Operation::Bind, used, &unix).contains("remove"));
        let absent = io::ErrorKind::AddrNotAvailable;
        assert!(of(Operation::Bind, absent, &inet(80)).contains("this machine"));
        assert!(of(Operation::Connect, absent, &inet(80)).contains("local port"));
        assert!(of(Operation::Connect, io::ErrorKind::WouldBlock, &unix).contains("backlog"));
        assert_eq!(of(Operation::Recv, io::ErrorKind::WouldBlock, &unix), "");
        #[cfg(unix)]
        {
            let words = os(libc::EMFILE).to_string().to_lowercase(); // The C library's.
            let hint = "this process has no descriptors left: raise `ulimit -n`";
            let error = Error::new(Operation::Accept, os(libc::EMFILE));
            assert_eq!(error.to_string(), format!("accept: {words}; {hint}"));
        }
    }
}

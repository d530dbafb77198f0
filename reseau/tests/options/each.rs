//! The sockets of a group, one after the other.

/// Calls `$check` with the name and the socket, for each socket of the stage that is in the group.
macro_rules! each {
    (Socket, $stage:ident, $check:expr) => {
        $crate::each::each!(Inet, $stage, $check);
        $crate::each::each!(Unix, $stage, $check);
    };
    (Inet, $stage:ident, $check:expr) => {
        $crate::each::each!(Tcp, $stage, $check);
        $crate::each::each!(Udp, $stage, $check);
    };
    (Tcp, $stage:ident, $check:expr) => {
        $check.on("TcpStream", &$stage.stream);
        $crate::each::each!(Listening, $stage, $check);
        if let Some(real) = &$stage.real {
            $check.on("blocking::TcpStream", &real.waiting_stream);
            $check.on("std::net::TcpStream", &opt::of(&real.std_stream));
        }
    };
    (Listening, $stage:ident, $check:expr) => {
        $check.on("TcpListener", &$stage.listener);
        $crate::each::each!(FreshTcp, $stage, $check);
        $check.on("TcpSocket, bound", &$stage.bound);
        if let Some(real) = &$stage.real {
            $check.on("blocking::TcpListener", &real.waiting_listener);
            $check.on("std::net::TcpListener", &opt::of(&real.std_listener));
        }
    };
    (Fresh, $stage:ident, $check:expr) => {
        $crate::each::each!(FreshTcp, $stage, $check);
    };
    (FreshTcp, $stage:ident, $check:expr) => {
        $check.on("TcpSocket", &$stage.fresh);
    };
    (Udp, $stage:ident, $check:expr) => {
        $check.on("UdpSocket", &$stage.udp);
        $crate::each::each!(WaitingUdp, $stage, $check);
    };
    (WaitingUdp, $stage:ident, $check:expr) => {
        if let Some(real) = &$stage.real {
            $check.on("blocking::UdpSocket", &real.waiting_udp);
            $check.on("std::net::UdpSocket", &opt::of(&real.std_udp));
        }
    };
    (Unix, $stage:ident, $check:expr) => {
        if let Some(unix) = &$stage.unix {
            $check.on("UnixStream", &unix.stream);
            $check.on("UnixListener", &unix.listener);
            $check.on("UnixSocket", &unix.fresh);
            $check.on("UnixDatagram", &unix.datagram);
            if let Some(seqpacket) = &unix.seqpacket {
                $check.on("UnixSeqpacket", seqpacket);
            }
            if let Some(records) = &unix.records {
                $check.on("UnixSeqpacketListener", records);
            }
        }
        $crate::each::each!(WaitingUnix, $stage, $check);
    };
    (WaitingUnix, $stage:ident, $check:expr) => {
        #[cfg(unix)]
        if let Some(unix) = $stage.real.as_ref().map(|real| &real.unix) {
            $check.on("blocking::UnixStream", &unix.waiting_stream);
            $check.on("blocking::UnixListener", &unix.waiting_listener);
            if let Some(seqpacket) = &unix.waiting_seqpacket {
                $check.on("blocking::UnixSeqpacket", seqpacket);
            }
            $check.on("std UnixStream", &opt::of(&unix.std_stream));
        }
        $crate::each::each!(WaitingUnixDatagram, $stage, $check);
    };
    (WaitingUnixDatagram, $stage:ident, $check:expr) => {
        #[cfg(unix)]
        if let Some(unix) = $stage.real.as_ref().map(|real| &real.unix) {
            $check.on("blocking::UnixDatagram", &unix.waiting_datagram);
            $check.on("std UnixDatagram", &opt::of(&unix.std_datagram));
        }
    };
    (Datagram, $stage:ident, $check:expr) => {
        $crate::each::each!(Udp, $stage, $check);
        if let Some(unix) = &$stage.unix {
            $check.on("UnixDatagram", &unix.datagram);
        }
        $crate::each::each!(WaitingUnixDatagram, $stage, $check);
    };
    (Waiting, $stage:ident, $check:expr) => {
        $crate::each::each!(WaitingTcp, $stage, $check);
        $crate::each::each!(WaitingUdp, $stage, $check);
        $crate::each::each!(WaitingUnix, $stage, $check);
    };
    (WaitingTcp, $stage:ident, $check:expr) => {
        if let Some(real) = &$stage.real {
            $check.on("blocking::TcpStream", &real.waiting_stream);
            $check.on("blocking::TcpListener", &real.waiting_listener);
            $check.on("std::net::TcpStream", &opt::of(&real.std_stream));
            $check.on("std::net::TcpListener", &opt::of(&real.std_listener));
        }
    };
}

pub(crate) use each;

//! What the machine answered. Nothing here judges it.
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::thread;

use reseau::blocking::{UdpSocket, UnixListener};
use reseau::{DriverReport, UnixAddr, opt};

use super::machine;
use super::trust::Trust;

/// Everything that was asked, each answer by its name.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) os: &'static str,
    pub(crate) arch: &'static str,
    pub(crate) release: Reading<String>,
    pub(crate) cpus: Reading<u64>,
    pub(crate) driver: DriverReport,
    /// `kernel.io_uring_disabled`: 0 for all, 1 for the privileged and a group, 2 for nobody.
    pub(crate) uring_disabled: Reading<u64>,
    pub(crate) limits: Limits,
    pub(crate) sockets: Sockets,
    pub(crate) trust: Trust,
}

/// What bounds a program with many or busy sockets.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) open_files: Reading<Limit>,
    pub(crate) locked_memory: Reading<Limit>,
    pub(crate) open_files_system: Reading<u64>,
    pub(crate) backlog: Reading<u64>,
    pub(crate) local_ports: Reading<(u64, u64)>,
    pub(crate) time_wait_reuse: Reading<u64>,
    pub(crate) recv_buffer: Reading<u64>,
    pub(crate) send_buffer: Reading<u64>,
}

/// Which kinds of sockets can be made, each found out by making one.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) ipv4: Reading<()>,
    pub(crate) ipv6: Reading<()>,
    pub(crate) unix: Reading<()>,
    pub(crate) unix_abstract: Reading<()>,
    /// Many datagrams in one call to the kernel, which cuts them from a long one (GSO).
    pub(crate) udp_segmentation: Reading<()>,
    /// Many datagrams in one call to the kernel, which joined them to a long one (GRO).
    pub(crate) udp_coalescing: Reading<()>,
    pub(crate) vsock: Reading<()>,
    pub(crate) vsock_device: Reading<()>,
}

/// A limit of this process. `None`: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) soft: Option<u64>,
    pub(crate) hard: Option<u64>,
}

/// What was read, or why it could not be.
pub(crate) type Reading<T> = Result<T, String>;

impl Host {
    pub(crate) fn examine() -> Self {
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            release: machine::release(),
            cpus: thread::available_parallelism()
                .map(|cpus| cpus.get() as u64)
                .map_err(|error| error.to_string()),
            driver: reseau::probe(),
            uring_disabled: kernel("kernel/io_uring_disabled"),
            limits: Limits::examine(),
            sockets: Sockets::examine(),
            trust: Trust::examine(),
        }
    }

    pub(crate) fn is_linux(&self) -> bool {
        matches!(self.os, "linux" | "android")
    }

    /// The first two numbers of the kernel's release.
    pub(crate) fn version(&self) -> Option<(u64, u64)> {
        let release = self.release.as_ref().ok()?;
        let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl Limits {
    fn examine() -> Self {
        Self {
            open_files: machine::open_files(),
            locked_memory: machine::locked_memory(),
            open_files_system: kernel("fs/file-max"),
            backlog: machine::backlog().unwrap_or_else(|| kernel("net/core/somaxconn")),
            local_ports: text("net/ipv4/ip_local_port_range").and_then(|text| pair(&text)),
            time_wait_reuse: kernel("net/ipv4/tcp_tw_reuse"),
            recv_buffer: kernel("net/core/rmem_max"),
            send_buffer: kernel("net/core/wmem_max"),
        }
    }
}

impl Sockets {
    fn examine() -> Self {
        let listen = |ip: std::net::IpAddr| {
            TcpListener::bind((ip, 0)).map(drop).map_err(|error| error.to_string())
        };
        Self {
            ipv4: listen(Ipv4Addr::LOCALHOST.into()),
            ipv6: listen(Ipv6Addr::LOCALHOST.into()),
            unix: unix(),
            unix_abstract: unix_abstract(),
            udp_segmentation: udp(|socket| socket.set(opt::Segment(1200))),
            udp_coalescing: udp(|socket| socket.set(opt::Coalesce(true))),
            vsock: machine::vsock(),
            vsock_device: machine::vsock_device(),
        }
    }
}

fn unix() -> Reading<()> {
    let path = std::env::temp_dir().join(format!("reseau-doctor-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path);
    let _ = fs::remove_file(&path);
    listener.map(drop).map_err(|error| error.to_string())
}

fn unix_abstract() -> Reading<()> {
    UnixAddr::from_abstract_name(format!("reseau-doctor-{}", std::process::id()))
        .and_then(|addr| UnixListener::bind_addr(&addr))
        .map(drop)
        .map_err(|error| error.to_string())
}

fn udp(set: impl FnOnce(&UdpSocket) -> io::Result<()>) -> Reading<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    socket.and_then(|socket| set(&socket)).map_err(|error| error.to_string())
}

/// A number below `/proc/sys`.
fn kernel(name: &str) -> Reading<u64> {
    let text = text(name)?;
    text.parse().map_err(|_| format!("`{text}` in /proc/sys/{name} is not a number"))
}

fn text(name: &str) -> Reading<String> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(format!("not on {}", std::env::consts::OS));
    }
    let path = format!("/proc/sys/{name}");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

fn pair(text: &str) -> Reading<(u64, u64)> {
    let numbers: Vec<u64> = text.split_whitespace().map_while(|part| part.parse().ok()).collect();
    match numbers[..] {
        [low, high] if low <= high => Ok((low, high)),
        _ => Err(format!("`{text}` is not a range of ports")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_is_two_ordered_numbers() {
        assert_eq!(pair("32768\t60999"), Ok((32768, 60999)));
        for text in ["", "1", "1 2 3", "2 1", "a b", "1 b"] {
            assert!(pair(text).is_err(), "{text:?}");
        }
    }
}

//! The sockets that options are tried on.
use crate::watchdog::say;
use reseau::sim::World;
use reseau::{Config, Kind, Loop, blocking, net};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

/// One socket of each kind, as far as they can be had.
pub(crate) struct Stage {
    pub(crate) stream: net::TcpStream,
    pub(crate) listener: net::TcpListener,
    pub(crate) fresh: net::TcpSocket,
    pub(crate) bound: net::TcpSocket,
    pub(crate) udp: net::UdpSocket,
    pub(crate) unix: Option<UnixStage>,
    /// Those that a simulated world does not have.
    pub(crate) real: Option<RealStage>,
}

pub(crate) struct UnixStage {
    pub(crate) stream: net::UnixStream,
    pub(crate) listener: net::UnixListener,
    pub(crate) fresh: net::UnixSocket,
    pub(crate) datagram: net::UnixDatagram,
    /// Not on macOS.
    pub(crate) seqpacket: Option<net::UnixSeqpacket>,
    pub(crate) records: Option<net::UnixSeqpacketListener>,
}

pub(crate) struct RealStage {
    pub(crate) waiting_stream: blocking::TcpStream,
    pub(crate) waiting_listener: blocking::TcpListener,
    pub(crate) waiting_udp: blocking::UdpSocket,
    pub(crate) std_stream: std::net::TcpStream,
    pub(crate) std_listener: std::net::TcpListener,
    pub(crate) std_udp: std::net::UdpSocket,
    #[cfg(unix)]
    pub(crate) unix: RealUnix,
}

#[cfg(unix)]
pub(crate) struct RealUnix {
    pub(crate) waiting_stream: blocking::UnixStream,
    pub(crate) waiting_listener: blocking::UnixListener,
    pub(crate) waiting_datagram: blocking::UnixDatagram,
    pub(crate) waiting_seqpacket: Option<blocking::unix::UnixSeqpacket>,
    pub(crate) std_stream: std::os::unix::net::UnixStream,
    pub(crate) std_datagram: std::os::unix::net::UnixDatagram,
}

/// Which kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    Loop(Kind),
    Simulated,
}

/// Which version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ip {
    V4,
    V6,
}

impl Ground {
    pub(crate) const ALL: [Self; 3] =
        [Self::Loop(Kind::Uring), Self::Loop(Kind::Ready), Self::Simulated];

    /// Runs `body` there; `None` where there is no such ground, which is said.
    pub(crate) fn run<T>(self, body: impl Future<Output = T>) -> Option<T> {
        let kind = match self {
            Self::Simulated => return Some(World::new(7).run(body)),
            Self::Loop(kind) => kind,
        };
        let config = Config { kind: Some(kind), ..Config::default() };
        match Loop::with(&config) {
            Ok(lp) => Some(lp.block_on(body)),
            Err(error) => {
                assert!(kind == Kind::Uring, "{kind} must work: {error}");
                say(&format!("skipped: options on {kind}: {error}"));
                None
            }
        }
    }
}

impl Ip {
    fn any_port(self) -> SocketAddr {
        let addr = match self {
            Self::V4 => IpAddr::from(Ipv4Addr::LOCALHOST),
            Self::V6 => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        SocketAddr::new(addr, 0)
    }

    /// Whether this machine has it.
    pub(crate) fn is_here(self) -> bool {
        std::net::TcpListener::bind(self.any_port()).is_ok()
    }

    fn socket(self) -> io::Result<net::TcpSocket> {
        match self {
            Self::V4 => net::TcpSocket::new_v4(),
            Self::V6 => net::TcpSocket::new_v6(),
        }
    }
}

impl Stage {
    pub(crate) async fn set(ground: Ground, ip: Ip) -> io::Result<Self> {
        let listener = net::TcpListener::bind(ip.any_port()).await?;
        let stream = net::TcpStream::connect(listener.local_addr()?).await?;
        let bound = ip.socket()?;
        bound.bind(ip.any_port())?;
        let real = match ground {
            Ground::Simulated => None,
            Ground::Loop(_) => Some(RealStage::set(ip)?),
        };
        let simulated = real.is_none();
        let unix = if cfg!(unix) || simulated { Some(UnixStage::set()?) } else { None };
        let udp = net::UdpSocket::bind(ip.any_port()).await?;
        Ok(Self { stream, listener, fresh: ip.socket()?, bound, udp, unix, real })
    }
}

impl UnixStage {
    fn set() -> io::Result<Self> {
        let path = place();
        let listener = net::UnixListener::bind(&path)?;
        let _ = std::fs::remove_file(&path);
        let (stream, _) = net::UnixStream::pair()?;
        let path = place();
        let records = net::UnixSeqpacketListener::bind(&path).ok();
        let _ = std::fs::remove_file(&path);
        Ok(Self {
            stream,
            listener,
            fresh: net::UnixSocket::new_stream()?,
            datagram: net::UnixDatagram::unbound()?,
            seqpacket: net::UnixSeqpacket::pair().ok().map(|(one, _)| one),
            records,
        })
    }
}

impl RealStage {
    fn set(ip: Ip) -> io::Result<Self> {
        let waiting_listener = blocking::TcpListener::bind(ip.any_port())?;
        let waiting_stream = blocking::TcpStream::connect(waiting_listener.local_addr()?)?;
        let std_listener = std::net::TcpListener::bind(ip.any_port())?;
        let std_stream = std::net::TcpStream::connect(std_listener.local_addr()?)?;
        let std_udp = std::net::UdpSocket::bind(ip.any_port())?;
        Ok(Self {
            waiting_stream,
            waiting_listener,
            waiting_udp: blocking::UdpSocket::bind(ip.any_port())?,
            std_stream,
            std_listener,
            std_udp,
            #[cfg(unix)]
            unix: RealUnix::set()?,
        })
    }
}

#[cfg(unix)]
impl RealUnix {
    fn set() -> io::Result<Self> {
        let path = place();
        let waiting_listener = blocking::UnixListener::bind(&path)?;
        let _ = std::fs::remove_file(&path);
        Ok(Self {
            waiting_stream: blocking::UnixStream::pair()?.0,
            waiting_listener,
            waiting_datagram: blocking::UnixDatagram::unbound()?,
            waiting_seqpacket: blocking::unix::UnixSeqpacket::pair().ok().map(|(one, _)| one),
            std_stream: std::os::unix::net::UnixStream::pair()?.0,
            std_datagram: std::os::unix::net::UnixDatagram::unbound()?,
        })
    }
}

/// A path that nobody else has.
fn place() -> std::path::PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("reseau-options-{}-{count}", std::process::id()))
}

//! Where a server is asked to listen, and what to do when a place is taken.
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use reseau::dns::services::{self, Protocol};
use reseau::{Addr, UnixAddr};

use super::spec::{Spec, Spot, Traffic};
use crate::failure::Failure;

/// An address to listen on, and another for when it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) wanted: Spot,
    /// Only places that nobody asked for have one: those who ask want what they said.
    pub(crate) otherwise: Option<Addr>,
    /// Whether it is to have the port of the last that listens for TCP, whichever that became.
    pub(crate) beside: bool,
    /// Whether the server runs without it: `:80` means IPv6 as well, where there is IPv6.
    pub(crate) optional: bool,
}

impl Place {
    /// What a user asks for.
    pub(crate) fn asked(spec: &Spec) -> Result<Vec<Self>, Failure> {
        let exactly = |addr| Self::exactly(spec.traffic, addr);
        let mut endpoint = spec.endpoint.clone();
        if let Some(service) = endpoint.service() {
            let protocol = match spec.traffic {
                Traffic::Streams | Traffic::Tls => Protocol::Tcp,
                Traffic::Datagrams => Protocol::Udp,
            };
            let port = services::port(service, protocol).map_err(Failure::usage)?;
            endpoint = endpoint.with_port(port);
        }
        if let Some([first, second]) = endpoint.loopback_addrs() {
            let second = Self { optional: true, ..exactly(second.into()) };
            return Ok(vec![exactly(first.into()), second]);
        }
        let addr = endpoint.to_addr().map_err(Failure::usage)?;
        Ok(vec![exactly(addr)])
    }

    /// Where a server listens that was not told: on loopback, and on Unix sockets where there
    /// are any.
    pub(crate) fn defaults() -> Vec<Self> {
        let loopback = |port| Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let inet = |traffic| {
            let beside = traffic == Traffic::Datagrams;
            let wanted = Self::exactly(traffic, loopback(PORT));
            Self { otherwise: Some(loopback(0)), beside, ..wanted }
        };
        let mut places = vec![inet(Traffic::Streams), inet(Traffic::Datagrams)];
        let names = [(Traffic::Streams, "reseau-echo"), (Traffic::Datagrams, "reseau-echo-dgram")];
        // Elsewhere nobody expects Unix streams; that there are no datagrams is said.
        let streams = if cfg!(unix) { 0 } else { 1 };
        for (traffic, name) in names.into_iter().skip(streams) {
            let own = format!("{name}-{}.sock", std::process::id());
            let path = |name: &str| UnixAddr::from_pathname(runtime_dir().join(name));
            // A path too long for a socket is no reason to serve nothing.
            if let (Ok(wanted), Ok(otherwise)) = (path(&format!("{name}.sock")), path(&own)) {
                let otherwise = Some(otherwise.into());
                places.push(Self { otherwise, ..Self::exactly(traffic, wanted.into()) });
            }
        }
        // Whoever wants TLS has a port to try it on, with a certificate that is made on the spot.
        let tls = Self::exactly(Traffic::Tls, loopback(TLS_PORT));
        places.push(Self { otherwise: Some(loopback(0)), ..tls });
        places
    }

    fn exactly(traffic: Traffic, addr: Addr) -> Self {
        let wanted = Spot { traffic, addr };
        Self { wanted, otherwise: None, beside: false, optional: false }
    }
}

/// A socket's file that this process made. Dropping it removes the file, unless somebody has put
/// another one in its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path) }
    }

    /// Whether a socket's file is there, of the living or the dead.
    pub(crate) fn is_at(path: &Path) -> bool {
        is_socket(path) == Some(true)
    }

    /// Makes room at a path: removes a file that a dead server left behind, a socket at which
    /// nobody answers, and says whether there was one.
    ///
    /// # Errors
    /// Something that is no socket lies there.
    pub(crate) fn clear_stale(path: &Path) -> io::Result<bool> {
        match is_socket(path) {
            Some(true) => {
                let found = identity(path);
                // Whoever has taken the path since then lives.
                let stale = nobody_answers(path) && identity(path) == found;
                Ok(stale && fs::remove_file(path).is_ok())
            }
            Some(false) => {
                let why = format!("bind unix:{}: a file is there, and no socket", path.display());
                Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
            }
            None => Ok(false),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // If it cannot be removed, the next server will find that nobody answers there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What tells a file from another one that took its path.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    let made = fs::symlink_metadata(path).ok()?.created().ok()?;
    let since = made.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((since.as_secs(), since.subsec_nanos().into()))
}

/// Whether what lies at a path is a socket. `None`: there is nothing, or nobody can say.
#[cfg(unix)]
fn is_socket(path: &Path) -> Option<bool> {
    use std::os::unix::fs::FileTypeExt as _;
    fs::symlink_metadata(path).ok().map(|data| data.file_type().is_socket())
}

#[cfg(not(unix))]
fn is_socket(_: &Path) -> Option<bool> {
    None
}

/// A connect for datagrams has to wait for nobody, and a living socket of another kind refuses it
/// in other words.
#[cfg(unix)]
fn nobody_answers(path: &Path) -> bool {
    use std::os::unix::net::UnixDatagram;
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(not(unix))]
fn nobody_answers(_: &Path) -> bool {
    false
}

/// Where this user's sockets belong.
fn runtime_dir() -> PathBuf {
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}

/// Echo's own port is 7, and needs root.
const PORT: u16 = 7007;
const TLS_PORT: u16 = 7008;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Vec<String>, Failure> {
        let places = Place::asked(&text.parse().unwrap())?;
        Ok(places.iter().map(|place| place.wanted.to_string()).collect())
    }

    #[test]
    fn an_endpoint_without_a_host_is_loopback_twice() {
        assert_eq!(asked(":80").unwrap(), ["127.0.0.1:80", "[::1]:80"]);
        assert_eq!(asked("udp://:80").unwrap(), ["udp://127.0.0.1:80", "udp://[::1]:80"]);
        assert_eq!(asked("10.0.0.1:80").unwrap(), ["10.0.0.1:80"]);
        assert_eq!(asked("udp://[::1]:domain").unwrap(), ["udp://[::1]:53"]);
        assert_eq!(asked(":http").unwrap(), ["127.0.0.1:80", "[::1]:80"]);
        let places = Place::asked(&":80".parse().unwrap()).unwrap();
        assert_eq!(places.iter().map(|p| p.optional).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn names_and_unknown_zones_are_refused() {
        for text in [
            "example.com:80",
            "127.0.0.1:no-such-name",
            "[fe80::1%no-such-interface]:80",
            "[fe80::1%..]:80",
        ] {
            assert!(asked(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_places_nobody_asked_for_may_move() {
        assert!(Place::defaults().iter().all(|place| place.otherwise.is_some()));
        assert!(Place::asked(&"127.0.0.1:1".parse().unwrap()).unwrap()[0].otherwise.is_none());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_file_of_a_dead_server_is_stale() {
        use std::os::unix::net::UnixListener;
        let path = std::env::temp_dir().join(format!("reseau-stale-{}", std::process::id()));
        let cleared = || SocketFile::clear_stale(&path).map_err(|error| error.kind());
        assert_eq!(cleared(), Ok(false));
        fs::write(&path, "not a socket").unwrap();
        assert_eq!(cleared(), Err(io::ErrorKind::AlreadyExists));
        fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(cleared(), Ok(false));
        drop(listener);
        assert_eq!(cleared(), Ok(true));
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn files_of_datagram_sockets_are_no_different() {
        use std::os::unix::net::UnixDatagram;
        let path = std::env::temp_dir().join(format!("reseau-dgram-{}", std::process::id()));
        let cleared = || SocketFile::clear_stale(&path).map_err(|error| error.kind());
        let socket = UnixDatagram::bind(&path).unwrap();
        assert_eq!(cleared(), Ok(false));
        drop(socket);
        assert_eq!(cleared(), Ok(true));
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_file_removes_only_itself() {
        use std::os::unix::net::UnixListener;
        let path = std::env::temp_dir().join(format!("reseau-own-{}", std::process::id()));
        let first = UnixListener::bind(&path).unwrap();
        let file = SocketFile::new(&path);
        // A successor takes the path while the first still lives, so inodes cannot be reused.
        fs::rename(&path, path.with_extension("old")).unwrap();
        let second = UnixListener::bind(&path).unwrap();
        let own = SocketFile::new(&path);
        drop(file);
        assert!(path.exists());
        drop(own);
        assert!(!path.exists());
        drop((first, second));
        fs::remove_file(path.with_extension("old")).unwrap();
    }
}

//! What can be connected to and listened on: addresses at once, names by the system's resolver,
//! or by the world's in a simulated loop.
use std::future::pending;
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs as _,
};
use std::time::Duration;

use sealed::Place;

use crate::driver::Home;
use crate::error::{Error, Operation, Phase};
use crate::rt::{Remote, offload, sleep};
use crate::sys::sim::World;

/// What [`TcpStream::connect`](crate::TcpStream::connect) and
/// [`TcpListener::bind`](crate::TcpListener::bind) take: what std's trait of this name takes.
///
/// Addresses, alone or in slices, as pairs of an IP address and a port, or as text, are taken as
/// they are. Other text is `name:port`, whose name the system's resolver looks up, on a thread of
/// its own. In a simulated loop the world is asked ([`World::name`](crate::sim::World::name)).
///
/// The trait cannot be implemented elsewhere.
pub trait ToSocketAddrs: sealed::Sealed {}

/// The addresses of `host`, which is what [`ToSocketAddrs`] says.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// let found: Vec<_> = reseau::net::lookup_host("127.0.0.1:80").await?.collect();
/// assert_eq!(found, [([127, 0, 0, 1], 80).into()]);
/// # Ok(())
/// # })
/// # }
/// ```
///
/// # Errors
/// `InvalidInput` if the text has no port or a wrong one; else the resolver's.
pub async fn lookup_host<T: ToSocketAddrs>(
    host: T,
) -> io::Result<impl Iterator<Item = SocketAddr>> {
    let home = Remote::current()?;
    let found = Found::of(&host, Operation::Resolve, home.home()).await?;
    Ok(found.addrs.into_iter())
}

/// What came of what a caller named.
pub(super) struct Found {
    /// The name, if it was one.
    pub(super) name: Option<String>,
    pub(super) addrs: Vec<SocketAddr>,
}

impl Found {
    /// Looks up what `operation` was asked to work on.
    pub(super) async fn of<A: ToSocketAddrs>(
        named: &A,
        operation: Operation,
        home: &Home,
    ) -> io::Result<Self> {
        // Made before the first await, so that nobody waits for a lookup with `named` in hand.
        let place = named.place();
        let failed = |error, name: &str| {
            let error = Error::new(operation, error).phase_at(Phase::Name);
            if name.is_empty() { error } else { error.target(name) }
        };
        let (host, port) = match place {
            Ok(Place::Known(addr)) => return Ok(Self { name: None, addrs: vec![addr] }),
            Ok(Place::List(addrs)) => return Ok(Self { name: None, addrs }),
            Ok(Place::Name(host, port)) => (host, port),
            Err((error, text)) => return Err(failed(error, &text).into()),
        };
        let name = format!("{host}:{port}");
        let found = if let Some(world) = home.world() {
            let found = simulated(world, &host).await;
            found.map(|ips| ips.into_iter().map(|ip| (ip, port).into()).collect())
        } else {
            let work = move || (host.as_str(), port).to_socket_addrs().map(Vec::from_iter);
            offload(work).await.and_then(|found| found)
        };
        match found {
            Ok(addrs) => Ok(Self { name: Some(name), addrs }),
            Err(error) => Err(failed(error, &name).into()),
        }
    }
}

/// What the world says about a host: both families are asked at once, the answer is complete when
/// both have come, and IPv6 goes first (RFC 6724).
async fn simulated(world: &World, host: &str) -> io::Result<Vec<IpAddr>> {
    let (v6, v4) = (world.lookup(host, true), world.lookup(host, false));
    let after = v6.0.max(v4.0);
    if after == Duration::MAX {
        return pending().await;
    }
    sleep(after).await;
    let found = [&v6.1, &v4.1].into_iter().flatten().flatten().copied().collect::<Vec<_>>();
    if !found.is_empty() {
        return Ok(found);
    }
    v4.1.and(v6.1)?;
    Err(io::Error::new(io::ErrorKind::NotFound, "the host has no addresses"))
}

#[allow(unnameable_types)] // That is what seals it.
mod sealed {
    use std::io;
    use std::net::SocketAddr;

    pub trait Sealed {
        /// An error comes with the text that it is about.
        fn place(&self) -> Result<Place, (io::Error, String)>;
    }

    /// What can be had of it without asking anybody.
    pub enum Place {
        Known(SocketAddr),
        List(Vec<SocketAddr>),
        Name(String, u16),
    }
}

type Placed = Result<Place, (io::Error, String)>;

/// What is an address already.
macro_rules! known {
    ($($type:ty),*) => {$(
        impl ToSocketAddrs for $type {}

        impl sealed::Sealed for $type {
            fn place(&self) -> Placed {
                Ok(Place::Known(SocketAddr::from(*self)))
            }
        }
    )*};
}

known!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl ToSocketAddrs for &[SocketAddr] {}

impl sealed::Sealed for &[SocketAddr] {
    fn place(&self) -> Placed {
        Ok(Place::List(self.to_vec()))
    }
}

impl ToSocketAddrs for (&str, u16) {}

impl sealed::Sealed for (&str, u16) {
    fn place(&self) -> Placed {
        let (host, port) = *self;
        Ok(match host.parse::<IpAddr>() {
            Ok(ip) => Place::Known((ip, port).into()),
            Err(_) => Place::Name(host.to_owned(), port),
        })
    }
}

impl ToSocketAddrs for (String, u16) {}

impl sealed::Sealed for (String, u16) {
    fn place(&self) -> Placed {
        (self.0.as_str(), self.1).place()
    }
}

impl ToSocketAddrs for str {}

impl sealed::Sealed for str {
    fn place(&self) -> Placed {
        if let Ok(addr) = self.parse() {
            return Ok(Place::Known(addr));
        }
        let flaw = |what| {
            let error = io::Error::new(io::ErrorKind::InvalidInput, what);
            (error, self.to_owned())
        };
        let (host, port) = self.rsplit_once(':').ok_or_else(|| flaw("no `:port` at the end"))?;
        let port = port.parse().map_err(|_| flaw("the port is not a number up to 65535"))?;
        Ok(Place::Name(host.to_owned(), port))
    }
}

impl ToSocketAddrs for String {}

impl sealed::Sealed for String {
    fn place(&self) -> Placed {
        self.as_str().place()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}

impl<T: ToSocketAddrs + ?Sized> sealed::Sealed for &T {
    fn place(&self) -> Placed {
        (**self).place()
    }
}

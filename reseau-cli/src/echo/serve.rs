//! The part of the server that runs on the loops.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use reseau::tls::{self, TlsListener, TlsStream};
use reseau::{
    Addr, Family, Inet, Listener, Remote, Socket, Stream, TcpListener, TcpSocket, UdpSocket,
    UnixDatagram, VsockListener, kind, opt,
};

use super::datagrams;
use super::spec::{Spot, Traffic};
use super::tally::Tally;

/// Serves at `spot` on the loop of `home` from then on. Returns where it does once it does. With
/// `shared`, other loops may serve at the same address.
pub(crate) fn start(
    home: &Remote,
    spot: Spot,
    shared: bool,
    secure: Option<tls::Server>,
    tally: Arc<Tally>,
) -> io::Result<Addr> {
    let (tell, told) = mpsc::channel();
    home.spawn(move || async move {
        // Nobody is told of what comes later: it is counted.
        if let Err(error) = serve(spot, shared, secure, tally, &tell).await {
            let _ = tell.send(Err(error));
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the loop has ended")))
}

async fn serve(
    spot: Spot,
    shared: bool,
    secure: Option<tls::Server>,
    tally: Arc<Tally>,
    tell: &mpsc::Sender<io::Result<Addr>>,
) -> io::Result<()> {
    let tell = |addr| {
        let _ = tell.send(Ok(addr));
    };
    match (spot.traffic, spot.addr) {
        (Traffic::Tls, Addr::Inet(addr)) => {
            let server = secure.ok_or(io::ErrorKind::InvalidInput)?;
            let listener = listen(addr, shared).await?;
            tell(listener.local_addr()?.into());
            let failures = Arc::clone(&tally);
            let listener = listener.tls(&server).watch(move |_| failures.tls.failed());
            accept_tls(listener, tally).await;
        }
        (Traffic::Streams, Addr::Inet(addr)) => {
            let listener = listen(addr, shared).await?;
            tell(listener.local_addr()?.into());
            accept(listener, tally, |stream| stream.set_nodelay(true)).await;
        }
        (Traffic::Datagrams, Addr::Inet(addr)) => {
            let socket = receive(addr, shared).await?;
            tell(socket.local_addr()?.into());
            datagrams::udp(socket, tally).await;
        }
        (Traffic::Streams, Addr::Unix(addr)) => {
            let listener = reseau::listen(addr.clone()).claim(true).await?;
            tell(addr.into());
            accept(listener, tally, |_| Ok(())).await;
        }
        (Traffic::Datagrams, Addr::Unix(addr)) => {
            let socket = UnixDatagram::bind_addr(&addr)?;
            tell(addr.into());
            datagrams::unix(socket, tally).await;
        }
        (Traffic::Streams, Addr::Vsock(addr)) => {
            let listener = VsockListener::bind_addr(addr)?;
            tell(listener.local_addr()?.into());
            accept(listener, tally, |_| Ok(())).await;
        }
        (_, other) => {
            let why = format!("{other}: no such sockets on this system");
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
    }
    Ok(())
}

async fn listen(addr: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    if !shared {
        return TcpListener::bind(addr).await;
    }
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

async fn receive(addr: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    if !shared {
        return UdpSocket::bind(addr).await;
    }
    let socket = Socket::<Inet, kind::Dgram>::for_addr(&addr)?;
    socket.set(opt::ReusePort(true))?;
    socket.bind(addr)?;
    socket.into_datagram()
}

/// Accepts for ever. What accept refuses is counted, and tried again after a pause.
async fn accept<F: Family>(
    listener: Listener<F>,
    tally: Arc<Tally>,
    prepare: impl Fn(&Stream<F>) -> io::Result<()>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Where the option is missing the echo is slower, and right.
                let _ = prepare(&stream);
                reseau::spawn_local(connection(stream, Arc::clone(&tally))).detach();
            }
            Err(_) => {
                tally.refused();
                reseau::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection<F: Family>(stream: Stream<F>, tally: Arc<Tally>) {
    tally.opened();
    if echo(stream, &tally).await.is_err() {
        tally.failed();
    }
    tally.closed();
}

async fn echo<F: Family>(mut stream: Stream<F>, tally: &Tally) -> io::Result<()> {
    while let Some(chunk) = stream.recv().await? {
        let bytes = chunk.len();
        tally.received(bytes);
        stream.send(chunk).await?;
        tally.sent(bytes);
    }
    stream.flush().await
}

/// As [`accept`]: those whose handshakes fail are counted by themselves, and are no connections.
async fn accept_tls(listener: TlsListener<Inet>, tally: Arc<Tally>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                tally.tls.done(stream.session().is_resumed());
                reseau::spawn_local(connection_tls(stream, Arc::clone(&tally))).detach();
            }
            Err(_) => {
                tally.refused();
                reseau::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection_tls(stream: TlsStream<Inet>, tally: Arc<Tally>) {
    tally.opened();
    if echo_tls(stream, &tally).await.is_err() {
        tally.failed();
    }
    tally.closed();
}

/// As [`echo`], and with the word that tells an end from a cut.
async fn echo_tls(mut stream: TlsStream<Inet>, tally: &Tally) -> io::Result<()> {
    while let Some(chunk) = stream.recv().await? {
        let bytes = chunk.len();
        tally.received(bytes);
        stream.send(chunk).await?;
        tally.sent(bytes);
    }
    stream.finish().await
}

/// What the kernel cuts to its own bound, if that is lower.
const BACKLOG: u32 = 4096;
/// Long enough not to spin when there are no descriptors left.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

//! The part of the server that runs on the loops.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use reseau::{
    Addr, Family, Listener, Remote, Stream, TcpListener, TcpSocket, UnixListener, VsockListener,
};

use super::tally::Tally;

/// Listens on `addr` on the loop of `home` and echoes from then on. Returns where it listens once
/// it does. With `shared`, other loops may listen on the same address.
pub(crate) fn start(
    home: &Remote,
    addr: Addr,
    shared: bool,
    tally: Arc<Tally>,
) -> io::Result<Addr> {
    let (tell, told) = mpsc::channel();
    home.spawn(move || async move {
        match addr {
            Addr::Inet(addr) => match listen(addr, shared).await {
                Ok(listener) => {
                    let _ = tell.send(listener.local_addr().map(Addr::from));
                    accept(listener, tally, |stream| stream.set_nodelay(true)).await;
                }
                Err(error) => drop(tell.send(Err(error))),
            },
            Addr::Unix(addr) => match UnixListener::bind_addr(&addr) {
                Ok(listener) => {
                    let _ = tell.send(Ok(Addr::from(addr)));
                    accept(listener, tally, |_| Ok(())).await;
                }
                Err(error) => drop(tell.send(Err(error))),
            },
            Addr::Vsock(addr) => match VsockListener::bind_addr(addr) {
                Ok(listener) => {
                    let _ = tell.send(listener.local_addr().map(Addr::from));
                    accept(listener, tally, |_| Ok(())).await;
                }
                Err(error) => drop(tell.send(Err(error))),
            },
            other => {
                let why = format!("{other}: no such sockets on this system");
                drop(tell.send(Err(io::Error::new(io::ErrorKind::Unsupported, why))));
            }
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the loop has ended")))
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

/// What the kernel cuts to its own bound, if that is lower.
const BACKLOG: u32 = 4096;
/// Long enough not to spin when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

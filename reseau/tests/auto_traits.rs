//! Pins which values may cross threads. Nothing here runs: it compiles or it does not.
#![cfg(feature = "async")]

use reseau::net::{
    Detached, DetachedListener, Inet, Interest, Listener, OwnedReadHalf, OwnedWriteHalf, ReadHalf,
    Ready, ReuniteError, Stream, TcpSocket, Unix, UnixSeqpacket, UnixSeqpacketListener, UnixSocket,
    Vsock, WriteHalf, lookup_host,
};
use reseau::{
    Addr, Batch, Chunk, Config, Datagram, DriverReport, Endpoint, Group, Loop, Packet, Remote,
    Socket, TcpListener, TcpStream, UdpSocket, UnixAddr, UnixDatagram, UnixListener, UnixStream,
    VsockAddr, kind,
};

/// The values: each `Send`, `Sync` and `Unpin`.
macro_rules! travel {
    ($($type:ty),* $(,)?) => {
        const _: fn() = || { $(everywhere::<$type>();)* };
    };
}

travel! {
    TcpStream, TcpListener, UnixStream, UnixListener, Stream<Inet>, Listener<Unix>,
    ReadHalf<'static, Inet>, WriteHalf<'static, Inet>, OwnedReadHalf<Inet>, OwnedWriteHalf<Inet>,
    ReadHalf<'static, Unix>, WriteHalf<'static, Unix>, OwnedReadHalf<Unix>, OwnedWriteHalf<Unix>,
    TcpSocket, UnixSocket, Detached<Inet>, Detached<Unix>, DetachedListener<Inet>,
    ReuniteError<Inet>, Interest, Ready, Remote, Group, Config, DriverReport, Chunk, Addr,
    UnixAddr, Endpoint, reseau::Error, UdpSocket, UnixDatagram, Datagram<Inet>, UnixSeqpacket,
    UnixSeqpacketListener, Stream<Vsock>, Listener<Vsock>, Socket<Inet, kind::Dgram>, Packet, Batch,
    VsockAddr, reseau::DialReport, reseau::Proxy, reseau::dial::News, reseau::dial::Unconnected,
}

#[cfg(feature = "tls")]
travel! {
    reseau::tls::TlsListener<Inet>, reseau::tls::TlsListener, reseau::tls::MaybeTlsListener<Unix>,
    reseau::tls::MaybeTls<Inet>, reseau::tls::MaybeTls, reseau::tls::Failure,
    reseau::tls::MaybeReadHalf<Unix>, reseau::tls::MaybeWriteHalf<Unix>,
    reseau::blocking::TlsListener, reseau::blocking::MaybeTlsListener, reseau::blocking::MaybeTls,
}

#[cfg(feature = "tls")]
travel! {
    reseau::tls::TlsStream<Inet>, reseau::tls::TlsStream, reseau::tls::ReadHalf<'static, Inet>,
    reseau::tls::WriteHalf<'static, Inet>, reseau::tls::OwnedReadHalf<Inet>,
    reseau::tls::OwnedWriteHalf<Inet>, reseau::tls::ReuniteError, reseau::tls::Session,
    reseau::tls::Broken, reseau::tls::Client, reseau::tls::Server, reseau::tls::Side,
    reseau::tls::Identity, reseau::tls::Roots, reseau::tls::ClientCerts, reseau::tls::Unfit,
    reseau::blocking::TlsStream, reseau::sockets::julia::TCPSocket,
    reseau::sockets::julia::Connect, reseau::sockets::julia::Listen,
}

/// Sockets may be used after a panic that others caught, as tokio's may.
#[allow(dead_code)]
fn calm() {
    fn calm<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    calm::<TcpStream>();
    calm::<TcpListener>();
    calm::<UdpSocket>();
    calm::<UnixStream>();
    calm::<UnixDatagram>();
    calm::<UnixSeqpacket>();
    calm::<Chunk>();
    #[cfg(feature = "tls")]
    calm::<reseau::tls::TlsStream>();
    #[cfg(feature = "tls")]
    calm::<reseau::blocking::TlsStream>();
}

/// The futures: each `Send`, so that it may be awaited in a task of any executor.
#[allow(dead_code)]
mod futures {
    use super::*;

    fn sockets(home: &Remote, name: &'static str, addr: std::net::SocketAddr) {
        send(TcpStream::connect(name));
        send(TcpStream::connect(addr));
        send(TcpStream::connect((String::new(), 1)));
        send(TcpStream::connect_on(home, name));
        send(TcpListener::bind(name));
        send(UdpSocket::bind(name));
        send(TcpListener::bind_on(home, addr));
        send(lookup_host(name));
        let Ok(socket) = TcpSocket::new_v4() else { return };
        send(socket.connect(addr));
        let Ok(socket) = UnixSocket::new_stream() else { return };
        send(socket.connect(name));
        send(UnixStream::connect(name));
        send(UnixStream::connect_addr(&UnixAddr::unnamed()));
    }

    fn listener(listener: TcpListener, other: UnixListener, home: &Remote) {
        send(listener.accept());
        send(listener.accept_on(home));
        send(listener.detach());
        send(other.accept());
    }

    #[cfg(feature = "tls")]
    fn tls(listener: reseau::tls::TlsListener, server: &reseau::tls::Server, buf: &mut [u8]) {
        send(reseau::listen(":0").tls(server).into_future());
        send(reseau::listen_any("", 0).tls(server).into_future());
        send(listener.accept());
        let (listener, stream) = (listener.plain_too(), None::<reseau::tls::MaybeTls>);
        send(listener.accept());
        let Some(mut stream) = stream else { return };
        send(stream.recv());
        send(stream.read_exact(buf));
        send(stream.send("text"));
        send(stream.flush());
        send(stream.finish());
        send(stream.close());
    }

    fn stream(mut stream: TcpStream, other: TcpStream, buf: &mut [u8]) {
        send(stream.recv());
        send(stream.read_exact(buf));
        send(stream.peek(buf));
        send(stream.readable());
        send(stream.writable());
        send(stream.ready(Interest::READABLE));
        send(stream.send("text"));
        send(stream.send(Vec::new()));
        send(stream.flush());
        send(stream.finish());
        send(stream.close());
        send(other.detach());
    }

    fn halves(mut read: OwnedReadHalf<Unix>, mut write: OwnedWriteHalf<Unix>, buf: &mut [u8]) {
        send(read.recv());
        send(read.read_exact(buf));
        send(read.peek(buf));
        send(read.readable());
        send(read.ready(Interest::READABLE));
        send(write.send("text"));
        send(write.flush());
        send(write.finish());
        send(write.writable());
    }

    fn dials(name: &'static str, limit: std::time::Duration) {
        let dial =
            || reseau::connect(name).limit(limit).watch(|_| {}).set(reseau::opt::Nodelay(true));
        send(dial());
        send(dial().into_future());
        send(dial().with_report());
        send(TcpStream::dial(name).into_future());
    }

    fn time(limit: std::time::Duration) {
        send(reseau::sleep(limit));
        send(reseau::timeout(limit, async {}));
        send(reseau::offload(|| 1));
        send(reseau::spawn(async {}));
    }
}

/// A loop stays on its thread. With both of these in scope, `some` could mean either for a type
/// that is `Send`, and the compiler would not choose.
trait StaysHere<Marker> {
    fn some() {}
}
impl<T: ?Sized> StaysHere<()> for T {}
impl<T: ?Sized + Send> StaysHere<u8> for T {}
const _: fn() = || {
    let _ = <Loop as StaysHere<_>>::some;
};

fn everywhere<T: Send + Sync + Unpin>() {}

fn send<T: Send>(_: T) {}

/// The futures of messages.
#[allow(dead_code)]
mod messages {
    use super::*;

    fn send<T: Send>(_: T) {}

    fn udp(socket: &UdpSocket, buf: &mut [u8], batch: &mut Batch, packet: &Packet) {
        send(socket.recv_from(buf));
        send(socket.recv_packet(buf));
        send(socket.send_packet(buf, packet));
        send(socket.send_to(buf, "127.0.0.1:1"));
        send(socket.recv_batch(batch));
        send(socket.send_batch(batch));
        send(socket.readable());
        send(socket.ready(Interest::READABLE));
        send(socket.connect("127.0.0.1:1"));
    }

    #[cfg(unix)]
    fn unix(stream: &mut UnixStream, socket: &UnixDatagram, buf: &mut [u8]) {
        send(stream.recv_fds(buf, 1));
        send(socket.recv_fds(buf, 1));
        send(socket.send_to(buf, "path"));
        send(UnixSeqpacket::connect("path"));
    }

    fn ends(stream: TcpStream, at: std::time::Instant) {
        send(stream.close_gracefully(at));
    }
}

/// The futures of streams that speak TLS.
#[cfg(feature = "tls")]
#[allow(dead_code)]
mod tls {
    use super::*;
    use reseau::tls::{OwnedReadHalf, OwnedWriteHalf, Side, TlsStream};

    fn stream(mut stream: TlsStream<Inet>, plain: TcpStream, side: Side, buf: &mut [u8]) {
        send(plain.start_tls(side));
        send(stream.recv());
        send(stream.read_exact(buf));
        send(stream.peek(buf));
        send(stream.readable());
        send(stream.writable());
        send(stream.ready(Interest::READABLE));
        send(stream.send("text"));
        send(stream.flush());
        send(stream.finish());
        send(stream.close());
    }

    fn halves(mut read: OwnedReadHalf<Unix>, mut write: OwnedWriteHalf<Unix>, buf: &mut [u8]) {
        send(read.recv());
        send(read.read_exact(buf));
        send(read.peek(buf));
        send(read.readable());
        send(read.ready(Interest::READABLE));
        send(write.send("text"));
        send(write.flush());
        send(write.finish());
        send(write.writable());
    }

    fn ends(stream: TlsStream, at: std::time::Instant) {
        send(stream.close_gracefully(at));
    }
}

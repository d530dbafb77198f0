//! Connections that do not come about, and addresses that cannot be had.
use crate::everywhere;
use crate::stage::{any, listen, listen_in, poll_once, run, settle, take};
use reseau::error::{Class, Error, Operation};
use reseau::{Kind, TcpListener, TcpSocket, TcpStream, timeout};
use std::io::ErrorKind;
use std::time::Duration;

everywhere!(
    refused,
    address_in_use,
    nowhere_takes_no_longer_than_its_limit,
    a_full_backlog_drains,
    many_addresses_are_tried,
    a_bound_socket_connects_from_there,
    #[cfg(unix)]
    unix_refusals,
    #[cfg(unix)]
    a_full_unix_backlog_is_waited_for,
);

fn refused(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen_in(11).await;
        drop(listener);
        settle().await;
        for _ in 0..5 {
            let error = TcpStream::connect(addr).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let detail = Error::of(&error).expect("it says what it was about");
            assert_eq!(detail.operation(), Operation::Connect);
            assert!(error.to_string().contains(&addr.to_string()), "{error}");
        }
    });
}

fn address_in_use(kind: Kind) {
    run(kind, async {
        let (_listener, addr) = listen().await;
        let error = TcpListener::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let detail = Error::of(&error).expect("it says what it was about");
        assert_eq!(detail.class(), Class::Fatal);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

/// Fills a listener's backlog. Who comes then waits, until somebody accepts.
async fn crowd(kind: Kind) -> (TcpListener, std::net::SocketAddr, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(any()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut crowd = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(addr)).await {
        crowd.push(stream.unwrap());
        assert!(crowd.len() < 100, "{kind}: the backlog has no end");
    }
    (listener, addr, crowd)
}

fn nowhere_takes_no_longer_than_its_limit(kind: Kind) {
    run(kind, async {
        let (listener, addr, crowd) = crowd(kind).await;
        for _ in 0..5 {
            let limit = Duration::from_millis(20);
            assert!(timeout(limit, TcpStream::connect(addr)).await.is_err());
        }
        // Connects that were given up hold up nobody: neither the loop nor its end.
        drop((listener, crowd));
    });
}

fn a_full_backlog_drains(kind: Kind) {
    run(kind, async {
        let (listener, addr, crowd) = crowd(kind).await;
        let count = crowd.len();
        let late = reseau::spawn(async move { TcpStream::connect(addr).await });
        settle().await;
        assert!(!late.is_finished());
        for _ in 0..count {
            listener.accept().await.unwrap();
        }
        let mut client = late.await.unwrap().unwrap();
        client.send("late").await.unwrap();
        let from = client.local_addr().unwrap();
        loop {
            // Those that were given up may have got in, too.
            let (mut server, peer) = listener.accept().await.unwrap();
            if peer == from {
                assert_eq!(take(&mut server, 4).await, b"late");
                break;
            }
        }
        drop(crowd);
    });
}

fn many_addresses_are_tried(kind: Kind) {
    run(kind, async {
        let (closed, nobody) = listen_in(12).await;
        drop(closed);
        let (listener, addr) = listen().await;
        settle().await;
        let client = TcpStream::connect(&[nobody, addr][..]).await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), addr);
        listener.accept().await.unwrap();
        let error = TcpStream::connect(&[nobody, nobody][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(Error::of(&error).unwrap().attempts().len(), 2);
        let error = TcpStream::connect(&[][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

fn a_bound_socket_connects_from_there(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(any()).unwrap();
        let from = socket.local_addr().unwrap();
        let client = socket.connect(addr).await.unwrap();
        assert_eq!(client.local_addr().unwrap(), from);
        assert_eq!(listener.accept().await.unwrap().1, from);
    });
}

#[cfg(unix)]
fn unix_refusals(kind: Kind) {
    use reseau::{UnixListener, UnixStream};
    let path = std::env::temp_dir().join(format!("reseau-no-{kind}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    run(kind, async {
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        let listener = UnixListener::bind(&path).unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        drop(listener);
        settle().await;
        // The path stays, and nobody is behind it.
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
    let _ = std::fs::remove_file(&path);
}

/// Unix sockets say at once that the backlog is full, and would wait for ever if asked to.
#[cfg(unix)]
fn a_full_unix_backlog_is_waited_for(kind: Kind) {
    use reseau::UnixStream;
    use reseau::net::UnixSocket;
    let path = std::env::temp_dir().join(format!("reseau-full-{kind}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    run(kind, async {
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&path).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut crowd = Vec::new();
        while let Some(stream) = poll_some(UnixStream::connect(&path)).await {
            crowd.push(stream.unwrap());
            assert!(crowd.len() < 100, "{kind}: the backlog has no end");
        }
        let late = reseau::spawn(UnixStream::connect(path.clone()));
        settle().await;
        assert!(!late.is_finished());
        for _ in 0..crowd.len() {
            listener.accept().await.unwrap();
        }
        let mut client = late.await.unwrap().unwrap();
        client.send("late").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        assert_eq!(take(&mut server, 4).await, b"late");
        assert!(poll_once(listener.accept()).await.is_none(), "no connection was made twice");
    });
    let _ = std::fs::remove_file(&path);
}

/// Gives a future some turns of the loop.
#[cfg(unix)]
async fn poll_some<T>(future: impl Future<Output = T>) -> Option<T> {
    timeout(Duration::from_millis(20), future).await.ok()
}

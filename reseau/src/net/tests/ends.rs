//! How streams begin and end, and what the errors say.
use super::*;
use crate::error::{Error, Operation, Phase};

#[test]
fn a_half_that_is_dropped_ends_its_direction() {
    everywhere(|| async {
        let (client, mut server) = pair().await?;
        let (mut read, mut write) = client.into_split();
        write.send("question").await?;
        drop(write);
        gets(&mut server, b"question").await?;
        assert!(server.recv().await?.is_none());
        server.send("answer").await?;
        let mut buf = [0; 6];
        read.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"answer");
        Ok(())
    });
}

#[test]
fn halves_find_together_again() {
    everywhere(|| async {
        let (client, mut server) = pair().await?;
        let (other, _end) = pair().await?;
        let (read, write) = client.into_split();
        let (other_read, other_write) = other.into_split();
        let ReuniteError(read, other_write) = read.reunite(other_write).unwrap_err();
        let mut client = write.reunite(read).unwrap();
        client.send("whole").await?;
        gets(&mut server, b"whole").await?;
        // Forgotten, it leaves the stream open.
        other_write.forget();
        assert!(!format!("{other_read:?}").is_empty());
        let (mut read, mut write) = client.split();
        write.send("borrowed").await?;
        write.flush().await?;
        assert_eq!(server.read_exact(&mut [0; 8]).await?, 8);
        server.send("back").await?;
        let mut buf = [0; 4];
        read.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"back");
        Ok(())
    });
}

#[test]
fn nothing_is_sent_after_the_end() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await?;
        client.send("last words").await?;
        client.finish().await?;
        let after = client.send("but wait").await.unwrap_err();
        assert_eq!(after.kind(), io::ErrorKind::BrokenPipe);
        assert!(client.try_write(b"but wait").is_err());
        let ready = client.ready(Interest::WRITABLE | Interest::READABLE).await?;
        assert!(ready.is_write_closed() && ready.is_writable() && !ready.is_read_closed());
        gets(&mut server, b"last words").await?;
        assert!(server.recv().await?.is_none());
        let ready = server.ready(Interest::READABLE).await?;
        assert_eq!(ready, Ready::READABLE | Ready::READ_CLOSED);
        server.close().await?;
        assert!(client.recv().await?.is_none());
        Ok(())
    });
}

#[test]
fn a_dropped_stream_sends_what_it_was_given() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await?;
        let bytes = vec![5; 300_000];
        client.set_window(1 << 20);
        client.send(bytes).await?;
        drop(client);
        let mut count = 0;
        while let Some(chunk) = server.recv().await? {
            count += chunk.len();
        }
        assert_eq!(count, 300_000);
        Ok(())
    });
}

#[test]
fn the_addresses_are_tried_in_order() {
    everywhere(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let open = listener.local_addr()?;
        let gone = TcpListener::bind("127.0.0.1:0").await?;
        let closed = gone.local_addr()?;
        drop(gone);
        a_while().await;
        let stream = TcpStream::connect(&[closed, open][..]).await?;
        assert_eq!(stream.peer_addr()?, open);
        let error = TcpStream::connect(&[closed, closed][..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let told = Error::of(&error).unwrap();
        assert_eq!((told.operation(), told.attempts().len()), (Operation::Connect, 2));
        assert_eq!(told.peer_addr(), Some(&closed.into()));
        let none = TcpStream::connect(&[][..]).await.unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::InvalidInput);
        let taken = TcpListener::bind(open).await.unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let told = Error::of(&taken).unwrap();
        assert_eq!(told.local_addr(), Some(&open.into()));
        Ok(())
    });
}

#[test]
fn whatever_names_an_address_will_do() {
    everywhere(|| async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let SocketAddr::V4(v4) = addr else { unreachable!() };
        let port = addr.port();
        TcpStream::connect(addr).await?;
        TcpStream::connect(&addr).await?;
        TcpStream::connect(v4).await?;
        TcpStream::connect((addr.ip(), port)).await?;
        TcpStream::connect((*v4.ip(), port)).await?;
        TcpStream::connect((String::from("127.0.0.1"), port)).await?;
        TcpStream::connect(addr.to_string()).await?;
        TcpStream::connect(addr.to_string().as_str()).await?;
        for text in ["127.0.0.1", "127.0.0.1:many", "127.0.0.1:65536", ""] {
            let error = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text:?}");
            assert_eq!(Error::of(&error).unwrap().phase(), Some(Phase::Name));
        }
        Ok(())
    });
}

#[test]
fn names_are_looked_up_in_a_simulation_too() {
    for_real(|| async {
        let listener = TcpListener::bind("localhost:0").await?;
        let port = listener.local_addr()?.port();
        TcpStream::connect(("localhost", port)).await?;
        let error = TcpStream::connect("no.such.name.invalid:1").await.unwrap_err();
        let told = Error::of(&error).unwrap();
        assert_eq!(told.phase(), Some(Phase::Name));
        assert!(error.to_string().contains("no.such.name.invalid:1"), "{error}");
        Ok(())
    });
    let config = Config { kind: Some(Kind::Sim), ..Config::default() };
    watched(Kind::Sim, move || {
        Loop::with(&config)?.block_on(async {
            let listener = TcpListener::bind("localhost:0").await?;
            let addr = listener.local_addr()?;
            assert!(addr.is_ipv6(), "IPv6 goes first");
            let stream = TcpStream::connect(("LOCALHOST.", addr.port())).await?;
            assert_eq!(stream.peer_addr()?, addr);
            let error = TcpStream::connect("no.such.name.invalid:1").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            let told = Error::of(&error).unwrap();
            assert_eq!(told.phase(), Some(Phase::Name));
            assert!(error.to_string().contains("no.such.name.invalid:1"), "{error}");
            let std = std::net::TcpListener::bind("127.0.0.1:0")?;
            let error = TcpListener::from_std(std).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            Ok(())
        })
    });
}

#[test]
fn sockets_show_themselves_as_those_of_std_do() {
    for_real(|| async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let shown = format!("{listener:?}");
        let listener = TcpListener::from_std(listener)?;
        assert_eq!(format!("{listener:?}"), shown);
        let client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let shown = format!("{client:?}");
        assert_eq!(format!("{:?}", TcpStream::try_from(client)?), shown);
        assert!(listener.accept().await.is_ok());
        Ok(())
    });
}

#[test]
fn unix_streams_are_streams() {
    everywhere(|| async {
        let (mut one, mut other) = match UnixStream::pair() {
            // Windows has no pairs.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
            pair => pair?,
        };
        one.send("hello").await?;
        assert_eq!(other.read_exact(&mut [0; 5]).await?, 5);
        assert!(one.peer_addr()?.is_unnamed());
        let path = std::env::temp_dir().join(format!(
            "reseau-net-{}-{:?}.sock",
            std::process::id(),
            std::thread::current().name()
        ));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        assert_eq!(listener.local_addr()?.as_pathname(), Some(path.as_path()));
        let mut client = UnixStream::connect(&path).await?;
        let (mut server, peer) = listener.accept().await?;
        assert!(peer.is_unnamed());
        client.send("by name").await?;
        assert_eq!(server.read_exact(&mut [0; 7]).await?, 7);
        let taken = UnixListener::bind(&path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let _ = std::fs::remove_file(&path);
        Ok(())
    });
}

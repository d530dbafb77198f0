//! Sockets that change their home, or leave it.
use super::*;
use crate::error::Error;
use crate::rt::Group;
use std::io::{Read, Write};

#[test]
fn a_detached_stream_takes_along_what_came() {
    everywhere(|| async {
        let (mut client, server) = pair().await?;
        client.send("first").await?;
        holds(&server, 5).await?;
        let detached = server.detach().await?;
        assert_eq!(detached.received().map(|chunk| chunk.len()).sum::<usize>(), 5);
        client.send("second").await?;
        let mut server = detached.attach()?;
        assert_eq!(server.queued(), 5);
        let mut buf = [0; 11];
        server.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"firstsecond");
        server.send("back").await?;
        gets(&mut client, b"back").await?;
        Ok(())
    });
}

#[test]
fn what_was_sent_leaves_before_the_stream() {
    for_real(|| async {
        let (mut client, mut server) = pair().await?;
        client.set_window(1 << 22);
        client.send(vec![1; 1 << 21]).await?;
        let reader = crate::rt::spawn_local(async move {
            let mut count = 0;
            while count < 1 << 21 {
                count += server.recv().await?.map_or(0, |chunk| chunk.len());
            }
            Ok::<_, io::Error>(server)
        });
        let (client, ahead) = client.detach().await?.into_parts()?;
        assert!(ahead.is_empty());
        client.set_nonblocking(false)?;
        let mut server = reader.await.unwrap()?;
        (&client).write_all(b"plain")?;
        let mut buf = [0; 5];
        server.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"plain");
        Ok(())
    });
}

#[test]
fn streams_go_to_std_and_come_from_there() {
    for_real(|| async {
        let (mut client, server) = pair().await?;
        // Asked for before, so the loop has the socket.
        assert!(once(server.peek(&mut [0])).await.is_none());
        a_while().await;
        let mut server = server.into_std()?;
        server.set_nonblocking(false)?;
        client.send("to std").await?;
        client.flush().await?;
        let mut buf = [0; 6];
        server.read_exact(&mut buf)?;
        assert_eq!(&buf, b"to std");
        let mut server = TcpStream::from_std(server)?;
        server.send("and back").await?;
        assert_eq!(client.read_exact(&mut [0; 8]).await?, 8);
        // With bytes received ahead it is refused.
        server.send("ahead").await?;
        client.peek(&mut [0]).await?;
        let refused = client.into_std().unwrap_err();
        assert!(Error::of(&refused).unwrap().hint().is_some_and(|hint| hint.contains("detach")));
        Ok(())
    });
}

#[test]
fn listeners_take_along_who_came() {
    everywhere(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        assert!(once(listener.accept()).await.is_none());
        let mut one = TcpStream::connect(addr).await?;
        let _two = TcpStream::connect(addr).await?;
        a_while().await;
        let detached = listener.detach().await?;
        assert!(detached.accepted() > 0, "the loop accepts ahead");
        let listener = detached.attach()?;
        let (mut server, peer) = listener.accept().await?;
        assert_eq!(peer, one.local_addr()?);
        one.send("still here").await?;
        gets(&mut server, b"still here").await?;
        listener.accept().await?;
        Ok(())
    });
}

#[test]
fn a_listener_goes_to_std_unless_somebody_came() {
    for_real(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let listener = listener.into_std()?;
        listener.set_nonblocking(false)?;
        let _client = std::net::TcpStream::connect(addr)?;
        listener.accept()?;
        let listener = TcpListener::from_std(listener)?;
        assert!(once(listener.accept()).await.is_none());
        let _client = std::net::TcpStream::connect(addr)?;
        a_while().await;
        assert!(listener.into_std().is_err());
        Ok(())
    });
}

#[test]
fn any_loop_may_be_home() {
    for_real(|| async {
        let group = Group::new(2, &Config::default())?;
        let [one, two] = [&group.remotes()[0], &group.remotes()[1]];
        let listener = TcpListener::bind_on(one, "127.0.0.1:0").await?;
        let mut client = TcpStream::connect_on(two, listener.local_addr()?).await?;
        let (server, _) = listener.accept_on(two).await?;
        client.send("afar").await?;
        server.peek(&mut [0]).await?;
        let mut server = server.detach().await?.attach_on(one)?;
        gets(&mut server, b"afar").await?;
        // Foreign and at home, `into_std` waits for the loop to let go.
        let mut std = server.into_std()?;
        std.set_nonblocking(false)?;
        client.send("again").await?;
        std.read_exact(&mut [0; 5])?;
        Ok(())
    });
}

/// Accepted and dropped at once, polled and dropped: no connection is lost.
#[test]
fn a_dropped_accept_loses_nobody() {
    everywhere(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let (mut clients, mut served) = (Vec::new(), Vec::new());
        for round in 0..20 {
            served.extend(once(listener.accept()).await.transpose()?);
            clients.push(TcpStream::connect(addr).await?);
            if round % 3 == 0 {
                a_while().await;
            }
            served.extend(once(listener.accept()).await.transpose()?);
        }
        while served.len() < clients.len() {
            served.push(listener.accept().await?);
        }
        let mut peers: Vec<_> = served.iter().map(|(_, peer)| *peer).collect();
        let mut locals =
            clients.iter().map(TcpStream::local_addr).collect::<io::Result<Vec<_>>>()?;
        peers.sort();
        locals.sort();
        assert_eq!(peers, locals);
        Ok(())
    });
}

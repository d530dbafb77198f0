//! A server that stops when it is told: no new connections, and the old ones may finish.
use super::net::{TcpListener, TcpStream};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

async fn serve(stream: TcpStream, mut stopping: watch::Receiver<bool>) -> io::Result<usize> {
    let mut stream = BufReader::new(stream);
    let mut served = 0;
    loop {
        let mut line = String::new();
        tokio::select! {
            biased;
            read = stream.read_line(&mut line) => {
                if read? == 0 {
                    return Ok(served);
                }
                stream.write_all(line.as_bytes()).await?;
                served += 1;
            }
            _ = stopping.changed() => {
                stream.write_all(b"goodbye\n").await?;
                stream.shutdown().await?;
                return Ok(served);
            }
        }
    }
}

async fn run(listener: TcpListener, mut stop: oneshot::Receiver<()>) -> io::Result<usize> {
    let (stopping, _) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(serve(accepted?.0, stopping.subscribe()));
            }
            _ = &mut stop => break,
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let mut served = 0;
    while let Some(finished) = connections.join_next().await {
        served += finished??;
    }
    Ok(served)
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(run(listener, stopped));
    let mut clients = Vec::new();
    for number in 0..5 {
        let mut client = BufReader::new(TcpStream::connect(addr).await?);
        client.write_all(format!("hello {number}\n").as_bytes()).await?;
        let mut line = String::new();
        client.read_line(&mut line).await?;
        assert_eq!(line, format!("hello {number}\n"));
        clients.push(client);
    }
    stop.send(()).unwrap();
    for client in &mut clients {
        let mut rest = String::new();
        client.read_to_string(&mut rest).await?;
        assert_eq!(rest, "goodbye\n");
    }
    assert_eq!(server.await??, 5);
    Ok(())
}

//! reseau: on its own loops, under tokio, and blocking.

use std::io::{self, Read, Write};
use std::thread;

use reseau::tls::{Identity, Server, TlsStream};
use reseau::{Config, Inet, Kind, Loop, TcpListener, TcpStream, blocking};

use super::{ECHO_BYTES, Mode, RECORD_BYTES, SINK_BYTES, Task, tls};
use crate::servers::reseau::unsupported;

pub(in crate::servers) fn uring(task: Task) -> io::Result<()> {
    own_loop(Kind::Uring, task)
}

pub(in crate::servers) fn ready(task: Task) -> io::Result<()> {
    own_loop(Kind::Ready, task)
}

pub(in crate::servers) fn under_tokio(task: Task) -> io::Result<()> {
    reseau::Remote::global().map_err(unsupported)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let accepting = runtime.spawn(async move {
        let (server, mode) = (server()?, task.mode);
        task.ready()?;
        let listener = TcpListener::from_std(task.listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, server.clone(), mode));
        }
    });
    runtime.block_on(accepting).map_err(io::Error::other)?
}

fn own_loop(kind: Kind, task: Task) -> io::Result<()> {
    let config = Config { kind: Some(kind), ..Config::default() };
    let home = Loop::with(&config).map_err(unsupported)?;
    home.block_on(async move {
        let (server, mode) = (server()?, task.mode);
        task.ready()?;
        let listener = TcpListener::from_std(task.listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            reseau::spawn_local(serve(stream, server.clone(), mode)).detach();
        }
    })
}

/// As programs are written that need no more: handshakes are made beside `accept`.
pub(in crate::servers) fn listener(task: Task) -> io::Result<()> {
    let home = Loop::with(&Config::default()).map_err(unsupported)?;
    home.block_on(async move {
        let (server, mode) = (server()?, task.mode);
        task.ready()?;
        let listener = TcpListener::from_std(task.listener)?.tls(&server);
        loop {
            let (stream, _) = listener.accept().await?;
            reseau::spawn_local(serve_open(stream, mode)).detach();
        }
    })
}

fn server() -> io::Result<Server> {
    let own = tls::Credentials::of_this_run()?;
    Ok(Server::new(&Identity::from_der([own.certificate.clone()], &own.key)?))
}

async fn serve(stream: TcpStream, server: Server, mode: Mode) {
    // The end of a connection, whichever way it comes, is the end of its task.
    let _ = shake(stream, server, mode).await;
}

async fn shake(stream: TcpStream, server: Server, mode: Mode) -> io::Result<()> {
    let stream = stream.start_tls(&server).await?;
    drop(server);
    work(stream, mode).await
}

async fn serve_open(stream: TlsStream<Inet>, mode: Mode) {
    // As above.
    let _ = work(stream, mode).await;
}

async fn work(mut stream: TlsStream<Inet>, mode: Mode) -> io::Result<()> {
    match mode {
        Mode::Echo | Mode::Lean => echo(&mut stream).await?,
        Mode::Sink => while stream.recv().await?.is_some() {},
        Mode::Source => loop {
            stream.send(&PAGE).await?;
        },
        Mode::Close => {}
    }
    stream.close().await
}

async fn echo(stream: &mut TlsStream<Inet>) -> io::Result<()> {
    while let Some(chunk) = stream.recv().await? {
        stream.send(chunk).await?;
    }
    Ok(())
}

pub(in crate::servers) fn blocking(task: Task) -> io::Result<()> {
    let (server, mode) = (server()?, task.mode);
    task.ready()?;
    let listener = blocking::TcpListener::from(task.listener);
    loop {
        let (stream, _) = listener.accept()?;
        let server = server.clone();
        // A handshake needs more stack than an echo.
        thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            // The end of a connection, whichever way it comes, is the end of its thread.
            let _ = block(stream, &server, mode);
        })?;
    }
}

fn block(stream: blocking::TcpStream, server: &Server, mode: Mode) -> io::Result<()> {
    let mut stream = stream.start_tls(server)?;
    match mode {
        Mode::Echo | Mode::Lean => {
            let mut buffer = [0; ECHO_BYTES];
            loop {
                match stream.read(&mut buffer)? {
                    0 => break,
                    n => stream.write_all(&buffer[..n])?,
                }
            }
        }
        Mode::Sink => {
            let mut buffer = vec![0; SINK_BYTES];
            while stream.read(&mut buffer)? > 0 {}
        }
        Mode::Source => loop {
            stream.write_all(&PAGE)?;
        },
        Mode::Close => {}
    }
    stream.finish()
}

/// What a source sends for ever.
static PAGE: [u8; RECORD_BYTES] = [0; RECORD_BYTES];

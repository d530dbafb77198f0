//! futures-rustls on async-io, under smol's single-thread executor.

use std::future::poll_fn;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;

use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor};

use super::{ECHO_BYTES, Mode, RECORD_BYTES, SINK_BYTES, Task, tls};

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(accept(&executor, task)))
}

async fn accept(executor: &LocalExecutor<'_>, task: Task) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(tls::server()?);
    task.ready()?;
    let listener = Async::<TcpListener>::try_from(task.listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        executor.spawn(serve(stream, acceptor.clone(), task.mode)).detach();
    }
}

async fn serve(stream: Async<TcpStream>, acceptor: TlsAcceptor, mode: Mode) {
    // The end of a connection, whichever way it comes, is the end of its task.
    let _ = shake(stream, acceptor, mode).await;
}

async fn shake(stream: Async<TcpStream>, acceptor: TlsAcceptor, mode: Mode) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    drop(acceptor);
    match mode {
        Mode::Echo => echo(&mut stream).await?,
        Mode::Lean => lean(&mut stream).await?,
        Mode::Sink => {
            let mut buffer = vec![0; SINK_BYTES];
            while stream.read(&mut buffer).await? > 0 {}
        }
        Mode::Source => {
            let buffer = vec![0; RECORD_BYTES];
            loop {
                stream.write_all(&buffer).await?;
            }
        }
        Mode::Close => {}
    }
    stream.close().await
}

async fn echo(stream: &mut TlsStream<Async<TcpStream>>) -> io::Result<()> {
    let mut buffer = vec![0; ECHO_BYTES];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
        stream.flush().await?;
    }
}

/// Reads into a buffer that no await holds.
async fn lean(stream: &mut TlsStream<Async<TcpStream>>) -> io::Result<()> {
    loop {
        let bytes = poll_fn(|cx| {
            let mut buffer = [0; ECHO_BYTES];
            let read = Pin::new(&mut *stream).poll_read(cx, &mut buffer);
            read.map_ok(|n| buffer[..n].to_vec())
        });
        let bytes = bytes.await?;
        if bytes.is_empty() {
            return Ok(());
        }
        stream.write_all(&bytes).await?;
        stream.flush().await?;
    }
}

//! tokio-rustls, on tokio's current-thread runtime.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{ECHO_BYTES, Mode, RECORD_BYTES, SINK_BYTES, Task, tls};

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    task.listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let acceptor = TlsAcceptor::from(tls::server()?);
    let accepting = runtime.spawn(async move {
        task.ready()?;
        let listener = TcpListener::from_std(task.listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, acceptor.clone(), task.mode));
        }
    });
    runtime.block_on(accepting).map_err(io::Error::other)?
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, mode: Mode) {
    // The end of a connection, whichever way it comes, is the end of its task.
    let _ = shake(stream, acceptor, mode).await;
}

async fn shake(stream: TcpStream, acceptor: TlsAcceptor, mode: Mode) -> io::Result<()> {
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
    stream.shutdown().await
}

async fn echo(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let mut buffer = vec![0; ECHO_BYTES];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

/// The stream's own buffer is looked into first.
async fn lean(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    loop {
        let bytes = stream.fill_buf().await?.to_vec();
        if bytes.is_empty() {
            return Ok(());
        }
        stream.consume(bytes.len());
        stream.write_all(&bytes).await?;
    }
}

//! async-io under smol's single-thread executor.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor};

use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;

pub(super) fn run(task: Task) -> io::Result<()> {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(accept(&executor, task)))
}

async fn accept(executor: &LocalExecutor<'_>, task: Task) -> io::Result<()> {
    let mode = task.mode;
    task.ready()?;
    let listener = Async::<TcpListener>::try_from(task.listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        if mode != Mode::Close {
            executor.spawn(serve(stream, mode)).detach();
        }
    }
}

async fn serve(stream: Async<TcpStream>, mode: Mode) {
    // The end of a connection, whichever way it comes, is the end of its task.
    let _ = match mode {
        Mode::Echo => echo(stream).await,
        Mode::Lean => lean(stream).await,
        Mode::Sink => sink(stream).await,
        Mode::Source => source(stream).await,
        Mode::Close => Ok(()),
    };
}

async fn echo(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = vec![0; ECHO_BYTES];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

async fn lean(mut stream: Async<TcpStream>) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match turn(stream.get_ref()) {
            Ok(Some(rest)) => stream.write_all(&rest).await?,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Echoes once from a buffer that no await holds; returns what the socket had no room for.
fn turn(mut stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; ECHO_BYTES];
    let n = stream.read(&mut buffer)?;
    if n == 0 {
        return Ok(None);
    }
    match stream.write(&buffer[..n]) {
        Ok(sent) => Ok(Some(buffer[sent..n].to_vec())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(buffer[..n].to_vec())),
        Err(error) => Err(error),
    }
}

async fn sink(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = vec![0; BULK_BYTES];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn source(mut stream: Async<TcpStream>) -> io::Result<()> {
    let buffer = vec![0; BULK_BYTES];
    loop {
        stream.write_all(&buffer).await?;
    }
}

//! tokio, on either of its runtimes.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;

pub(super) fn current(task: Task) -> io::Result<()> {
    run(&Builder::new_current_thread().enable_io().build()?, task)
}

/// As many workers as the process has cores, which is one.
pub(super) fn multi(task: Task) -> io::Result<()> {
    run(&Builder::new_multi_thread().enable_io().build()?, task)
}

fn run(runtime: &Runtime, task: Task) -> io::Result<()> {
    task.listener.set_nonblocking(true)?;
    let mode = task.mode;
    // Accepting is a task of its own: the main future of the multi-thread runtime would not run on
    // a worker.
    let accepting = runtime.spawn(async move {
        task.ready()?;
        let listener = TcpListener::from_std(task.listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            if mode != Mode::Close {
                tokio::spawn(serve(stream, mode));
            }
        }
    });
    runtime.block_on(accepting).map_err(io::Error::other)?
}

async fn serve(stream: TcpStream, mode: Mode) {
    // The end of a connection, whichever way it comes, is the end of its task.
    let _ = match mode {
        Mode::Echo => echo(stream).await,
        Mode::Lean => lean(stream).await,
        Mode::Sink => sink(stream).await,
        Mode::Source => source(stream).await,
        Mode::Close => Ok(()),
    };
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; ECHO_BYTES];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

async fn lean(mut stream: TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match turn(&stream) {
            Ok(Some(rest)) => stream.write_all(&rest).await?,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Echoes once from a buffer that no await holds; returns what the socket had no room for.
fn turn(stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; ECHO_BYTES];
    let n = stream.try_read(&mut buffer)?;
    if n == 0 {
        return Ok(None);
    }
    match stream.try_write(&buffer[..n]) {
        Ok(sent) => Ok(Some(buffer[sent..n].to_vec())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(buffer[..n].to_vec())),
        Err(error) => Err(error),
    }
}

async fn sink(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BULK_BYTES];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn source(mut stream: TcpStream) -> io::Result<()> {
    let buffer = vec![0; BULK_BYTES];
    loop {
        stream.write_all(&buffer).await?;
    }
}

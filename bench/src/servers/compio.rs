//! compio with its default driver settings; io_uring or nothing.

use std::io;

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::io::{AsyncRead, AsyncReadManaged, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::Runtime;

use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;

pub(super) fn run(task: Task) -> io::Result<()> {
    runtime()?.block_on(accept(task))
}

/// One on io_uring.
pub(super) fn runtime() -> io::Result<Runtime> {
    let runtime = Runtime::new()?;
    if !runtime.driver_type().is_iouring() {
        let why = "compio fell back to polling: no io_uring here";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    Ok(runtime)
}

async fn accept(task: Task) -> io::Result<()> {
    let mode = task.mode;
    task.ready()?;
    let listener = TcpListener::from_std(task.listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        if mode != Mode::Close {
            compio::runtime::spawn(serve(stream, mode)).detach();
        }
    }
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
    let mut buffer = Vec::with_capacity(ECHO_BYTES);
    loop {
        let BufResult(n, full) = stream.read(buffer).await;
        let n = n?;
        if n == 0 {
            return Ok(());
        }
        let BufResult(sent, slice) = stream.write_all(full.slice(..n)).await;
        sent?;
        buffer = slice.into_inner();
    }
}

/// With buffers lent by the runtime's pool when data is there.
async fn lean(mut stream: TcpStream) -> io::Result<()> {
    while let Some(lent) = stream.read_managed(ECHO_BYTES).await? {
        let BufResult(sent, _) = stream.write_all(lent).await;
        sent?;
    }
    Ok(())
}

async fn sink(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BULK_BYTES);
    loop {
        let BufResult(n, full) = stream.read(buffer).await;
        if n? == 0 {
            return Ok(());
        }
        buffer = full;
    }
}

async fn source(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BULK_BYTES];
    loop {
        let BufResult(sent, back) = stream.write_all(buffer).await;
        sent?;
        buffer = back;
    }
}

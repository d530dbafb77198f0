//! monoio on io_uring.

use std::cell::RefCell;
use std::io;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder};

use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;

pub(super) fn run(task: Task) -> io::Result<()> {
    let mut runtime = RuntimeBuilder::<IoUringDriver>::new().build()?;
    runtime.block_on(accept(task))
}

async fn accept(task: Task) -> io::Result<()> {
    let mode = task.mode;
    task.ready()?;
    let listener = TcpListener::from_std(task.listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        if mode != Mode::Close {
            monoio::spawn(serve(stream, mode));
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
        let (n, full) = stream.read(buffer).await;
        if n? == 0 {
            return Ok(());
        }
        let (sent, back) = stream.write_all(full).await;
        sent?;
        buffer = back;
    }
}

/// Waits for readiness first, and takes a buffer only then.
async fn lean(mut stream: TcpStream) -> io::Result<()> {
    loop {
        stream.readable(true).await?;
        let spare = SPARE.with_borrow_mut(Vec::pop);
        let (n, full) = stream.read(spare.unwrap_or_else(|| Vec::with_capacity(ECHO_BYTES))).await;
        if n? == 0 {
            return Ok(());
        }
        let (sent, back) = stream.write_all(full).await;
        sent?;
        SPARE.with_borrow_mut(|spares| spares.push(back));
    }
}

async fn sink(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BULK_BYTES);
    loop {
        let (n, full) = stream.read(buffer).await;
        if n? == 0 {
            return Ok(());
        }
        buffer = full;
    }
}

async fn source(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BULK_BYTES];
    loop {
        let (sent, back) = stream.write_all(buffer).await;
        sent?;
        buffer = back;
    }
}

thread_local! {
    /// Buffers of nobody, at most as many as connections ever spoke at once.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

//! reseau: on its own loops, under tokio, and blocking.

use std::io::{self, Read, Write};
use std::thread;

use reseau::{Config, Kind, Loop, TcpListener, TcpStream, blocking};

use super::{BULK_BYTES, ECHO_BYTES, Family, Server, Task};
use crate::scenario::Mode;

pub(super) const URING: Server =
    ours("reseau-uring", "reseau on its own loop, on io_uring", |task| own_loop(Kind::Uring, task));
pub(super) const READY: Server =
    ours("reseau-ready", "reseau on its own loop, on epoll", |task| own_loop(Kind::Ready, task));
pub(super) const TOKIO: Server = ours(
    "reseau-tokio",
    "reseau's sockets awaited by tokio's multi-thread runtime, at home on reseau's global loop",
    under_tokio,
);
pub(super) const BLOCKING: Server = Server {
    lean: false,
    ..ours("reseau-blocking", "reseau::blocking, one thread per connection", threads)
};

const fn ours(name: &'static str, about: &'static str, run: fn(Task) -> io::Result<()>) -> Server {
    let (family, package) = (Family::Reseau, Some("reseau"));
    let streams = Some(run);
    Server { name, about, family, package, lean: true, streams, secure: None, datagrams: None }
}

fn own_loop(kind: Kind, task: Task) -> io::Result<()> {
    let config = Config { kind: Some(kind), ..Config::default() };
    let home = Loop::with(&config).map_err(unsupported)?;
    home.block_on(async move {
        task.ready()?;
        let listener = TcpListener::from_std(task.listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            if task.mode != Mode::Close {
                reseau::spawn_local(serve(stream, task.mode)).detach();
            }
        }
    })
}

fn under_tokio(task: Task) -> io::Result<()> {
    reseau::Remote::global().map_err(unsupported)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let accepting = runtime.spawn(async move {
        task.ready()?;
        let listener = TcpListener::from_std(task.listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            if task.mode != Mode::Close {
                tokio::spawn(serve(stream, task.mode));
            }
        }
    });
    runtime.block_on(accepting).map_err(io::Error::other)?
}

async fn serve(stream: TcpStream, mode: Mode) {
    // The end of a connection, whichever way it comes, is the end of its task.
    let _ = match mode {
        Mode::Echo | Mode::Lean => echo(stream).await,
        Mode::Sink => sink(stream).await,
        Mode::Source => source(stream).await,
        Mode::Close => Ok(()),
    };
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.recv().await? {
        stream.send(chunk).await?;
    }
    Ok(())
}

async fn sink(mut stream: TcpStream) -> io::Result<()> {
    while stream.recv().await?.is_some() {}
    Ok(())
}

async fn source(mut stream: TcpStream) -> io::Result<()> {
    loop {
        stream.send(&PAGE).await?;
    }
}

fn threads(task: Task) -> io::Result<()> {
    task.ready()?;
    let listener = blocking::TcpListener::from(task.listener);
    loop {
        let (stream, _) = listener.accept()?;
        let mode = task.mode;
        if mode == Mode::Close {
            continue;
        }
        // Ten thousand threads must fit, and the largest buffer here is on the heap.
        thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            // The end of a connection, whichever way it comes, is the end of its thread.
            let _ = block(stream, mode);
        })?;
    }
}

fn block(mut stream: blocking::TcpStream, mode: Mode) -> io::Result<()> {
    match mode {
        Mode::Echo | Mode::Lean => {
            let mut buffer = [0; ECHO_BYTES];
            loop {
                let n = stream.read(&mut buffer)?;
                if n == 0 {
                    return Ok(());
                }
                stream.write_all(&buffer[..n])?;
            }
        }
        Mode::Sink => {
            let mut buffer = vec![0; BULK_BYTES];
            while stream.read(&mut buffer)? > 0 {}
            Ok(())
        }
        Mode::Source => loop {
            stream.write_all(&PAGE)?;
        },
        Mode::Close => Ok(()),
    }
}

/// A loop that cannot be made here is the machine's doing, as far as a bench can tell.
pub(in crate::servers) fn unsupported(error: io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, error.to_string())
}

/// What a source sends for ever.
static PAGE: [u8; BULK_BYTES] = [0; BULK_BYTES];

//! std::net, a thread for each connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;

pub(super) fn run(task: Task) -> io::Result<()> {
    task.ready()?;
    loop {
        let (stream, _) = task.listener.accept()?;
        let mode = task.mode;
        if mode == Mode::Close {
            continue;
        }
        // Ten thousand threads must fit, and the largest buffer here is on the heap.
        thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            // The end of a connection, whichever way it comes, is the end of its thread.
            let _ = serve(stream, mode);
        })?;
    }
}

fn serve(mut stream: TcpStream, mode: Mode) -> io::Result<()> {
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
        Mode::Source => {
            let buffer = vec![0; BULK_BYTES];
            loop {
                stream.write_all(&buffer)?;
            }
        }
        Mode::Close => Ok(()),
    }
}

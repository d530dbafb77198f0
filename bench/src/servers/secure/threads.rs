//! rustls's own stream on std::net, a thread for each connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{ECHO_BYTES, Mode, RECORD_BYTES, SINK_BYTES, Task, tls};

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    let config = tls::server()?;
    task.ready()?;
    loop {
        let (stream, _) = task.listener.accept()?;
        let (config, mode) = (config.clone(), task.mode);
        // A handshake needs more stack than an echo.
        thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            // The end of a connection, whichever way it comes, is the end of its thread.
            let _ = serve(stream, config, mode);
        })?;
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, mode: Mode) -> io::Result<()> {
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
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
        Mode::Source => {
            let buffer = vec![0; RECORD_BYTES];
            loop {
                stream.write_all(&buffer)?;
            }
        }
        Mode::Close => {}
    }
    stream.conn.send_close_notify();
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock)?;
    }
    Ok(())
}

//! A connection that is accepted here is served elsewhere: its descriptor goes through a
//! Unix-domain socket, as it would to another process.
//!
//! `cargo run --example pass_fds`
#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use reseau::blocking::unix::UnixDatagram;
    use reseau::blocking::{TcpListener, TcpStream};
    use std::io::Read;
    use std::os::fd::AsFd;

    let (acceptor, worker) = UnixDatagram::pair()?;
    let worker = std::thread::spawn(move || serve(&worker));

    let listener = TcpListener::bind("127.0.0.1:0")?;
    for name in ["Ada", "Grace"] {
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        let (stream, _) = listener.accept()?;
        acceptor.send_fds(name.as_bytes(), &[stream.as_fd()])?;
        drop(stream); // The worker's is another handle of the same connection.
        let mut text = String::new();
        client.read_to_string(&mut text)?;
        println!("{text}");
        assert_eq!(text, format!("hello {name}"));
    }
    acceptor.send(b"")?;
    worker.join().expect("the worker does not panic")
}

/// Greets by name until there is nobody left.
#[cfg(unix)]
fn serve(channel: &reseau::blocking::unix::UnixDatagram) -> std::io::Result<()> {
    use reseau::blocking::TcpStream;
    use std::io::Write;

    let mut name = [0; 64];
    loop {
        let passed = channel.recv_fds(&mut name, 1)?;
        let Some(fd) = passed.fds.into_iter().next() else { return Ok(()) };
        // Ours alone: who drops it, closes the connection.
        let mut stream = TcpStream::from(fd);
        write!(stream, "hello {}", String::from_utf8_lossy(&name[..passed.len]))?;
    }
}

#[cfg(not(unix))]
fn main() {
    println!("this system passes no descriptors");
}

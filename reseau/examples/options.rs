//! Options are values: what does not fit the socket does not compile, and what this system does
//! not have says so.
//!
//! `cargo run --example options`
use reseau::blocking::{TcpListener, TcpStream};
use reseau::opt;
use std::io;
use std::time::Duration;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;

    stream.set(opt::Nodelay(true))?;
    stream.set(opt::KeepAlive(true))?;
    stream.set(opt::KeepAliveIdle(Duration::from_secs(30)))?;
    let opt::Nodelay(on) = stream.get()?;
    let opt::KeepAliveIdle(idle) = stream.get()?;
    println!("no delay: {on}, asks after {idle:?} of silence");

    // Systems make of sizes what they like. Who wants to know reads them back.
    stream.set(opt::RecvBuffer(100_000))?;
    let opt::RecvBuffer(size) = stream.get()?;
    println!("asked for 100000 bytes, got {size}");

    // Some options are there on some systems alone.
    match stream.set(opt::UserTimeout(Some(Duration::from_secs(20)))) {
        Ok(()) => println!("gives up when nothing is acknowledged for 20 s"),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => println!("{error}"),
        Err(error) => return Err(error),
    }
    if let Ok(opt::TcpInfo(info)) = stream.get() {
        println!("{:?}, round trip {:?}", info.state, info.rtt.unwrap_or_default());
    }

    let error = stream.set(opt::Ttl(0)).expect_err("a value that no system has");
    println!("{error}");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    Ok(())
}

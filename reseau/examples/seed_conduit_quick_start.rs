//! The quick start of the TurboX and Conduit seeds, line by line: on Linux, macOS and Windows
//! without an edit of constants.
//!
//! `cargo run --example seed_conduit_quick_start [PORT]`
use reseau::sockets::codon::{Error, Socket}; // was: from conduit.net import Socket
use std::convert::Infallible;
use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

fn quick_start(port: i64) -> Result<Infallible, Error> {
    let server = Socket::new(0, 0, 0)?; // was: server = Socket()
    server.set_reuseaddr()?;
    server.bind("0.0.0.0", port)?;
    server.listen(128)?;

    loop {
        let mut client = server.accept()?;
        let data = client.recv(1024)?;
        client.send(data)?;
        client.close();
    }
}

/// Lets the server run for one client, so that the program ends by itself.
#[allow(clippy::disallowed_methods)] // It sleeps, for a moment.
fn main() -> Result<(), Error> {
    let port = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(8080);
    let server = thread::spawn(move || quick_start(port));
    let client = loop {
        let client = Socket::new(0, 0, 0)?;
        match client.connect("127.0.0.1", port) {
            Ok(()) if !server.is_finished() => break client,
            _ if server.is_finished() => return ended(server.join()),
            _ => thread::sleep(Duration::from_millis(10)), // It does not listen yet.
        }
    };
    client.send_all("Hello!")?;
    println!("{}", String::from_utf8_lossy(&client.recv(1024)?));
    Ok(())
}

fn ended(server: thread::Result<Result<Infallible, Error>>) -> Result<(), Error> {
    match server.expect("the server does not panic") {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            println!("{error}: name another as the argument");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

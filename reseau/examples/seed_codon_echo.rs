//! The echo server of the Codon seeds, `examples/echo_server.codon`, with a client to try it.
//!
//! `cargo run --example seed_codon_echo`
use reseau::sockets::codon::{Error, Socket};
use std::thread;

fn main() -> Result<(), Error> {
    println!("Conduit Echo Server\n===================");
    let mut server = Socket::new(0, 0, 0)?;
    server.set_reuseaddr()?;
    server.bind("127.0.0.1", 0)?; // Port 0: any that is free.
    server.listen(128)?;
    let (host, port) = server.local_addr()?;
    println!("listening on {host}:{port}");

    // The original waits for `nc`; this client lets the program end by itself.
    let client = thread::spawn(move || {
        for text in ["Hello Conduit", "Hello TurboX"] {
            let socket = Socket::new(0, 0, 0)?;
            socket.connect(&host, port)?;
            socket.send_all(text)?;
            println!("answer: {}", String::from_utf8_lossy(&socket.recv(1024)?));
        }
        Ok::<_, Error>(())
    });

    for _ in 0..2 {
        let mut client = server.accept()?;
        let data = client.recv(1024)?;
        client.send_all(&data)?;
        client.close();
    }
    server.close();
    client.join().expect("the client does not panic")
}

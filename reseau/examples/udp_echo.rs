//! A UDP server on all addresses that answers each client from the address that the client asked:
//! who is connected to 127.0.0.1 hears nobody else.
//!
//! `cargo run --example udp_echo`
use reseau::UdpSocket;
use std::io;

fn main() -> io::Result<()> {
    reseau::block_on(async {
        let server = UdpSocket::bind("0.0.0.0:0").await?;
        server.tell(); // From the first datagram on, with its circumstances.
        let port = server.local_addr()?.port();
        reseau::spawn_local(echo(server)).detach();

        let client = UdpSocket::bind("127.0.0.1:0").await?;
        client.connect(("127.0.0.1", port)).await?;
        let mut answer = [0; 64];
        for text in ["one", "two, longer", ""] {
            client.send(text.as_bytes()).await?;
            let len = client.recv(&mut answer).await?;
            println!("{len} bytes: {:?}", String::from_utf8_lossy(&answer[..len]));
            assert_eq!(&answer[..len], text.as_bytes());
        }
        Ok(())
    })
}

async fn echo(socket: UdpSocket) -> io::Result<()> {
    let mut buf = [0; 2048];
    loop {
        let packet = socket.recv_packet(&mut buf).await?;
        if packet.truncated {
            continue; // Half of what was said is no echo.
        }
        if let Some(peer) = packet.peer {
            println!("from {peer} to {:?}, ECN {:?}", packet.local, packet.ecn);
        }
        socket.send_packet(&buf[..packet.len], &packet.reply()).await?;
    }
}

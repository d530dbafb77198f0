//! Many datagrams with few calls: the same bytes arrive, and on Linux the kernel cuts them from
//! long ones and joins them again.
//!
//! `cargo run --release --example batches`
use reseau::blocking::UdpSocket;
use reseau::{Batch, Packet};
use std::io;

const PACKETS: usize = 32;

fn main() -> io::Result<()> {
    let (server, client) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    match server.set_gro(true) {
        Ok(()) => println!("the kernel may join datagrams"),
        Err(error) => println!("one by one: {error}"),
    }
    let to = Packet::to(server.local_addr()?);
    let (mut out, mut back) = (Batch::new(PACKETS, 1200), Batch::new(PACKETS, 1200));
    let (mut sends, mut receives, mut next) = (0, 0, 0_usize);
    for round in 0..100 {
        for nth in 0..PACKETS {
            let number = (round * PACKETS + nth) as u32;
            out.push(&to, &[number.to_be_bytes(); 300].concat())?;
        }
        while !out.is_empty() {
            client.send_batch(&mut out)?;
            sends += 1;
        }
        while next < (round + 1) * PACKETS {
            server.recv_batch(&mut back)?;
            receives += 1;
            for (packet, bytes) in &back {
                assert!(packet.len == 1200 && bytes.starts_with(&(next as u32).to_be_bytes()));
                next += 1;
            }
        }
    }
    println!("{next} datagrams of 1,200 bytes: {sends} calls to send, {receives} to receive");
    Ok(())
}

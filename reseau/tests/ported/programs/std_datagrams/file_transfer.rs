//! A file over a network that loses packets: a block, its acknowledgement, the next block.
use super::net::{SocketAddr, UdpSocket};
use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

const BLOCK: usize = 1_000;
const WAIT: Duration = Duration::from_millis(10);

/// Loses every third packet that it sends.
struct Lossy<'a> {
    socket: &'a UdpSocket,
    sent: u32,
}

impl Lossy<'_> {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        self.sent += 1;
        if !self.sent.is_multiple_of(3) {
            assert_eq!(self.socket.send(packet)?, packet.len());
        }
        Ok(())
    }

    /// The next packet, or `None` when nothing comes for a while.
    fn recv<'b>(&self, buf: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        match self.socket.recv(buf) {
            Ok(n) => Ok(Some(&buf[..n])),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn send_file(socket: &UdpSocket, to: SocketAddr, file: &[u8]) -> io::Result<u32> {
    socket.connect(to)?;
    socket.set_read_timeout(Some(WAIT))?;
    let mut link = Lossy { socket, sent: 0 };
    let mut buf = [0; 16];
    // The last block is short, if need be empty.
    for number in 0..=u32::try_from(file.len() / BLOCK).unwrap() {
        let block = file.chunks(BLOCK).nth(number as usize).unwrap_or_default();
        let packet = [&number.to_be_bytes(), block].concat();
        let mut done = false;
        while !done {
            link.send(&packet)?;
            while let Some(ack) = link.recv(&mut buf)? {
                if ack == number.to_be_bytes() {
                    done = true;
                    break;
                }
            }
        }
    }
    link.socket.send(b"")?;
    Ok(link.sent)
}

fn receive_file(socket: &UdpSocket) -> io::Result<(Vec<u8>, u32)> {
    let (mut file, mut wanted, mut doubles) = (Vec::new(), 0_u32, 0);
    let mut buf = [0; BLOCK + 4];
    // Whoever is first is the sender from here on.
    let (_, sender) = socket.peek_from(&mut buf)?;
    socket.connect(sender)?;
    assert_eq!(socket.peer_addr()?, sender);
    let mut link = Lossy { socket, sent: 1 };
    while let Some(packet) = link.recv(&mut buf)? {
        let Some((number, block)) = packet.split_first_chunk() else { break };
        match u32::from_be_bytes(*number) {
            number if number == wanted => {
                file.extend_from_slice(block);
                wanted += 1;
            }
            number => {
                assert!(number < wanted, "it never runs ahead");
                doubles += 1;
            }
        }
        let number = *number;
        link.send(&number)?;
    }
    Ok((file, doubles))
}

pub(super) fn main() -> io::Result<()> {
    for size in [0, 1, BLOCK, 20 * BLOCK + 7] {
        let file: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        let receiver = UdpSocket::bind("127.0.0.1:0")?;
        let addr = receiver.local_addr()?;
        let receiving = thread::spawn(move || receive_file(&receiver));
        // It stays until the other is done, whose last acknowledgement may come late.
        let sender = UdpSocket::bind("127.0.0.1:0")?;
        let sent = send_file(&sender, addr, &file)?;
        let (received, doubles) = receiving.join().unwrap()?;
        assert_eq!(received, file);
        let blocks = u32::try_from(size / BLOCK + 1).unwrap();
        assert!(sent >= blocks + doubles);
        assert!(size < 20 * BLOCK || doubles > 0, "acknowledgements were lost");
    }
    Ok(())
}

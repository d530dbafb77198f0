//! Datagrams go back to whoever sent them, from the address that they were sent to.
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;

use reseau::{Batch, UdpSocket, UnixDatagram, opt};

use super::owed::Owed;
use super::serve::PAUSE;
use super::tally::{Datagrams, Tally};

/// Echoes for ever, many datagrams at once.
pub(crate) async fn udp(socket: UdpSocket, tally: Arc<Tally>) {
    let tally = &tally.udp;
    socket.tell();
    // Where it cannot be had, more calls do the same.
    let _ = socket.set_gro(true);
    let mut batch = Batch::new(PACKETS, UDP_LONGEST);
    loop {
        match socket.recv_batch(&mut batch).await {
            Ok(count) => tally.received(count, bytes(&batch)),
            Err(error) => {
                missed(&error, tally).await;
                continue;
            }
        }
        batch.reply();
        while !batch.is_empty() {
            let all = bytes(&batch);
            if let Ok(count) = socket.send_batch(&mut batch).await {
                tally.sent(count, all - bytes(&batch));
            } else {
                // The error is about the first: an address where nothing can go, say.
                tally.unanswered(1);
                batch.skip(1);
            }
        }
        // There may be more at once, for ever: others have their turn.
        reseau::yield_now().await;
    }
}

/// Echoes for ever. Senders that do not take their answers do not hold up the others.
pub(crate) async fn unix(socket: UnixDatagram, tally: Arc<Tally>) {
    // What can come should be able to go. The system cuts it to its own bound.
    let _ = socket.set(opt::SendBuffer(UNIX_LONGEST));
    let socket = Rc::new(socket);
    let owed = Owed::new(Rc::clone(&socket), Arc::clone(&tally));
    let tally = &tally.unixgram;
    let mut space = vec![0; UNIX_LONGEST];
    for turn in 1_u64.. {
        if turn.is_multiple_of(PACKETS as u64) {
            reseau::yield_now().await;
        }
        let packet = match socket.recv_packet(&mut space).await {
            Ok(packet) => packet,
            Err(error) => {
                missed(&error, tally).await;
                continue;
            }
        };
        tally.received(1, packet.len);
        let bytes = &space[..packet.len];
        match &packet.peer {
            None => tally.nameless(),
            Some(_) if packet.truncated => tally.cut(),
            Some(peer) => owed.answer(bytes, peer),
        }
    }
}

/// Counts a receive that failed, and waits where the next one might fail as well.
async fn missed(error: &io::Error, tally: &Datagrams) {
    tally.failed();
    // News of an earlier answer that nobody took.
    let news = matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset);
    if news {
        reseau::yield_now().await;
    } else {
        reseau::sleep(PAUSE).await;
    }
}

fn bytes(batch: &Batch) -> usize {
    batch.iter().map(|(_, bytes)| bytes.len()).sum()
}

/// How many are received at once, and how many are echoed before others have their turn.
const PACKETS: usize = 32;
/// No datagram of UDP is longer: its length has 16 bits.
const UDP_LONGEST: usize = 0xFFFF;
/// More than twice `wmem_max`, Linux' bound, as it comes; what is longer is counted and not sent
/// back. The pages that no datagram touches are never made.
const UNIX_LONGEST: usize = 1 << 20;

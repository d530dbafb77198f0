//! Answers for those who are too busy to take them now.
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use reseau::{Packet, UnixAddr, UnixDatagram};

use super::tally::Tally;

/// The answers that a Unix socket owes, by whom they are for: in order, bounded, and given up when
/// they are not taken for long. Each peer is waited for by a task of its own, so that the others
/// need not wait.
#[derive(Debug)]
pub(crate) struct Owed {
    socket: Rc<UnixDatagram>,
    tally: Arc<Tally>,
    queues: RefCell<HashMap<UnixAddr, Queue>>,
}

/// What is owed to one peer. There is one as long as there is a task that serves it.
#[derive(Debug, Default)]
struct Queue {
    answers: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Owed {
    pub(crate) fn new(socket: Rc<UnixDatagram>, tally: Arc<Tally>) -> Rc<Self> {
        Rc::new(Self { socket, tally, queues: RefCell::default() })
    }

    /// Sends `bytes` to `peer`: now, or after what is owed to him already.
    pub(crate) fn answer(self: &Rc<Self>, bytes: &[u8], peer: &UnixAddr) {
        let tally = &self.tally.unixgram;
        let mut queues = self.queues.borrow_mut();
        if let Some(queue) = queues.get_mut(peer) {
            if !queue.push(bytes) {
                tally.unanswered(1);
            }
            return;
        }
        match self.socket.try_send_packet(bytes, &Packet::to(peer.clone())) {
            Ok(_) => tally.sent(1, bytes.len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock && queues.len() < PEERS_MAX => {
                let mut queue = Queue::default();
                queue.push(bytes);
                queues.insert(peer.clone(), queue);
                reseau::spawn_local(Rc::clone(self).settle(peer.clone())).detach();
            }
            Err(_) => tally.unanswered(1),
        }
    }

    /// Sends what is owed to `peer` until nothing is.
    async fn settle(self: Rc<Self>, peer: UnixAddr) {
        let tally = &self.tally.unixgram;
        while let Some(answer) = self.next(&peer) {
            let sent = reseau::timeout(PATIENCE, self.socket.send_to_addr(&answer, &peer)).await;
            if let Ok(Ok(_)) = sent {
                tally.sent(1, answer.len());
            } else {
                let lost = self.queues.borrow_mut().remove(&peer);
                tally.unanswered(1 + lost.map_or(0, |queue| queue.answers.len()));
                return;
            }
        }
    }

    /// The next answer for `peer`; none: all have been sent, and nobody serves him any more.
    fn next(&self, peer: &UnixAddr) -> Option<Vec<u8>> {
        let mut queues = self.queues.borrow_mut();
        let answer = queues.get_mut(peer).and_then(Queue::pop);
        if answer.is_none() {
            queues.remove(peer);
        }
        answer
    }
}

impl Queue {
    /// Whether there was room.
    fn push(&mut self, bytes: &[u8]) -> bool {
        let room = self.answers.len() < ANSWERS_MAX && self.bytes + bytes.len() <= BYTES_MAX;
        if room {
            self.answers.push_back(bytes.to_vec());
            self.bytes += bytes.len();
        }
        room
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let answer = self.answers.pop_front()?;
        self.bytes -= answer.len();
        Some(answer)
    }
}

/// How many may be owed answers at the same time: 64 MiB in all.
const PEERS_MAX: usize = 32;
const ANSWERS_MAX: usize = 1024;
/// Two of the longest.
const BYTES_MAX: usize = 2 << 20;
/// Who takes nothing for so long gets nothing of what is owed to him.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_bounded_in_answers_and_in_bytes() {
        let mut queue = Queue::default();
        for _ in 0..ANSWERS_MAX {
            assert!(queue.push(b""));
        }
        assert!(!queue.push(b""));
        assert_eq!(queue.pop(), Some(Vec::new()));
        assert!(queue.push(&vec![1; BYTES_MAX]));
        assert_eq!(queue.pop(), Some(Vec::new()));
        assert!(!queue.push(b"x"), "no bytes are left");
        while queue.pop().is_some() {}
        assert_eq!(queue.bytes, 0);
        assert!(queue.push(b"x"));
    }
}

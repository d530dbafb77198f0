//! What both directions of a stream that speaks TLS have in common: [`Link`].
//!
//! One lock guards the engine and what is on its way into it and out of it. Under it bytes are
//! taken from the lane that receives, and ciphertext is given to the lane that sends, so both are
//! in order whoever calls; the lanes' own locks are taken inside it, never around it. Nobody is
//! woken under it, and the kernel is not asked: see [`Errands`]. Nothing is ever sealed without
//! being given to its lane at once, and so nothing sealed is lost with a call that was dropped.
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use super::core::Core;
use super::engine::Engine;
use super::sealed::RECORD;
use super::{Role, Session};
use crate::addr::{Any, Family};
use crate::driver::{Errands, Side, Socket, Who};
use crate::net::{Interest, Ready, Stream, Ticket};
use crate::pool::Chunk;
use crate::sync::lock;

/// A stream, and the TLS that is spoken on it. Of what family it is, others know.
pub(super) struct Link {
    pub(super) stream: Stream<Any>,
    core: Mutex<Core>,
}

impl Link {
    pub(super) fn new<F: Family>(stream: Stream<F>, engine: Engine, received: Vec<u8>) -> Self {
        let stream = stream.cast();
        Self { stream, core: Mutex::new(Core::new(engine, received)) }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    pub(super) fn lane(&self) -> &Arc<Socket> {
        self.stream.lane()
    }

    pub(super) fn session(&self) -> Session {
        self.core().engine.session()
    }

    /// How many bytes were received and not taken, decrypted or not.
    pub(super) fn queued(&self) -> usize {
        let core = self.core();
        core.queued() + self.stream.queued()
    }

    // ---- receiving ----------------------------------------------------------------------------

    /// Has the handshake made. Its first word is said at once.
    pub(super) fn poll_handshake(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut errands = Errands::default();
        self.core().say(self.lane(), &mut errands);
        errands.run(self.lane());
        self.poll_core(Who::Owner, Core::handshake, cx)
    }

    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Chunk>>> {
        self.poll_core(Who::Owner, Core::next, cx)
    }

    /// Hands out what is there, in pieces, up to `room` bytes. 0 is the end (or no room).
    #[cfg_attr(
        not(any(feature = "futures-io", feature = "tokio", feature = "hyper")),
        allow(dead_code)
    )]
    pub(super) fn poll_read(
        &self,
        room: usize,
        mut put: impl FnMut(&[u8]),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        let read = |core: &mut Core| core.read(room, &mut put);
        let (count, more) = ready!(self.poll_core(Who::Owner, read, cx))?;
        Poll::Ready(Ok(self.read_on(count, more, room, put)))
    }

    pub(super) fn try_read(&self, room: usize, mut put: impl FnMut(&[u8])) -> io::Result<usize> {
        if room == 0 {
            return Ok(0);
        }
        let (count, more) = self.try_core(|core| core.read(room, &mut put))?;
        Ok(self.read_on(count, more, room, put))
    }

    /// A large read takes all that is there.
    fn read_on(
        &self,
        mut count: usize,
        mut more: bool,
        room: usize,
        mut put: impl FnMut(&[u8]),
    ) -> usize {
        while count > 0 && count < room && (more || !self.lane().seems_dry()) {
            // What is wrong, the next read says.
            match self.look(&mut |core| core.read(room - count, &mut put)) {
                Some(Ok((step @ 1.., left))) => (count, more) = (count + step, left),
                _ => break,
            }
        }
        count
    }

    /// Lends the first bytes that are there, which stay; empty at the end.
    pub(super) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<io::Result<Chunk>> {
        self.poll_core(Who::Owner, Core::head, cx)
    }

    /// Drops the first `count` bytes of what was lent.
    pub(super) fn consume(&self, count: usize) {
        self.core().consume(count);
    }

    /// Copies the first bytes that are there, which stay. 0 is the end.
    pub(super) fn poll_peek(
        &self,
        who: Who<'_>,
        buf: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let count = ready!(self.poll_core(who, |core| core.show(buf, false), cx))?;
        if count == 0 || count == buf.len() {
            return Poll::Ready(Ok(count));
        }
        // Nothing is taken, so only this asks for what whoever peeks again hopes to see.
        let _ = self.lane().try_came();
        let more = self.look(&mut |core| core.show(buf, true)).and_then(Result::ok);
        Poll::Ready(Ok(more.unwrap_or(count).max(count)))
    }

    /// Ready when there is plaintext to take, or the end, or an error, which reading says. Nothing
    /// is copied for it.
    pub(super) fn poll_readable(&self, who: Who<'_>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_core(who, Core::there, cx).map(drop)
    }

    /// Fills `buf`. Within the window, or a record if that is longer, nothing is taken before all
    /// of it is there.
    pub(super) async fn read_exact(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < buf.len() {
            let space = &mut buf[count..];
            let window = self.window().max(RECORD);
            let mut exact = |core: &mut Core| core.exact(space, window);
            count += poll_fn(|cx| self.poll_core(Who::Owner, &mut exact, cx)).await?;
        }
        Ok(count)
    }

    pub(super) fn window(&self) -> usize {
        self.lane().recv_lane().window()
    }

    /// Asks for something until `take` gives it, and has more decrypted meanwhile. It is asked
    /// again whenever something was, and under a lock: it calls nobody.
    fn poll_core<T>(
        &self,
        mut who: Who<'_>,
        mut take: impl FnMut(&mut Core) -> Option<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        loop {
            if let Some(answer) = self.look(&mut take) {
                return Poll::Ready(answer);
            }
            match self.lane().poll_came(who.again(), cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => self.core().engine.feed_end(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // Others may have fed what came before the waker was left.
                Poll::Pending => {
                    return take(&mut self.core()).map_or(Poll::Pending, Poll::Ready);
                }
            }
        }
    }

    /// As [`poll_core`](Self::poll_core) without waiting: `WouldBlock` where that would.
    fn try_core<T>(
        &self,
        mut take: impl FnMut(&mut Core) -> Option<io::Result<T>>,
    ) -> io::Result<T> {
        loop {
            if let Some(answer) = self.look(&mut take) {
                return answer;
            }
            if !self.lane().try_came()? {
                self.core().engine.feed_end();
            }
        }
    }

    /// One look, with what has come already.
    fn look<T>(
        &self,
        take: &mut impl FnMut(&mut Core) -> Option<io::Result<T>>,
    ) -> Option<io::Result<T>> {
        let lane = self.lane();
        if let Some(late) = lane.is_late() {
            return Some(Err(late));
        }
        let mut errands = Errands::default();
        let mut core = self.core();
        let answer = loop {
            let answer = take(&mut core);
            if answer.is_some() || !core.feed(lane, &mut errands) {
                break answer;
            }
        };
        if answer.is_none() {
            core.rest(lane, &mut errands);
        }
        drop(core);
        errands.run(lane);
        answer
    }

    // ---- both ---------------------------------------------------------------------------------

    /// Waits for one of `interest`, and says what there is.
    pub(super) async fn ready(&self, interest: Interest) -> Ready {
        let mut recv = Ticket::new(self.lane(), Side::Recv);
        let mut send = Ticket::new(self.lane(), Side::Send);
        poll_fn(|cx| {
            let mut found = Ready::EMPTY;
            if interest.is_readable() && self.poll_readable(recv.who(), cx).is_ready() {
                let ended =
                    self.core().engine.is_over() || self.lane().recv_lane().ended().is_some();
                found |= if ended { Ready::READ_CLOSED } else { Ready::EMPTY } | Ready::READABLE;
            }
            if interest.is_writable() && self.lane().poll_writable(send.who(), cx).is_ready() {
                let over = self.core().engine.sealing().is_err() || {
                    let lane = self.lane().send_lane();
                    lane.failed() || !lane.open()
                };
                found |= if over { Ready::WRITE_CLOSED } else { Ready::EMPTY } | Ready::WRITABLE;
            }
            if found.is_empty() { Poll::Pending } else { Poll::Ready(found) }
        })
        .await
    }

    // ---- sending ------------------------------------------------------------------------------

    /// Encrypts the whole chunk as soon as there is room for it, and none of it before.
    pub(super) fn poll_send(
        &self,
        chunk: &mut Option<Chunk>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.lane().poll_room(cx))?;
        let Some(chunk) = chunk.take() else { return Poll::Ready(Ok(())) };
        Poll::Ready(self.seal(Socket::post, |core| core.seal_whole(&chunk)))
    }

    /// Encrypts as much as there is room for, a record at least.
    #[cfg_attr(
        not(any(feature = "futures-io", feature = "tokio", feature = "hyper")),
        allow(dead_code)
    )]
    pub(super) fn poll_write(
        &self,
        bufs: &[IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(self.core().sealing().map(|()| 0));
        }
        let room = ready!(self.lane().poll_room(cx))?;
        Poll::Ready(self.seal(Socket::post, |core| core.seal_some(bufs, room)))
    }

    pub(super) fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return self.core().sealing().map(|()| 0);
        }
        let room = self.lane().room()?;
        self.seal(Socket::post_now, |core| core.seal_some(bufs, room))
    }

    fn seal<T>(
        &self,
        post: impl FnOnce(&Arc<Socket>, Chunk, &mut Errands),
        seal: impl FnOnce(&mut Core) -> io::Result<(T, Chunk)>,
    ) -> io::Result<T> {
        let lane = self.lane();
        let mut errands = Errands::default();
        let mut core = self.core();
        let sealed = seal(&mut core).map(|(taken, sealed)| {
            post(lane, sealed, &mut errands);
            taken
        });
        drop(core);
        errands.run(lane);
        sealed
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lane().poll_flush(cx)
    }

    pub(super) fn poll_finish(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.say_end();
        self.lane().poll_finish(cx)
    }

    /// Says that nothing more will be sent, and waits for nothing.
    pub(super) fn finish_soon(&self) {
        self.say_end();
        self.lane().finish_soon();
    }

    fn say_end(&self) {
        let mut errands = Errands::default();
        let mut core = self.core();
        core.engine.finish();
        core.say(self.lane(), &mut errands);
        drop(core);
        errands.run(self.lane());
    }
}

/// A server's tickets come behind its handshake, and a client that never reads does not take them;
/// who closes with them unread makes the system reset the connection.
impl Drop for Link {
    fn drop(&mut self) {
        let core = self.core.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if core.engine.role() == Role::Client && !core.engine.is_over() {
            self.stream.lane().discard(TICKETS_MAX);
        }
    }
}

/// How much is taken out of a socket that is closed: a few tickets, each of which may hold a chain
/// of certificates.
const TICKETS_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::watched;
    use crate::tls::engine::tests::{ask_for_keys, authority, engines, settle};
    use crate::tls::{Client, Server};
    use crate::{Config, Inet, Kind, Loop, TcpListener, TcpStream};
    use std::time::Duration;

    /// A client's stream that has been told this, its server, and the other end beneath, where
    /// nobody serves.
    async fn link_and_server(told: &[u8]) -> (Link, Engine, Stream<Inet>) {
        let (roots, identity) = authority();
        let client = Client::new().trust_only(&roots);
        let (mut client, mut server) = engines(&client, &Server::new(&identity));
        settle(&mut client, &mut server).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let received = record(&mut server, told);
        (Link::new(stream, client, received), server, far)
    }

    fn record(server: &mut Engine, text: &[u8]) -> Vec<u8> {
        assert_eq!(server.seal(text), text.len());
        let mut record = Vec::new();
        while server.wants_to_send() {
            server.send_to(&mut record).unwrap();
        }
        record
    }

    /// Two look; both find nothing; one takes what comes, feeds it and has not read it yet, or only
    /// wants to know; and then the other leaves its waker, which nothing will wake any more.
    #[test]
    fn what_others_have_fed_in_the_meantime_is_found() {
        watched(|| {
            crate::block_on(async {
                let (link, mut server, _far) = link_and_server(b"").await;
                let record = record(&mut server, b"news");
                let mut looks = 0;
                let found = poll_fn(|cx| {
                    let take = |core: &mut Core| {
                        looks += 1;
                        let there = core.there();
                        if looks == 1 {
                            assert!(there.is_none(), "nothing has come yet");
                            assert_eq!(core.engine.feed(&record).unwrap(), record.len());
                        }
                        there
                    };
                    Poll::Ready(link.poll_core(Who::Owner, take, cx))
                });
                assert!(found.await.is_ready(), "it is there, and it waits");
                assert_eq!((looks, link.queued()), (2, 4));
            });
        });
    }

    /// Nobody has asked the lane for anything, and nobody waits.
    #[test]
    fn who_looks_again_has_more_fetched() {
        watched(|| {
            crate::block_on(async {
                let (link, mut server, mut far) = link_and_server(b"hello").await;
                far.send(record(&mut server, b" world")).await.unwrap();
                let mut seen = [0; 16];
                loop {
                    let mut peek = |cx: &mut Context<'_>| {
                        Poll::Ready(link.poll_peek(Who::Owner, &mut seen, cx))
                    };
                    match poll_fn(&mut peek).await {
                        Poll::Ready(Ok(5)) => crate::sleep(Duration::from_millis(1)).await,
                        Poll::Ready(Ok(11)) => break assert_eq!(&seen[..11], b"hello world"),
                        other => panic!("{other:?}"),
                    }
                }
            });
        });
    }

    /// Somebody asks for new keys again and again, and reads nothing.
    #[test]
    fn who_does_not_read_gets_one_answer() {
        watched(|| {
            let config = Config { kind: Some(Kind::Sim), ..Config::default() };
            Loop::with(&config).unwrap().block_on(async {
                let (link, mut server, mut far) = link_and_server(b"").await;
                let recv = || poll_fn(|cx| link.poll_recv(cx));
                let recv_now = || poll_fn(|cx| Poll::Ready(link.poll_recv(cx)));
                link.stream.set_send_window(1);
                let mut send = |cx: &mut Context<'_>| {
                    let text = &mut Some(Chunk::from(vec![7; RECORD]));
                    Poll::Ready(link.poll_send(text, cx).is_ready())
                };
                while poll_fn(&mut send).await {
                    crate::sleep(Duration::from_millis(1)).await;
                }
                let unsent = link.stream.unsent();
                for _ in 0..9 {
                    ask_for_keys(&mut server);
                    far.send(record(&mut server, b"more")).await.unwrap();
                    assert_eq!(&*recv().await.unwrap().unwrap(), b"more");
                    assert!(recv_now().await.is_pending());
                    assert_eq!(link.stream.unsent(), unsent, "there is no room for it");
                }
                // Now it reads; and it is answered as soon as it says something.
                let mut come = Vec::new();
                while link.stream.unsent() > 0 {
                    come.extend_from_slice(&far.recv().await.unwrap().unwrap());
                }
                far.send(record(&mut server, b"more")).await.unwrap();
                assert_eq!(&*recv().await.unwrap().unwrap(), b"more");
                assert!(recv_now().await.is_pending());
                link.finish_soon();
                while let Some(chunk) = far.recv().await.unwrap() {
                    come.extend_from_slice(&chunk);
                }
                let (mut rest, mut answers) = (&come[..], 0);
                while let Some((head, more)) = rest.split_first_chunk::<5>() {
                    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
                    answers += usize::from(length == KEY_UPDATE);
                    rest = &more[length..];
                }
                assert_eq!(answers, 1);
            });
        });
    }

    /// The length of a sealed record that says that keys were changed.
    const KEY_UPDATE: usize = 5 + 1 + 16;
}

//! Bytes both ways between a stream and stdin and stdout.
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use reseau::tls::TlsStream;
use reseau::{Any, Chunk, Stream, net, timeout, tls};

use super::Orders;
use super::input::Input;
use super::output::Output;
use crate::failure::Failure;

/// Sends stdin to the peer and prints what the peer sends, until both have ended. Each end of
/// stdin or of the peer is passed on by itself.
///
/// When the peer has ended, the rest of stdin is still sent, unless that
/// [is the end](Orders::ends_with_peer).
pub(super) async fn stream(
    stream: impl Conversation,
    input: &mut Input,
    orders: &Orders,
) -> Result<(), Trouble> {
    let (mut from, to) = stream.halves();
    // Whoever sends nothing cannot be cut off.
    let complete = Cell::new(orders.deaf);
    let mut to = Part { to: Some(to), complete: &complete };
    let (aside, output) = (&orders.aside, Output::stdout());
    aside.begin();
    let up = async {
        if orders.deaf {
            return Ok(());
        }
        while let Some(bytes) = input.next(PIECE).await.map_err(Trouble::Input)? {
            let count = bytes.len();
            to.half().send(bytes).await.map_err(Trouble::Peer)?;
            aside.count_sent(count);
        }
        aside.note("stdin has ended");
        complete.set(true);
        to.half().finish().await.map_err(Trouble::Peer)
    };
    let down = async {
        while let Some(chunk) = from.recv().await.map_err(Trouble::Peer)? {
            aside.count_received(chunk.len());
            output.print(chunk).await.map_err(Trouble::Output)?;
        }
        aside.note("the peer has ended");
        Ok(())
    };
    let (mut up, mut down) = (pin!(up), pin!(down));
    let (mut sent, mut received) = (None::<Result<(), Trouble>>, None::<Result<(), Trouble>>);
    loop {
        let mute = sent.is_some();
        let moved = poll_fn(|cx| {
            let news = [go_on(&mut received, &mut down, cx), go_on(&mut sent, &mut up, cx)];
            if news.contains(&true) { Poll::Ready(()) } else { Poll::Pending }
        });
        // Once stdin has ended, silence may end it all.
        match orders.wait.filter(|_| mute) {
            None => moved.await,
            Some(wait) => {
                let prints = output.prints();
                if timeout(wait, moved).await.is_err() && output.is_silent_since(prints) {
                    aside.note("nothing came any more");
                    received = Some(Ok(()));
                }
            }
        }
        match (&sent, &received) {
            // What comes from the peer ends it; without stdin there is nothing to send either.
            (_, Some(Err(_))) | (Some(Err(Trouble::Input(_))), _) | (Some(_), Some(_)) => break,
            (None, Some(Ok(()))) if orders.ends_with_peer() => {
                complete.set(true);
                break;
            }
            // The peer takes no more, but may have something to say about that.
            _ => {}
        }
    }
    received.into_iter().chain(sent).collect()
}

/// Goes on with `what` unless it has ended before; says whether it has now.
fn go_on<T>(
    ended: &mut Option<T>,
    what: &mut Pin<&mut impl Future<Output = T>>,
    cx: &mut Context<'_>,
) -> bool {
    if ended.is_some() {
        return false;
    }
    if let Poll::Ready(end) = what.as_mut().poll(cx) {
        *ended = Some(end);
    }
    ended.is_some()
}

/// The half that writes, which must not end as if all of stdin had gone when it has not: a signal
/// or an error is a cut, which TLS lets the peer tell from an end.
struct Part<'a, M: Mouth> {
    /// It is there until the drop.
    to: Option<M>,
    complete: &'a Cell<bool>,
}

impl<M: Mouth> Part<'_, M> {
    fn half(&mut self) -> &mut M {
        self.to.as_mut().expect("it is there until the drop")
    }
}

impl<M: Mouth> Drop for Part<'_, M> {
    fn drop(&mut self) {
        if let Some(to) = self.to.take().filter(|_| !self.complete.get()) {
            to.forget();
        }
    }
}

/// A stream, with TLS or without.
pub(super) trait Conversation {
    type From: Ear;
    type To: Mouth;

    fn halves(self) -> (Self::From, Self::To);
}

/// The half that reads.
pub(super) trait Ear {
    async fn recv(&mut self) -> io::Result<Option<Chunk>>;
}

/// The half that writes.
pub(super) trait Mouth {
    async fn send(&mut self, bytes: Vec<u8>) -> io::Result<()>;
    async fn finish(&mut self) -> io::Result<()>;
    /// Goes without an end of its own.
    fn forget(self);
}

macro_rules! conversation {
    ($stream:ty, $read:ty, $write:ty) => {
        impl Conversation for $stream {
            type From = $read;
            type To = $write;

            fn halves(self) -> ($read, $write) {
                self.into_split()
            }
        }

        impl Ear for $read {
            async fn recv(&mut self) -> io::Result<Option<Chunk>> {
                <$read>::recv(self).await
            }
        }

        impl Mouth for $write {
            async fn send(&mut self, bytes: Vec<u8>) -> io::Result<()> {
                <$write>::send(self, bytes).await
            }

            async fn finish(&mut self) -> io::Result<()> {
                <$write>::finish(self).await
            }

            fn forget(self) {
                <$write>::forget(self);
            }
        }
    };
}

conversation!(Stream, net::OwnedReadHalf<Any>, net::OwnedWriteHalf<Any>);
conversation!(TlsStream, tls::OwnedReadHalf<Any>, tls::OwnedWriteHalf<Any>);

/// What went wrong, and on which side.
#[derive(Debug)]
pub(super) enum Trouble {
    Input(io::Error),
    Output(io::Error),
    Peer(io::Error),
}

impl Trouble {
    /// A reader of stdout that has gone has what it wanted.
    pub(super) fn failure(self) -> Result<(), Failure> {
        match self {
            Self::Input(error) => Err(Failure::world(format_args!("cannot read stdin: {error}"))),
            Self::Output(error) => Failure::output(&error),
            Self::Peer(error) => Err(Failure::world(error)),
        }
    }
}

/// How much of stdin is read at once.
const PIECE: usize = 64 * 1024;

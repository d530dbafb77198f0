//! kqueue, event ports and IOCP, by way of `polling`.
#![allow(unsafe_code)]

use super::{Interest, Watched};
use polling::{Event, Events, PollMode};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// kqueue, event ports, or IOCP.
pub(crate) struct Poller {
    poller: Arc<polling::Poller>,
    mode: PollMode,
    raw: Events,
    events: Vec<(usize, Interest)>,
    /// How many of them have been told.
    told: usize,
}

/// A socket that the poller watches, until this is dropped.
pub(crate) struct Registered<S: Watched> {
    poller: Arc<polling::Poller>,
    mode: PollMode,
    source: S,
    key: usize,
    armed: Interest,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let poller = Arc::new(polling::Poller::new()?);
        let mode = if poller.supports_level() { PollMode::Level } else { PollMode::Oneshot };
        Ok(Self { poller, mode, raw: Events::new(), events: Vec::new(), told: 0 })
    }

    /// Waits for events, a wake-up or the end of the time.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.raw.clear();
        self.events.clear();
        self.told = 0;
        match self.poller.wait(&mut self.raw, limit) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.events.extend(
            self.raw
                .iter()
                .map(|event| (event.key, Interest { recv: event.readable, send: event.writable })),
        );
        Ok(())
    }

    pub(crate) fn register<S: Watched>(
        &self,
        key: usize,
        source: S,
        want: Interest,
    ) -> io::Result<Registered<S>> {
        let event = Event::new(key, want.recv, want.send);
        // SAFETY: `Registered` owns the source and deletes the registration before it drops it.
        unsafe { self.poller.add_with_mode(source.fd().os()?, event, self.mode)? };
        let poller = self.poller.clone();
        Ok(Registered { poller, mode: self.mode, source, key, armed: want })
    }

    pub(crate) fn unparker(&self) -> Box<dyn Fn() + Send + Sync> {
        let poller = self.poller.clone();
        Box::new(move || drop(poller.notify()))
    }

    /// The next of the events that the last wait has brought.
    pub(crate) fn next_event(&mut self) -> Option<(usize, Interest)> {
        let event = self.events.get(self.told).copied()?;
        self.told += 1;
        Some(event)
    }
}

impl<S: Watched> Registered<S> {
    /// Whether that, and something, is what is asked for already.
    pub(crate) fn wants(&self, want: Interest) -> bool {
        self.armed == want && want != Interest::default()
    }

    /// Asks for `want`, if it is not what is asked for already.
    pub(crate) fn want(&mut self, want: Interest) -> io::Result<()> {
        if self.armed != want {
            let event = Event::new(self.key, want.recv, want.send);
            self.poller.modify_with_mode(self.source.fd().os()?, event, self.mode)?;
            self.armed = want;
        }
        Ok(())
    }

    /// An event came: a one-shot interest is spent.
    pub(crate) fn fired(&mut self) {
        if self.mode == PollMode::Oneshot {
            self.armed = Interest::default();
        }
    }
}

impl<S: Watched> Drop for Registered<S> {
    fn drop(&mut self) {
        if let Ok(socket) = self.source.fd().os() {
            let _ = self.poller.delete(socket);
        }
    }
}

//! What the rooms above know of an error, and add to it.
use std::any::Any;
use std::{fmt, io};

use super::{Attempt, Error, Phase};
use crate::addr::Addr;

#[allow(dead_code)] // Not every build has a room for each of them.
impl Error {
    pub(crate) fn phase_at(mut self, phase: Phase) -> Self {
        self.0.phase = Some(phase);
        self
    }

    pub(crate) fn local(mut self, addr: Addr) -> Self {
        self.0.local = Some(addr);
        self
    }

    pub(crate) fn peer(mut self, addr: Addr) -> Self {
        self.0.peer = Some(addr);
        self
    }

    /// What the caller named, as he wrote it.
    pub(crate) fn target(mut self, target: impl fmt::Display) -> Self {
        self.0.target = Some(target.to_string().into());
        self
    }

    pub(crate) fn attempt(mut self, addr: Addr, error: io::Error) -> Self {
        self.0.attempts.push(Attempt { addr, error });
        self
    }

    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// What else there is to say, in a type of the room that says it.
    pub(crate) fn attach(mut self, attachment: impl Any + Send + Sync) -> Self {
        self.0.attachment = Some(Box::new(attachment));
        self
    }

    pub(crate) fn attachment(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.0.attachment.as_deref()
    }

    /// What it came from, without what we know of it.
    pub(crate) fn cause(&self) -> &io::Error {
        &self.0.source
    }
}

//! The door into a loop: what other threads leave, and whether its owner sleeps.
//!
//! One lock decides sleep: what was left and `closed` change under it, and `parked` is set under
//! it, so a post is never missed by a loop that goes to sleep. `tests/loom.rs` compiles this very
//! file with loom's locks in the place of `crate::sync` and tries every interleaving.
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};

/// Where other threads leave things for a loop. The loop alone takes, parks and closes.
pub(crate) struct Door<T> {
    inbox: Mutex<Inbox<T>>,
    /// The owner is parked, or about to be, and nobody has unparked it yet. Set under the lock;
    /// cleared by whoever unparks, under the lock, or by the owner when it has woken.
    parked: AtomicBool,
    /// Something came since the last look. It changes under the lock; read without, it is a hint
    /// that saves the owner from looking in vain.
    mail: AtomicBool,
}

struct Inbox<T> {
    left: Vec<T>,
    /// The loop has ended; nothing will be looked at again.
    closed: bool,
}

/// What the one who posted must do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// Nothing: the owner is awake, or somebody else is waking it.
    Seen,
    /// Unpark the owner.
    Unpark,
}

impl<T> Door<T> {
    pub(crate) fn new() -> Self {
        let inbox = Inbox { left: Vec::new(), closed: false };
        Self {
            inbox: Mutex::new(inbox),
            parked: AtomicBool::new(false),
            mail: AtomicBool::new(false),
        }
    }

    /// Leaves something. The loop has ended: it comes back.
    pub(crate) fn post(&self, thing: T) -> Result<Posted, T> {
        let mut inbox = self.inbox();
        if inbox.closed {
            return Err(thing);
        }
        inbox.left.push(thing);
        Ok(self.ring(&inbox))
    }

    /// Leaves nothing but the wish that the owner look around once.
    pub(crate) fn knock(&self) -> Posted {
        let inbox = self.inbox();
        if inbox.closed { Posted::Seen } else { self.ring(&inbox) }
    }

    /// The lock is held: that is what makes `mail` and `parked` one.
    fn ring(&self, _inbox: &MutexGuard<'_, Inbox<T>>) -> Posted {
        self.mail.store(true, Ordering::Relaxed);
        if self.parked.load(Ordering::Relaxed) {
            self.parked.store(false, Ordering::Relaxed);
            Posted::Unpark
        } else {
            Posted::Seen
        }
    }

    /// Announces wakefulness: from here on nobody need unpark. (Who looks at the same moment may
    /// unpark all the same, which the next wait forgives.)
    pub(crate) fn awake(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }

    /// Whether something came since the last look, as a hint: [`park`](Self::park) knows.
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Relaxed)
    }

    /// Takes what was left. `into` must be empty.
    pub(crate) fn take(&self, into: &mut Vec<T>) {
        debug_assert!(into.is_empty());
        if !self.has_mail() {
            return;
        }
        let mut inbox = self.inbox();
        self.mail.store(false, Ordering::Relaxed);
        std::mem::swap(into, &mut inbox.left);
    }

    /// Announces sleep. False: something came meanwhile, so look first.
    pub(crate) fn park(&self) -> bool {
        let _inbox = self.inbox();
        let park = !self.mail.load(Ordering::Relaxed);
        if park {
            self.parked.store(true, Ordering::Relaxed);
        }
        park
    }

    /// Closes for good and returns what nobody will look at.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut inbox = self.inbox();
        inbox.closed = true;
        self.parked.store(false, Ordering::Relaxed);
        std::mem::take(&mut inbox.left)
    }

    /// Whether the owner sleeps, as a hint.
    pub(crate) fn asleep(&self) -> bool {
        self.parked.load(Ordering::Relaxed)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox<T>> {
        crate::sync::lock(&self.inbox)
    }
}

/// Whether a thing is in the inbox and not yet looked at: two kicks are one.
pub(crate) struct Mark(AtomicBool);

impl Mark {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// True when it was marked before: the home has yet to look, and will see this change too.
    pub(crate) fn set(&self) -> bool {
        self.0.swap(true, Ordering::AcqRel)
    }

    /// *Before* the home looks, so that a change made after this marks again.
    pub(crate) fn clear(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}

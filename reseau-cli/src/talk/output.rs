//! stdout for tasks, which must not wait for it.
use std::cell::Cell;
use std::io::{self, Write};

use reseau::offload;

/// stdout, and whether it is the peer who is silent when nothing comes.
pub(super) struct Output {
    /// Something is on its way to whoever reads, who may be slow: nothing is received meanwhile.
    printing: Cell<bool>,
    prints: Cell<u64>,
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self { printing: Cell::new(false), prints: Cell::new(0) }
    }

    /// Writes all of it.
    pub(super) async fn print(&self, bytes: impl AsRef<[u8]> + Send + 'static) -> io::Result<()> {
        self.printing.set(true);
        let end = offload(move || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes.as_ref())?;
            stdout.flush()
        });
        let end = end.await;
        self.printing.set(false);
        self.prints.set(self.prints.get() + 1);
        end?
    }

    /// How often something has come and has been printed.
    pub(super) fn prints(&self) -> u64 {
        self.prints.get()
    }

    /// Whether nothing has come since there were so many [`prints`](Self::prints). While the last
    /// of it is being printed, and for the time after, nobody knows.
    pub(super) fn is_silent_since(&self, prints: u64) -> bool {
        !self.printing.get() && self.prints.get() == prints
    }
}

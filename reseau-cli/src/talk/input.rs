//! stdin for tasks, which must not wait for it.
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;

use reseau::offload;

/// stdin, piece by piece. What has been read and not taken waits for the next who asks.
pub(super) struct Input {
    reading: Option<Reading>,
    ended: bool,
}

type Reading = Pin<Box<dyn Future<Output = io::Result<io::Result<Vec<u8>>>>>>;

impl Input {
    pub(super) fn stdin() -> Self {
        Self { reading: None, ended: false }
    }

    /// The next bytes, `most` of them at most; none at the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        let reading = self.reading.get_or_insert_with(|| Box::pin(offload(move || read(most))));
        let bytes = reading.await;
        self.reading = None;
        let bytes = bytes??;
        self.ended = bytes.is_empty();
        Ok((!self.ended).then_some(bytes))
    }
}

fn read(most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let count = loop {
        match io::stdin().lock().read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            end => break end?,
        }
    };
    bytes.truncate(count);
    Ok(bytes)
}

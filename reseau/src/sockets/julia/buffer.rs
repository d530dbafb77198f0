//! What has come and was not read yet.

/// Bytes in one piece, between two positions: at most [`Buffer::MAX`].
#[derive(Default)]
pub(super) struct Buffer {
    /// Empty until it is used: a connection that is idle from the start costs nothing.
    bytes: Vec<u8>,
    read_pos: usize,
    write_pos: usize,
}

impl Buffer {
    pub(super) const MAX: usize = 64 * 1024;

    /// Room for what comes: none if it is full.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = vec![0; Self::MAX];
        }
        if self.read_pos == self.write_pos {
            (self.read_pos, self.write_pos) = (0, 0);
        } else if self.write_pos == self.bytes.len() {
            self.bytes.copy_within(self.read_pos.., 0);
            (self.read_pos, self.write_pos) = (0, self.write_pos - self.read_pos);
        }
        &mut self.bytes[self.write_pos..]
    }

    /// So many bytes of the space have come.
    pub(super) fn fill(&mut self, count: usize) {
        self.write_pos += count;
        debug_assert!(self.write_pos <= self.bytes.len());
    }

    /// So many bytes are read.
    pub(super) fn consume(&mut self, count: usize) {
        self.read_pos += count;
        debug_assert!(self.read_pos <= self.write_pos);
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.read_pos..self.write_pos]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_unread_moves_to_the_front_when_the_end_is_reached() {
        let mut buffer = Buffer::default();
        assert_eq!(buffer.space().len(), Buffer::MAX);
        buffer.fill(Buffer::MAX);
        assert_eq!(buffer.space(), [0; 0], "it is full, and does not grow");
        buffer.consume(Buffer::MAX - 1);
        assert_eq!(buffer.space().len(), Buffer::MAX - 1);
        assert_eq!(buffer.unread().len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn bytes_come_out_as_they_went_in(steps: Vec<(bool, usize)>) {
            let (mut buffer, mut came, mut read) = (Buffer::default(), 0_usize, 0_usize);
            for (comes, count) in steps {
                if comes {
                    let space = buffer.space();
                    let count = count % (space.len() + 1);
                    for byte in &mut space[..count] {
                        *byte = came as u8;
                        came += 1;
                    }
                    buffer.fill(count);
                } else {
                    let count = count % (buffer.unread().len() + 1);
                    for byte in &buffer.unread()[..count] {
                        prop_assert_eq!(*byte, read as u8);
                        read += 1;
                    }
                    buffer.consume(count);
                }
                prop_assert_eq!(buffer.unread().len(), came - read);
            }
        }
    }
}

//! DER, as far as it takes to read a certificate or an answer of LDAP.

/// Values one after the other, each with its tag. Whatever is not understood ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

impl<'a> Der<'a> {
    /// The next value of that tag.
    pub(crate) fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// What is in the next value of that tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.value(tag).map(Self)
    }

    /// The next value, if it has that tag. Otherwise it stays the next.
    pub(crate) fn value_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.value(tag) } else { None }
    }
}

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = *self.0.first()?;
        let (start, length) = extent(self.0)?;
        let end = start.checked_add(length)?;
        let value = self.0.get(start..end)?;
        self.0 = &self.0[end..];
        Some((tag, value))
    }
}

/// Where the first value begins, and how long it is, if that much can be seen. The value itself
/// may not be there yet.
pub(crate) fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        length @ 0..=0x7f => Some((2, length.into())),
        // More than four bytes of length are in no certificate; none is for streams.
        form @ 0x81..=0x84 => {
            let end = 2 + usize::from(form & 0x7f);
            let length = bytes.get(2..end)?;
            Some((end, length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))))
        }
        _ => None,
    }
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_order_until_one_is_cut() {
        let mut der = Der(&[0x02, 1, 7, 0x04, 0x81, 2, 8, 9, 0x02, 2, 1]);
        assert_eq!(der.value_if(OCTET_STRING), None);
        assert_eq!(der.value(INTEGER), Some(&[7][..]));
        assert_eq!(der.value_if(OCTET_STRING), Some(&[8, 9][..]));
        assert_eq!(der.value(INTEGER), None);
    }

    #[test]
    fn lengths_that_cannot_be_are_none() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x30, 0x82]]
        {
            assert_eq!(extent(bytes), None, "{bytes:?}");
            assert_eq!(Der(bytes).next(), None, "{bytes:?}");
        }
        assert_eq!(Der(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).next(), None);
    }
}

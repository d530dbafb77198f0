//! How the kernel writes what an option's value means.
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::sys::Side;
use crate::sys::option::{On, Place};

/// Reads a value.
pub(super) trait Decode<T> {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<T>;
}

/// Writes a value, if it is one that the option has.
pub(super) trait Encode<T> {
    fn write(&self, on: On<'_>, at: &Place, value: T) -> io::Result<()>;
}

/// A value that the kernel writes as a number.
pub(super) trait Numeric<T> {
    fn number_of(&self, value: T) -> io::Result<i32>;
    fn value_of(&self, number: i32) -> io::Result<T>;
}

impl<T, N: Numeric<T>> Decode<T> for N {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<T> {
        self.value_of(on.number(at)?)
    }
}

impl<T, N: Numeric<T>> Encode<T> for N {
    fn write(&self, on: On<'_>, at: &Place, value: T) -> io::Result<()> {
        on.set_number(at, self.number_of(value)?)
    }
}

/// On or off.
pub(super) struct Flag;

impl Numeric<bool> for Flag {
    fn number_of(&self, on: bool) -> io::Result<i32> {
        Ok(on.into())
    }

    fn value_of(&self, number: i32) -> io::Result<bool> {
        Ok(number != 0)
    }
}

/// A number with its bounds.
pub(super) struct Between(pub(super) i32, pub(super) i32);

impl<T: TryInto<i32> + TryFrom<i32> + Display + Copy> Numeric<T> for Between {
    fn number_of(&self, value: T) -> io::Result<i32> {
        let number = value.try_into().ok().filter(|number| (self.0..=self.1).contains(number));
        number.ok_or_else(|| out_of_range(value, self.0, self.1))
    }

    fn value_of(&self, number: i32) -> io::Result<T> {
        number.try_into().map_err(|_| strange(number))
    }
}

/// A number that fills its field.
pub(super) struct Bits;

impl Numeric<u32> for Bits {
    fn number_of(&self, value: u32) -> io::Result<i32> {
        Ok(value.cast_signed())
    }

    fn value_of(&self, number: i32) -> io::Result<u32> {
        Ok(number.cast_unsigned())
    }
}

/// The number of a thing; zero is none.
pub(super) struct Index;

impl Numeric<Option<NonZeroU32>> for Index {
    fn number_of(&self, index: Option<NonZeroU32>) -> io::Result<i32> {
        Ok(index.map_or(0, |index| index.get().cast_signed()))
    }

    fn value_of(&self, number: i32) -> io::Result<Option<NonZeroU32>> {
        Ok(NonZeroU32::new(number.cast_unsigned()))
    }
}

/// A number of a thing; -1 is none.
pub(super) struct Maybe;

impl Numeric<Option<u32>> for Maybe {
    fn number_of(&self, value: Option<u32>) -> io::Result<i32> {
        value.map_or(Ok(-1), |value| Between(0, i32::MAX).number_of(value))
    }

    fn value_of(&self, number: i32) -> io::Result<Option<u32>> {
        Ok(u32::try_from(number).ok())
    }
}

/// A span of time: what it is counted in, and the most of them. Spans are rounded up.
pub(super) struct Span {
    unit: Duration,
    min: i32,
    max: i32,
}

impl Span {
    pub(super) const fn seconds(min: i32, max: i32) -> Self {
        Self { unit: Duration::from_secs(1), min, max }
    }

    pub(super) const fn millis(min: i32, max: i32) -> Self {
        Self { unit: Duration::from_millis(1), min, max }
    }

    pub(super) const fn micros(min: i32, max: i32) -> Self {
        Self { unit: Duration::from_micros(1), min, max }
    }

    fn spans(&self, count: i32) -> Duration {
        self.unit * count.cast_unsigned()
    }
}

impl Numeric<Duration> for Span {
    fn number_of(&self, span: Duration) -> io::Result<i32> {
        let count = span.as_nanos().div_ceil(self.unit.as_nanos());
        let count = i32::try_from(count).ok().filter(|n| (self.min..=self.max).contains(n));
        count.ok_or_else(|| {
            let (min, max) = (self.spans(self.min), self.spans(self.max));
            invalid(format!("{span:?} is out of range: {min:?} to {max:?}"))
        })
    }

    fn value_of(&self, number: i32) -> io::Result<Duration> {
        if number < 0 { Err(strange(number)) } else { Ok(self.spans(number)) }
    }
}

/// A span of time that zero stands for the absence of.
pub(super) struct Optional(pub(super) Span);

impl Numeric<Option<Duration>> for Optional {
    fn number_of(&self, span: Option<Duration>) -> io::Result<i32> {
        span.map_or(Ok(0), |span| self.0.number_of(span))
    }

    fn value_of(&self, number: i32) -> io::Result<Option<Duration>> {
        Ok(Some(self.0.value_of(number)?).filter(|span| !span.is_zero()))
    }
}

/// As [`Optional`] in seconds, but what is less than none is none too, and what is absent is
/// written so.
pub(super) struct Forgiving(pub(super) i32);

impl Numeric<Option<Duration>> for Forgiving {
    fn number_of(&self, span: Option<Duration>) -> io::Result<i32> {
        span.map_or(Ok(-1), |span| Span::seconds(1, self.0).number_of(span))
    }

    fn value_of(&self, number: i32) -> io::Result<Option<Duration>> {
        let seconds = u64::try_from(number).ok().filter(|seconds| *seconds > 0);
        Ok(seconds.map(Duration::from_secs))
    }
}

/// How long closing waits: whole seconds on every system.
pub(super) struct Lingering;

impl Decode<Option<Duration>> for Lingering {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<Option<Duration>> {
        let _ = at;
        on.linger()
    }
}

impl Encode<Option<Duration>> for Lingering {
    fn write(&self, on: On<'_>, _: &Place, span: Option<Duration>) -> io::Result<()> {
        // What is left of a second would be cut off: half a second must not become a reset.
        let whole = span.map(|span| Span::seconds(0, LINGER_MAX).number_of(span)).transpose()?;
        on.set_linger(whole.map(|count| Duration::from_secs(count.cast_unsigned().into())))
    }
}

/// Whether closing resets the connection: a linger of zero.
pub(super) struct Reset;

impl Decode<bool> for Reset {
    fn read(&self, on: On<'_>, _: &Place) -> io::Result<bool> {
        Ok(on.linger()? == Some(Duration::ZERO))
    }
}

impl Encode<bool> for Reset {
    fn write(&self, on: On<'_>, _: &Place, reset: bool) -> io::Result<()> {
        on.set_linger(reset.then_some(Duration::ZERO))
    }
}

/// How long one call may wait.
pub(super) struct Timeout(pub(super) Side);

impl Decode<Option<Duration>> for Timeout {
    fn read(&self, on: On<'_>, _: &Place) -> io::Result<Option<Duration>> {
        on.timeout(self.0)
    }
}

impl Encode<Option<Duration>> for Timeout {
    fn write(&self, on: On<'_>, _: &Place, span: Option<Duration>) -> io::Result<()> {
        if span == Some(Duration::ZERO) {
            return Err(invalid("a timeout of zero: take None to wait for ever".into()));
        }
        on.set_timeout(self.0, span)
    }
}

/// The error that the kernel keeps.
pub(super) struct Pending;

impl Decode<Option<io::Error>> for Pending {
    fn read(&self, on: On<'_>, _: &Place) -> io::Result<Option<io::Error>> {
        on.take_error()
    }
}

/// A number as wide as a pointer.
pub(super) struct Word;

impl Decode<usize> for Word {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<usize> {
        let mut word = [0; size_of::<usize>()];
        on.bytes(at, &mut word)?;
        Ok(usize::from_ne_bytes(word))
    }
}

impl Encode<usize> for Word {
    fn write(&self, on: On<'_>, at: &Place, value: usize) -> io::Result<()> {
        on.set_bytes(at, &value.to_ne_bytes())
    }
}

/// A number of eight bytes.
pub(super) struct Long;

impl Decode<u64> for Long {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<u64> {
        let mut long = [0; size_of::<u64>()];
        on.bytes(at, &mut long)?;
        Ok(u64::from_ne_bytes(long))
    }
}

/// What BSD made of one byte.
pub(super) struct Octet;

impl Decode<u8> for Octet {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<u8> {
        Between(0, 255).value_of(on.number(at)?)
    }
}

impl Encode<u8> for Octet {
    fn write(&self, on: On<'_>, at: &Place, value: u8) -> io::Result<()> {
        on.set_octet(at, value)
    }
}

impl Decode<bool> for Octet {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<bool> {
        on.number(at).map(|number| number != 0)
    }
}

impl Encode<bool> for Octet {
    fn write(&self, on: On<'_>, at: &Place, value: bool) -> io::Result<()> {
        on.set_octet(at, value.into())
    }
}

/// A name, which ends with a NUL. None of it is no name.
pub(super) struct Name;

impl Decode<Option<String>> for Name {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<Option<String>> {
        let mut space = [0; 256];
        let len = on.bytes(at, &mut space)?;
        let name = space[..len].split(|byte| *byte == 0).next().unwrap_or_default();
        let strange = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let name = std::str::from_utf8(name).map_err(strange)?;
        Ok(Some(name.to_owned()).filter(|name| !name.is_empty()))
    }
}

impl Encode<Option<String>> for Name {
    fn write(&self, on: On<'_>, at: &Place, name: Option<String>) -> io::Result<()> {
        let name = name.unwrap_or_default();
        if name.contains('\0') {
            return Err(invalid(format!("{name:?} has a NUL in it")));
        }
        if name.len() > NAME_MAX {
            return Err(invalid(format!("{name:?} is longer than {NAME_MAX} bytes")));
        }
        on.set_bytes(at, name.as_bytes())
    }
}

impl Decode<String> for Name {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<String> {
        let name: Option<String> = self.read(on, at)?;
        Ok(name.unwrap_or_default())
    }
}

impl Encode<String> for Name {
    fn write(&self, on: On<'_>, at: &Place, name: String) -> io::Result<()> {
        if name.is_empty() {
            return Err(invalid("the name is empty".into()));
        }
        self.write(on, at, Some(name))
    }
}

/// An interface by its number, kept elsewhere for IPv6.
pub(super) struct Interface(pub(super) &'static Place);

impl Interface {
    fn place<'a>(&self, on: On<'_>, v4: &'a Place) -> io::Result<&'a Place> {
        if v4.keys.is_some() && on.is_v6()? { Ok(self.0) } else { Ok(v4) }
    }
}

impl Decode<Option<NonZeroU32>> for Interface {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<Option<NonZeroU32>> {
        Index.read(on, self.place(on, at)?)
    }
}

impl Encode<Option<NonZeroU32>> for Interface {
    fn write(&self, on: On<'_>, at: &Place, index: Option<NonZeroU32>) -> io::Result<()> {
        Index.write(on, self.place(on, at)?, index)
    }
}

/// Where a connection was going.
pub(super) struct Destination;

impl Decode<SocketAddr> for Destination {
    fn read(&self, on: On<'_>, _: &Place) -> io::Result<SocketAddr> {
        on.original_dst()
    }
}

pub(super) fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

pub(super) fn out_of_range(value: impl Display, min: impl Display, max: impl Display) -> io::Error {
    invalid(format!("{value} is out of range: {min} to {max}"))
}

/// The kernel has said what the option does not have.
pub(super) fn strange(number: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the system says {number}"))
}

/// Names of interfaces and of algorithms have 16 bytes, the NUL at the end included.
const NAME_MAX: usize = 15;

/// Windows keeps the seconds in 16 bits.
const LINGER_MAX: i32 = 65_535;

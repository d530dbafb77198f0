//! Timeouts in seconds, and the one that new sockets have.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Socket;

impl Socket {
    /// How many seconds the calls of new sockets may wait; `None` for as long as it takes.
    #[must_use]
    pub fn getdefaulttimeout() -> Option<f64> {
        default().map(|limit| limit.as_secs_f64())
    }

    /// Sets that for every socket that this process makes or accepts from now on. False, and no
    /// change, for what is no such number.
    ///
    /// ```
    /// use reseau::sockets::mojo::Socket;
    /// assert!(Socket::setdefaulttimeout(Some(2.5)));
    /// assert!(!Socket::setdefaulttimeout(Some(f64::NAN)));
    /// assert_eq!(Socket::getdefaulttimeout(), Some(2.5));
    /// assert!(Socket::setdefaulttimeout(None));
    /// ```
    pub fn setdefaulttimeout(value: Option<f64>) -> bool {
        let Some(limit) = span(value) else { return false };
        *DEFAULT.lock().unwrap_or_else(PoisonError::into_inner) = limit;
        true
    }
}

static DEFAULT: Mutex<Option<Duration>> = Mutex::new(None);

pub(super) fn default() -> Option<Duration> {
    *DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds as a span, if they are one.
pub(super) fn span(value: Option<f64>) -> Option<Option<Duration>> {
    match value {
        None => Some(None),
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_spans_or_nothing() {
        assert_eq!(span(None), Some(None));
        assert_eq!(span(Some(0.0)), Some(Some(Duration::ZERO)));
        assert_eq!(span(Some(1.5)), Some(Some(Duration::from_millis(1500))));
        for wrong in [-0.1, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(span(Some(wrong)), None);
        }
    }
}

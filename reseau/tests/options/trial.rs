//! One option on one socket: what may happen, and what must.
use crate::stage::{Ground, Ip};
use reseau::Error;
use reseau::opt::{self, Get, Row, Set, Socket};
use std::cell::Cell;
use std::fmt::Debug;
use std::io::{self, ErrorKind};

/// An option, where it is tried, and what is expected of it.
pub(crate) struct Trial<O> {
    pub(crate) row: &'static Row,
    pub(crate) ground: Ground,
    pub(crate) ip: Ip,
    /// What is set, in order.
    pub(crate) values: Vec<O>,
    /// Whether what is read will do for what was set.
    pub(crate) agree: fn(&O, &O) -> bool,
    /// How the system may refuse it.
    pub(crate) may: Vec<ErrorKind>,
    /// On how many sockets it worked.
    pub(crate) worked: Cell<usize>,
}

/// Sets, and reads back.
pub(crate) struct Both<'a, O>(pub(crate) &'a Trial<O>);

/// Sets.
pub(crate) struct Sets<'a, O>(pub(crate) &'a Trial<O>);

/// Reads.
pub(crate) struct Gets<'a, O>(pub(crate) &'a Trial<O>);

impl<O: Debug + Clone> Both<'_, O> {
    pub(crate) fn on<S: Socket>(&self, what: &str, socket: &S)
    where
        O: Set<S> + Get<S>,
    {
        for value in &self.0.values {
            if self.0.judge(what, socket.set(value.clone())).is_none() {
                // What cannot be set may still be read, or may not: but never panics.
                let _ = socket.get::<O>();
                continue;
            }
            let got = socket.get::<O>();
            let got = got.unwrap_or_else(|error| panic!("{}: {error}", self.0.place(what)));
            let agree = (self.0.agree)(value, &got);
            assert!(agree, "{}: set {value:?}, got {got:?}", self.0.place(what));
        }
    }
}

impl<O: Clone> Sets<'_, O> {
    pub(crate) fn on<S: Socket>(&self, what: &str, socket: &S)
    where
        O: Set<S>,
    {
        for value in &self.0.values {
            self.0.judge(what, socket.set(value.clone()));
        }
    }
}

impl<O> Gets<'_, O> {
    pub(crate) fn on<S: Socket>(&self, what: &str, socket: &S)
    where
        O: Get<S>,
    {
        self.0.judge(what, socket.get::<O>());
    }
}

impl<O> Trial<O> {
    /// The value, or none if the refusal is one that may be; any other fails the test.
    fn judge<T>(&self, what: &str, result: io::Result<T>) -> Option<T> {
        let place = self.place(what);
        let here = match self.ground {
            Ground::Simulated => self.row.is_simulated(),
            Ground::Loop(_) => self.row.is_here(),
        };
        match result {
            Ok(value) => {
                assert!(here, "{place}: a silent success");
                self.worked.set(self.worked.get() + 1);
                Some(value)
            }
            Err(error) => {
                let told = Error::of(&error).unwrap_or_else(|| panic!("{place}: bare {error}"));
                assert!(error.to_string().contains(self.row.name()), "{place}: {error}");
                assert_eq!(told.kind(), error.kind());
                // Simulated sockets, and other systems than the one this was written on, may lack
                // an option on some kinds of sockets.
                let lacks = error.kind() == ErrorKind::Unsupported
                    && (!here || self.ground == Ground::Simulated || !cfg!(target_os = "linux"));
                // Wine says that what it does not know is invalid.
                let wine = cfg!(windows) && std::env::var_os("WINEPREFIX").is_some();
                let may = here && self.may.contains(&error.kind())
                    || wine && error.kind() == ErrorKind::InvalidInput;
                assert!(lacks || may, "{place}: {error} ({:?})", error.kind());
                None
            }
        }
    }

    /// Fails if it worked nowhere and should have.
    pub(crate) fn end(&self) {
        let must = match self.ground {
            Ground::Simulated => self.row.is_simulated(),
            Ground::Loop(_) => {
                self.row.is_here() && self.may.is_empty() && cfg!(target_os = "linux")
            }
        };
        assert!(!must || self.worked.get() > 0, "{}: worked nowhere", self.place("all sockets"));
    }

    fn place(&self, what: &str) -> String {
        format!("{} on {what} ({:?}, {:?})", self.row.name(), self.ground, self.ip)
    }
}

/// The row of the table that has this name.
pub(crate) fn row(name: &str) -> &'static Row {
    opt::table().find(|row| row.name() == name).expect("a row of the table")
}

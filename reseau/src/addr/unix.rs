//! Addresses of Unix-domain sockets: a path, an abstract name, or none.
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::{fmt, io};

/// The address of a Unix-domain socket: a path, an abstract name (Linux), or none at all.
///
/// `Debug` prints it as the standard library does, `Display` as [`Endpoint`](crate::Endpoint)
/// reads it.
///
/// ```
/// use reseau::UnixAddr;
/// let addr = UnixAddr::from_pathname("/run/echo.sock")?;
/// assert_eq!(addr.to_string(), "unix:/run/echo.sock");
/// assert_eq!(format!("{addr:?}"), "\"/run/echo.sock\" (pathname)");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UnixAddr(Name);

/// Compared byte by byte: `/a//b` and `/a/b` are different texts, though one place.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    Unnamed,
    Path(Box<OsStr>),
    Abstract(Box<[u8]>),
}

impl UnixAddr {
    /// The address of the socket at `path`.
    ///
    /// # Errors
    /// `InvalidInput` if the path is empty, holds a NUL byte, or does not fit into a socket
    /// address: 107 bytes on Linux, Windows and illumos, 103 on macOS and the BSDs.
    pub fn from_pathname(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().as_os_str().to_owned();
        Self::path(path).map_err(|flaw| flaw.of("a socket's path"))
    }

    /// The address `name` in the abstract namespace of Linux, which has no files behind it.
    ///
    /// # Errors
    /// `InvalidInput` if the name is longer than 107 bytes, `Unsupported` on other systems than
    /// Linux.
    pub fn from_abstract_name(name: impl AsRef<[u8]>) -> io::Result<Self> {
        Self::abstract_name(name.as_ref()).map_err(|flaw| flaw.of("a socket's abstract name"))
    }

    /// The address of a socket that was never bound.
    #[must_use]
    pub const fn unnamed() -> Self {
        Self(Name::Unnamed)
    }

    /// True if the socket has no name.
    #[must_use]
    pub const fn is_unnamed(&self) -> bool {
        matches!(self.0, Name::Unnamed)
    }

    /// The path, if the address is one.
    #[must_use]
    pub fn as_pathname(&self) -> Option<&Path> {
        match &self.0 {
            Name::Path(path) => Some(Path::new(path)),
            Name::Abstract(_) | Name::Unnamed => None,
        }
    }

    /// The name in the abstract namespace, without its leading NUL byte, if the address is one.
    #[must_use]
    pub const fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Name::Abstract(name) => Some(name),
            Name::Path(_) | Name::Unnamed => None,
        }
    }

    /// What follows `unix:` in an endpoint: `@` and an abstract name, or a path, with escapes.
    pub(super) fn from_text(text: &str) -> Result<Self, Flaw> {
        match text.strip_prefix('@') {
            Some(name) => unescape(name, 1).and_then(|name| Self::abstract_name(&name)),
            None => {
                let path = os_string(unescape(text, 0)?);
                Self::path(path.ok_or_else(|| Flaw::new("is not valid Unicode"))?)
            }
        }
    }

    fn path(path: OsString) -> Result<Self, Flaw> {
        let bytes = path.as_encoded_bytes();
        if bytes.is_empty() {
            return Err(Flaw::new("is missing"));
        }
        if bytes.contains(&0) {
            return Err(Flaw::new("holds a NUL byte"));
        }
        if bytes.len() > PATH_MAX {
            return Err(Flaw::new(format!("is longer than {PATH_MAX} bytes")));
        }
        if cfg!(not(unix)) && path.to_str().is_none() {
            return Err(Flaw::new("is not valid Unicode"));
        }
        Ok(Self(Name::Path(path.into())))
    }

    fn abstract_name(name: &[u8]) -> Result<Self, Flaw> {
        if !cfg!(any(target_os = "linux", target_os = "android")) {
            let why = "needs Linux: only there are abstract names";
            return Err(Flaw { kind: io::ErrorKind::Unsupported, ..Flaw::new(why) });
        }
        if name.len() > ABSTRACT_MAX {
            return Err(Flaw::new(format!("is longer than {ABSTRACT_MAX} bytes")));
        }
        Ok(Self(Name::Abstract(name.into())))
    }
}

impl fmt::Debug for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Unnamed => f.write_str("(unnamed)"),
            Name::Path(path) => write!(f, "{path:?} (pathname)"),
            // As std prints it.
            Name::Abstract(name) => write!(f, "{:?} (abstract)", Lossless(name)),
        }
    }
}

impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Unnamed => f.write_str("(unnamed)"),
            Name::Path(path) => {
                f.write_str("unix:")?;
                let mut bytes = path.as_encoded_bytes();
                // A path that starts with `@` must not be read as an abstract name.
                if let Some(rest) = bytes.strip_prefix(b"@") {
                    f.write_str("%40")?;
                    bytes = rest;
                }
                escape(bytes, f)
            }
            Name::Abstract(name) => {
                f.write_str("unix:@")?;
                escape(name, f)
            }
        }
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::SocketAddr> for UnixAddr {
    fn from(addr: std::os::unix::net::SocketAddr) -> Self {
        #[cfg(target_os = "linux")]
        if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(&addr) {
            return Self(Name::Abstract(name.into()));
        }
        // The kernel gave this address out, so its limits need no second check.
        addr.as_pathname().map_or(Self::unnamed(), |path| Self(Name::Path(path.as_os_str().into())))
    }
}

/// What is wrong with an address: a predicate, so that the reader of a text can add his subject.
pub(super) struct Flaw {
    pub(super) kind: io::ErrorKind,
    pub(super) why: String,
    /// The byte of the text at which it is wrong.
    pub(super) at: usize,
}

impl Flaw {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { kind: io::ErrorKind::InvalidInput, why: why.into(), at: 0 }
    }

    pub(super) fn of(self, subject: &str) -> io::Error {
        io::Error::new(self.kind, format!("{subject} {}", self.why))
    }
}

/// Bytes as text: what is not printable UTF-8, and the percent sign itself, as `%41`.
/// Bytes as a string's `Debug` has them, those that are no text escaped.
struct Lossless<'a>(&'a [u8]);

impl fmt::Debug for Lossless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for part in self.0.utf8_chunks() {
            write!(f, "{}", part.valid().escape_debug())?;
            write!(f, "{}", part.invalid().escape_ascii())?;
        }
        f.write_str("\"")
    }
}

fn escape(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write;
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter == '%' || letter.is_control() {
                let mut buffer = [0; 4];
                letter.encode_utf8(&mut buffer).bytes().try_for_each(|b| write!(f, "%{b:02X}"))?;
            } else {
                f.write_char(letter)?;
            }
        }
        chunk.invalid().iter().try_for_each(|b| write!(f, "%{b:02X}"))?;
    }
    Ok(())
}

/// The opposite of `escape`. `start` is where `text` begins, for the place of a flaw.
fn unescape(text: &str, start: usize) -> Result<Vec<u8>, Flaw> {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            out.push(byte);
            at += 1;
            continue;
        }
        let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
        let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
            let why = "has a percent sign without two hex digits: write %25 for the sign itself";
            return Err(Flaw { at: start + at, ..Flaw::new(why) });
        };
        out.push((high * 16 + low) as u8);
        at += 3;
    }
    Ok(out)
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // Elsewhere, bytes may fail to be a path.
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

/// `sun_path` without its closing NUL byte: 104 bytes on Apple's systems and the BSDs, else 108.
const PATH_MAX: usize = if cfg!(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
)) {
    103
} else {
    107
};

/// `sun_path` without the NUL byte that opens an abstract name.
const ABSTRACT_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: io::Result<UnixAddr>) -> (io::ErrorKind, String) {
        let error = result.expect_err("this address should be refused");
        (error.kind(), error.to_string())
    }

    #[test]
    fn paths_have_limits() {
        let invalid = io::ErrorKind::InvalidInput;
        assert!(UnixAddr::from_pathname("x".repeat(PATH_MAX)).is_ok());
        let long = refusal(UnixAddr::from_pathname("x".repeat(PATH_MAX + 1)));
        assert_eq!(long, (invalid, format!("a socket's path is longer than {PATH_MAX} bytes")));
        let empty = refusal(UnixAddr::from_pathname(""));
        assert_eq!(empty, (invalid, "a socket's path is missing".into()));
        let nul = refusal(UnixAddr::from_pathname("/a\0b"));
        assert_eq!(nul, (invalid, "a socket's path holds a NUL byte".into()));
    }

    #[test]
    fn debug_is_that_of_std() {
        let path = UnixAddr::from_pathname("/run/\"x\"").unwrap();
        assert_eq!(format!("{path:?}"), r#""/run/\"x\"" (pathname)"#);
        assert_eq!(path.as_pathname(), Some(Path::new("/run/\"x\"")));
        assert_eq!((path.is_unnamed(), path.as_abstract_name()), (false, None));
        let unnamed = UnixAddr::unnamed();
        assert_eq!(format!("{unnamed:?} {unnamed}"), "(unnamed) (unnamed)");
        assert_eq!((unnamed.is_unnamed(), unnamed.as_pathname()), (true, None));
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn abstract_names_hold_any_bytes() {
        let addr = UnixAddr::from_abstract_name(b"a\0\xff%").unwrap();
        assert_eq!(format!("{addr:?}"), r#""a\0\xff%" (abstract)"#);
        assert_eq!(addr.to_string(), "unix:@a%00%FF%25");
        assert_eq!(addr.as_abstract_name(), Some(&b"a\0\xff%"[..]));
        assert!(UnixAddr::from_abstract_name([0; ABSTRACT_MAX]).is_ok());
        let long = refusal(UnixAddr::from_abstract_name([0; ABSTRACT_MAX + 1]));
        assert_eq!(long.0, io::ErrorKind::InvalidInput);
        assert!(UnixAddr::from_abstract_name("").unwrap().as_abstract_name().is_some());
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[test]
    fn abstract_names_need_linux() {
        assert_eq!(refusal(UnixAddr::from_abstract_name("x")).0, io::ErrorKind::Unsupported);
    }

    #[cfg(unix)]
    #[test]
    fn addresses_of_std_are_taken_over() {
        use std::os::unix::net::SocketAddr;
        let std = SocketAddr::from_pathname("/run/x").unwrap();
        assert_eq!(UnixAddr::from(std), UnixAddr::from_pathname("/run/x").unwrap());
        let (one, _two) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(UnixAddr::from(one.local_addr().unwrap()).is_unnamed());
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let std = SocketAddr::from_abstract_name("x").unwrap();
            assert_eq!(UnixAddr::from(std), UnixAddr::from_abstract_name("x").unwrap());
        }
    }
}

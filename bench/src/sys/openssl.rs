//! The system's OpenSSL, found when it is asked for: what builds needs none of it.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_void};
use std::io;
use std::mem::transmute_copy;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::rc::Rc;

/// How all servers of OpenSSL's speak TLS.
pub(crate) struct Terms {
    library: Library,
    context: NonNull<c_void>,
}

/// One connection's TLS, over a socket that does not block.
pub(crate) struct Ssl {
    ssl: NonNull<c_void>,
    context: Rc<Terms>,
}

/// The functions that are used here.
struct Library {
    ctx_new: unsafe extern "C" fn(*const c_void) -> *mut c_void,
    server_method: unsafe extern "C" fn() -> *const c_void,
    use_certificate: unsafe extern "C" fn(*mut c_void, c_int, *const c_uchar) -> c_int,
    use_key: unsafe extern "C" fn(c_int, *mut c_void, *const c_uchar, c_long) -> c_int,
    ctx_ctrl: unsafe extern "C" fn(*mut c_void, c_int, c_long, *mut c_void) -> c_long,
    new: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    set_fd: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    accept: unsafe extern "C" fn(*mut c_void) -> c_int,
    read: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    write: unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
    shutdown: unsafe extern "C" fn(*mut c_void) -> c_int,
    has_pending: unsafe extern "C" fn(*const c_void) -> c_int,
    get_error: unsafe extern "C" fn(*const c_void, c_int) -> c_int,
    clear_error: unsafe extern "C" fn(),
}

impl Terms {
    /// For a server that shows this certificate (DER); `thrifty`: without buffers while nothing
    /// happens.
    pub(crate) fn server(certificate: &[u8], key: &[u8], thrifty: bool) -> io::Result<Rc<Self>> {
        let library = Library::load()?;
        // SAFETY: takes nothing.
        let method = unsafe { (library.server_method)() };
        // SAFETY: the method is OpenSSL's own.
        let context = NonNull::new(unsafe { (library.ctx_new)(method) }).ok_or_else(refused)?;
        let (size, bytes) = (certificate.len() as c_int, certificate.as_ptr());
        // SAFETY: the pointer and the length describe `certificate`.
        check(unsafe { (library.use_certificate)(context.as_ptr(), size, bytes) })?;
        let (size, bytes) = (key.len() as c_long, key.as_ptr());
        // SAFETY: the pointer and the length describe `key`.
        check(unsafe { (library.use_key)(EC, context.as_ptr(), bytes, size) })?;
        let mode = PARTIAL | MOVING | if thrifty { RELEASE } else { 0 };
        for (command, value) in [(SET_MODE, mode), (SET_READ_AHEAD, 1)] {
            // SAFETY: these commands take a number and no pointer.
            unsafe { (library.ctx_ctrl)(context.as_ptr(), command, value, std::ptr::null_mut()) };
        }
        Ok(Rc::new(Self { library, context }))
    }
}

impl Ssl {
    pub(crate) fn new(context: &Rc<Terms>, stream: &TcpStream) -> io::Result<Self> {
        let library = &context.library;
        // SAFETY: the context is alive.
        let ssl = unsafe { (library.new)(context.context.as_ptr()) };
        let ssl = Self { ssl: NonNull::new(ssl).ok_or_else(refused)?, context: context.clone() };
        // SAFETY: the descriptor is open, and the caller keeps it as long as this.
        check(unsafe { (library.set_fd)(ssl.ssl.as_ptr(), stream.as_raw_fd()) })?;
        Ok(ssl)
    }

    /// A step of the handshake; `WouldBlock` until it is done.
    pub(crate) fn accept(&mut self) -> io::Result<()> {
        // SAFETY: `ssl` is alive.
        self.call(|library, ssl| unsafe { (library.accept)(ssl) }).map(drop)
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (bytes, size) = (buffer.as_mut_ptr().cast(), buffer.len() as c_int);
        // SAFETY: `ssl` is alive; the pointer and the length describe `buffer`.
        self.call(|library, ssl| unsafe { (library.read)(ssl, bytes, size) })
    }

    pub(crate) fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let (bytes, size) = (buffer.as_ptr().cast(), buffer.len() as c_int);
        // SAFETY: `ssl` is alive; the pointer and the length describe `buffer`.
        self.call(|library, ssl| unsafe { (library.write)(ssl, bytes, size) })
    }

    /// Says that it was all.
    pub(crate) fn finish(&mut self) {
        // SAFETY: `ssl` is alive. Who is gone need not be told.
        unsafe { (self.context.library.shutdown)(self.ssl.as_ptr()) };
    }

    /// Whether it holds what epoll will not tell of again.
    pub(crate) fn has_pending(&self) -> bool {
        // SAFETY: `ssl` is alive.
        unsafe { (self.context.library.has_pending)(self.ssl.as_ptr()) != 0 }
    }

    /// What a call says: a count, which is 0 at the end.
    fn call(&self, call: impl FnOnce(&Library, *mut c_void) -> c_int) -> io::Result<usize> {
        let library = &self.context.library;
        // SAFETY: takes nothing.
        unsafe { (library.clear_error)() };
        let told = call(library, self.ssl.as_ptr());
        if told > 0 {
            return Ok(told as usize);
        }
        // SAFETY: `ssl` is alive, and nothing was called between.
        match unsafe { (library.get_error)(self.ssl.as_ptr(), told) } {
            WANT_READ | WANT_WRITE => Err(io::ErrorKind::WouldBlock.into()),
            ZERO_RETURN => Ok(0),
            other => Err(io::Error::other(format!("OpenSSL's error {other}"))),
        }
    }
}

impl Drop for Ssl {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { (self.context.library.free)(self.ssl.as_ptr()) };
    }
}

impl Library {
    fn load() -> io::Result<Self> {
        let library = open()?;
        let find = |name: &CStr| symbol(library, name);
        macro_rules! function {
            ($name:literal) => {{
                let found = find($name)?;
                // SAFETY: a function's address, in the type that OpenSSL's headers give it.
                unsafe { transmute_copy(&found) }
            }};
        }
        Ok(Self {
            ctx_new: function!(c"SSL_CTX_new"),
            server_method: function!(c"TLS_server_method"),
            use_certificate: function!(c"SSL_CTX_use_certificate_ASN1"),
            use_key: function!(c"SSL_CTX_use_PrivateKey_ASN1"),
            ctx_ctrl: function!(c"SSL_CTX_ctrl"),
            new: function!(c"SSL_new"),
            free: function!(c"SSL_free"),
            set_fd: function!(c"SSL_set_fd"),
            accept: function!(c"SSL_accept"),
            read: function!(c"SSL_read"),
            write: function!(c"SSL_write"),
            shutdown: function!(c"SSL_shutdown"),
            has_pending: function!(c"SSL_has_pending"),
            get_error: function!(c"SSL_get_error"),
            clear_error: function!(c"ERR_clear_error"),
        })
    }
}

/// What the library calls itself, if there is one.
pub(crate) fn version() -> Option<String> {
    let found = symbol(open().ok()?, c"OpenSSL_version").ok()?;
    // SAFETY: a function's address, in the type that OpenSSL's headers give it.
    let version: unsafe extern "C" fn(c_int) -> *const c_char = unsafe { transmute_copy(&found) };
    // SAFETY: 0 asks for the version.
    let text = unsafe { version(0) };
    // SAFETY: it is a static string.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

fn open() -> io::Result<NonNull<c_void>> {
    // SAFETY: a name that ends with 0. The library stays loaded for good.
    let library = unsafe { libc::dlopen(c"libssl.so.3".as_ptr(), libc::RTLD_NOW) };
    NonNull::new(library).ok_or_else(|| {
        io::Error::new(io::ErrorKind::Unsupported, "there is no libssl.so.3 to be loaded")
    })
}

fn symbol(library: NonNull<c_void>, name: &CStr) -> io::Result<NonNull<c_void>> {
    // SAFETY: the handle is open, and the name ends with 0.
    let found = unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) };
    NonNull::new(found).ok_or_else(|| {
        io::Error::new(io::ErrorKind::Unsupported, format!("libssl.so.3 has no {name:?}"))
    })
}

fn check(told: c_int) -> io::Result<()> {
    if told == 1 { Ok(()) } else { Err(refused()) }
}

fn refused() -> io::Error {
    io::Error::other("OpenSSL refuses the certificate or its key")
}

/// `EVP_PKEY_EC`
const EC: c_int = 408;
/// `SSL_CTRL_MODE` and `SSL_CTRL_SET_READ_AHEAD`
const SET_MODE: c_int = 33;
const SET_READ_AHEAD: c_int = 41;
/// `SSL_MODE_ENABLE_PARTIAL_WRITE`, `..._ACCEPT_MOVING_WRITE_BUFFER`, `..._RELEASE_BUFFERS`
const PARTIAL: c_long = 1;
const MOVING: c_long = 2;
const RELEASE: c_long = 0x10;
/// `SSL_ERROR_...`
const WANT_READ: c_int = 2;
const WANT_WRITE: c_int = 3;
const ZERO_RETURN: c_int = 6;

//! The system calls that std does not offer, each behind a safe name.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

pub(crate) mod mail;
pub(crate) mod openssl;

/// An epoll instance; tokens are chosen by the caller.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

/// What epoll said about one descriptor.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) token: u64,
    flags: u32,
}

/// When epoll shall report a descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Level-triggered, readable or closed by the peer.
    Read,
    /// Level-triggered, writable.
    Write,
    /// Edge-triggered, both.
    Edge,
}

/// Processor time of this process, as `getrusage` splits it.
#[derive(Clone, Copy)]
pub(crate) struct Rusage {
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
}

/// One processor event counted for this thread and the threads that it will start.
pub(crate) struct Counter(OwnedFd);

/// What a [`Counter`] counts.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Cycles,
    Instructions,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked before it is owned.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just created and nobody else has it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; 1024] })
    }

    pub(crate) fn add(&self, fd: RawFd, token: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)
    }

    pub(crate) fn modify(&self, fd: RawFd, token: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    /// Waits for events; `None` waits for ever. An interrupted wait reports no events.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<usize> {
        self.look(limit.map_or(-1, |limit| limit.as_millis().clamp(1, 60_000) as i32))
    }

    /// Waits like [`Poller::wait`]; without sleeping, if it must not be a burden to whoever would
    /// have to wake it.
    pub(crate) fn watch(&mut self, awake: bool, limit: Duration) -> io::Result<usize> {
        if !awake {
            return self.wait(Some(limit));
        }
        let deadline = Instant::now() + limit;
        loop {
            let n = self.look(0)?;
            if n > 0 || Instant::now() > deadline {
                return Ok(n);
            }
        }
    }

    /// The event number `i` of the last wait.
    pub(crate) fn event(&self, i: usize) -> Event {
        let event = self.events[i];
        Event { token: event.u64, flags: event.events }
    }

    fn look(&mut self, millis: i32) -> io::Result<usize> {
        let (events, room) = (self.events.as_mut_ptr(), self.events.len() as i32);
        // SAFETY: the pointer and its length describe `self.events`, which outlives the call.
        let n = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events, room, millis) };
        match check(n) {
            Ok(n) => Ok(n as usize),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn control(&self, op: i32, fd: RawFd, token: u64, interest: Interest) -> io::Result<()> {
        let flags = match interest {
            Interest::Read => libc::EPOLLIN | libc::EPOLLRDHUP,
            Interest::Write => libc::EPOLLOUT,
            Interest::Edge => libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET,
        };
        let mut event = libc::epoll_event { events: flags as u32, u64: token };
        // SAFETY: `event` is a valid epoll_event for the length of the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), op, fd, &raw mut event) })?;
        Ok(())
    }
}

impl Event {
    /// Writable, and nothing to read and no end to learn of.
    pub(crate) fn only_writable(self) -> bool {
        self.flags == libc::EPOLLOUT as u32
    }
}

impl Counter {
    /// Counts in user space or in the kernel; the latter needs `perf_event_paranoid` below 2.
    pub(crate) fn open(count: Count, user: bool) -> io::Result<Self> {
        let mut attr = PerfAttr::zeroed();
        attr.size = mem::size_of::<PerfAttr>() as u32;
        attr.config = match count {
            Count::Cycles => 0,
            Count::Instructions => 1,
        };
        attr.read_format = READ_TOTAL_TIMES;
        attr.flags =
            if user { EXCLUDE_KERNEL } else { EXCLUDE_USER } | EXCLUDE_HYPERVISOR | INHERIT;
        let (this, any, alone): (libc::pid_t, i32, RawFd) = (0, -1, -1);
        // SAFETY: `attr` has the layout of the first published version of perf_event_attr, says
        // so in its size, and outlives the call.
        let fd = unsafe {
            let attr = &raw const attr;
            libc::syscall(libc::SYS_perf_event_open, attr, this, any, alone, PERF_FLAG_CLOEXEC)
        };
        let fd = check(fd as i32)?;
        // SAFETY: the descriptor was just created and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The count so far, scaled up if the counter had to share its register.
    pub(crate) fn read(&self) -> io::Result<f64> {
        let mut words = [0_u64; 3];
        // SAFETY: the pointer and the length describe `words`.
        let n = unsafe { libc::read(self.0.as_raw_fd(), words.as_mut_ptr().cast(), 24) };
        if n != 24 {
            return Err(io::Error::other("short read from a processor counter"));
        }
        let [count, enabled, running] = words.map(|word| word as f64);
        Ok(if running > 0.0 { count * enabled / running } else { 0.0 })
    }
}

/// The first published version of `perf_event_attr`; the kernel accepts it for ever.
#[repr(C)]
struct PerfAttr {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint: u32,
    address: u64,
}

impl PerfAttr {
    fn zeroed() -> Self {
        Self {
            kind: 0,
            size: 0,
            config: 0,
            period: 0,
            sample: 0,
            read_format: 0,
            flags: 0,
            wakeup: 0,
            breakpoint: 0,
            address: 0,
        }
    }
}

/// Pins the calling thread, and the threads that it will start, to one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: CPU_SET checks the index against the size of the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: `set` is valid and its size is given.
    check(unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &raw const set) })?;
    Ok(())
}

/// The cores that this process may use.
pub(crate) fn cores() -> io::Result<Vec<usize>> {
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is valid and its size is given.
    check(unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &raw mut set) })?;
    let all = 0..libc::CPU_SETSIZE as usize;
    // SAFETY: every index is below CPU_SETSIZE.
    Ok(all.filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect())
}

/// Raises the soft limit of open descriptors to the hard one, and returns it.
pub(crate) fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is valid for the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_cur)
}

/// Has the kernel kill this process when its parent dies.
pub(crate) fn die_with_parent() -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    Ok(())
}

/// Processor time of this process so far.
pub(crate) fn rusage() -> io::Result<Rusage> {
    // SAFETY: an all-zero rusage is valid, the call overwrites it.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: `usage` is valid for the call.
    check(unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) })?;
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    Ok(Rusage { user_us: micros(usage.ru_utime), system_us: micros(usage.ru_stime) })
}

/// The processor-time clock of another process.
pub(crate) fn cpu_clock(pid: u32) -> io::Result<libc::clockid_t> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: `clock` is valid for the call.
    let error = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) };
    if error == 0 { Ok(clock) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// Nanoseconds on a clock: from [`cpu_clock`], or a `CLOCK_` constant.
pub(crate) fn clock_ns(clock: libc::clockid_t) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for the call.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) })?;
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Waits until `fd` is readable or at its end; false when the limit passed.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    wait_for(libc::POLLIN, fd, limit)
}

/// Waits until `fd` is writable or broken; false when the limit passed.
pub(crate) fn wait_writable(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    wait_for(libc::POLLOUT, fd, limit)
}

fn wait_for(events: i16, fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one pollfd, valid for the call.
    let n = unsafe { libc::poll(&raw mut poll, 1, limit.as_millis().max(1) as i32) };
    Ok(check(n)? > 0)
}

/// A listener on a free loopback port, with a backlog that no scenario here can fill.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.cloexec(), Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// Starts a connection whose end, from whichever side, leaves nothing in TIME_WAIT.
pub(crate) fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let kind = Type::STREAM.cloexec().nonblocking();
    let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::TCP))?;
    socket.set_linger(Some(Duration::ZERO))?;
    match socket.connect(&addr.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// Accepts one connection, nonblocking and close-on-exec, in one system call.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let (fd, none) = (listener.as_raw_fd(), std::ptr::null_mut());
    // SAFETY: null address pointers ask for no address.
    let fd = check(unsafe { libc::accept4(fd, none, std::ptr::null_mut(), flags) })?;
    // SAFETY: the descriptor was just created and nobody else has it.
    Ok(unsafe { TcpStream::from_raw_fd(fd) })
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING`.
const READ_TOTAL_TIMES: u64 = 3;
/// Bits of the flag word of `perf_event_attr`.
const INHERIT: u64 = 1 << 1;
const EXCLUDE_USER: u64 = 1 << 4;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const PERF_FLAG_CLOEXEC: libc::c_ulong = 8;

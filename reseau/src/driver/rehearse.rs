//! Whether a ring does here what a loop asks of it: everything is tried once, for real.
use super::{Aftermath, Driver, Home, Limits, Post, Socket, Who, chunk, connection};
use crate::addr::{Addr, UnixAddr};
use crate::clock;
use crate::pool::Chunk;
use crate::sys::Domain;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Plays a small scene with a real ring: listen, connect, accept, send, receive, cancel.
pub(super) fn rehearse(
    make: impl FnOnce(&Limits) -> io::Result<(Driver, Arc<Home>)>,
) -> Result<(), String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if !recent(&release) {
        return Err(format!("kernel {} is older than 6.0", release.trim()));
    }
    let (mut driver, home) = make(&Limits::SMALL).map_err(|error| why_not(&error))?;
    let played = play(&mut driver, &home).map_err(|error| format!("a rehearsal failed: {error}"));
    home.door().close();
    driver.shutdown();
    played
}

fn play(driver: &mut Driver, home: &Arc<Home>) -> io::Result<()> {
    let fd = home.open(Domain::UNIX)?;
    fd.bind(&Addr::Unix(UnixAddr::unnamed()))?; // Linux picks an abstract name.
    fd.listen(1)?;
    let at = fd.local_addr()?;
    let listener = Socket::listener(fd, home.clone());
    let client = Socket::stream(home.open(Domain::UNIX)?, home.clone());
    client.start_connect(&at)?;
    until(driver, home, |cx| client.poll_connected(cx))?;
    let accepted = until(driver, home, |cx| listener.poll_recv(Who::Owner, cx, connection))?;
    let Some((fd, _)) = accepted else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let server = Socket::stream(fd, home.clone());
    let mut word = Some(Chunk::from(b"rehearsal"));
    until(driver, home, |cx| client.poll_send(&mut word, cx))?;
    let heard = until(driver, home, |cx| server.poll_recv(Who::Owner, cx, chunk))?;
    if heard.as_deref() != Some(b"rehearsal") {
        return Err(io::Error::other(format!("what was received is not what was sent: {heard:?}")));
    }
    // The server's receive is armed again, and only a cancel ends it.
    let pending = server.poll_recv(Who::Owner, &mut Context::from_waker(Waker::noop()), chunk);
    debug_assert!(pending.is_pending());
    until(driver, home, |cx| server.poll_leave(cx))
}

/// Turns the driver by hand until something is ready.
fn until<T>(
    driver: &mut Driver,
    home: &Arc<Home>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> io::Result<T> {
    let (mut posts, mut after) = (Vec::new(), Aftermath::default());
    let limit = clock::after(Duration::from_secs(2));
    while clock::now() < limit {
        if let Poll::Ready(answer) = poll(&mut Context::from_waker(Waker::noop())) {
            return answer;
        }
        home.door().take(&mut posts);
        for post in posts.drain(..) {
            if let Post::Kick(socket) = post {
                driver.answer(&socket);
            }
        }
        driver.turn(Some(clock::after(Duration::from_millis(20))))?;
        driver.take_aftermath(&mut after);
        after.release();
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "an operation was not answered"))
}

/// Whether a kernel release such as `6.1.0-13-amd64` is 6.0 or later.
fn recent(release: &str) -> bool {
    let major = release.split('.').next().and_then(|major| major.trim().parse::<u32>().ok());
    major.is_some_and(|major| major >= 6)
}

/// The likely cause of a ring that cannot be made.
fn why_not(error: &io::Error) -> String {
    let cause = match error.raw_os_error() {
        Some(libc::EPERM) => match std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled") {
            Ok(text) if text.trim() != "0" => {
                "the sysctl kernel.io_uring_disabled forbids it".into()
            }
            _ => "it is forbidden, probably by a seccomp filter (a container's profile)".into(),
        },
        Some(libc::ENOSYS) => "the kernel has none, or a seccomp filter hides it".into(),
        Some(libc::ENOMEM) => "not enough locked memory: raise `ulimit -l`".into(),
        Some(libc::EMFILE) => "this process has no descriptors left: raise `ulimit -n`".into(),
        _ => String::from("a ring cannot be made"),
    };
    format!("{cause} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_from_6_on_are_recent() {
        assert!(recent("6.0.0") && recent("6.18.44-fc") && recent("10.1"));
        assert!(!recent("5.19.17-generic") && !recent("") && !recent("x.y"));
    }
}

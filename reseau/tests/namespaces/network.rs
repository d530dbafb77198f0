//! A network of one's own: made by `unshare` and `ip`, gone with the process.
use crate::watchdog::{say, watched};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The network of this process.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// An interface behind which there is nobody.
    hole: &'static str,
}

/// What becomes of those who call an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Somebody listens there.
    Listens,
    /// Nobody does.
    Refuses,
    /// Nothing comes back.
    Silent,
    /// A route says that it cannot be reached.
    Unreachable,
    /// There is no route.
    NoRoute,
}

/// Runs `body` in a network of its own, in a process of its own: this test again.
pub(crate) fn isolated(name: &'static str, body: fn(Network)) {
    if std::env::var_os(INSIDE).is_some() {
        return watched(name, move || body(Network::new().unwrap_or_else(|why| panic!("{why}"))));
    }
    if let Some(why) = missing() {
        let required = std::env::var("RESEAU_REQUIRE").is_ok_and(|all| all.contains("namespaces"));
        assert!(!required, "networks must be had here: {why}");
        return say(&format!("skipped: {name}: {why}"));
    }
    let test = std::env::current_exe().expect("a test knows its program");
    let mut again = apart(&test.to_string_lossy());
    again.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    // It has a watchdog, too, which shall be the first.
    watched(name, move || {
        let limit = std::env::var("RESEAU_TEST_LIMIT").ok().and_then(|text| text.parse().ok());
        again.env("RESEAU_TEST_LIMIT", (limit.unwrap_or(90) * 3 / 4).to_string());
        let output = output(&mut again).unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "in a network of its own:\n{out}\n{err}");
        assert!(out.contains("1 passed"), "the test was not found: {out}");
    });
}

/// Why no network can be had here.
fn missing() -> Option<String> {
    let mut probe = apart("ip");
    probe.args(["link", "add", "probe0", "type", "veth", "peer", "name", "probe1"]);
    match output(&mut probe) {
        Err(error) => Some(format!("unshare: {error}")),
        Ok(output) if !output.status.success() => {
            Some(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
        Ok(_) if !std::path::Path::new("/proc/net/if_inet6").exists() => Some("no IPv6".to_owned()),
        Ok(_) => None,
    }
}

/// A program in a network of its own, where it is root.
fn apart(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--net", "--map-root-user", "--", program]);
    command
}

fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).output()
}

impl Network {
    /// The loopback, and an interface that nobody is behind.
    fn new() -> Result<Self, String> {
        let network = Self { hole: "hole" };
        for line in [
            "link set lo up",
            // Both ends are here, but what goes into one is addressed to nobody at the other.
            "link add hole type veth peer name bottom",
            "link set hole arp off",
            "link set bottom arp off",
            "link set hole up",
            "link set bottom up",
            "addr add 203.0.113.1/24 dev hole",
            "-6 addr add 2001:db8:ffff::1/64 dev hole nodad",
        ] {
            ip(line)?;
        }
        Ok(network)
    }

    /// Makes the paths what they should be.
    pub(crate) fn lay(&self, paths: &[(IpAddr, Path)]) {
        for (addr, path) in paths {
            let (family, whole) = whole(addr);
            let line = match path {
                Path::Listens | Path::Refuses => self.owned(addr),
                Path::Silent => format!("{family} route add {whole} dev {}", self.hole),
                Path::Unreachable => format!("{family} route add unreachable {whole}"),
                Path::NoRoute => continue,
            };
            ip(&line).unwrap_or_else(|why| panic!("{why}"));
            if matches!(path, Path::Listens | Path::Refuses) {
                await_owned(*addr);
            }
        }
    }

    /// Lets a silent address be one of this machine.
    pub(crate) fn heal(&self, addr: IpAddr) {
        let (family, whole) = whole(&addr);
        let lines = [format!("{family} route del {whole} dev {}", self.hole), self.owned(&addr)];
        lines.iter().for_each(|line| ip(line).unwrap_or_else(|why| panic!("{why}")));
    }

    fn owned(&self, addr: &IpAddr) -> String {
        let (family, whole) = whole(addr);
        let at_once = if addr.is_ipv6() { " nodad" } else { "" };
        format!("{family} addr add {whole} dev lo{at_once}")
    }
}

/// Waits until an address is one of this machine. (That of IPv6 becomes it a moment after `ip` has
/// said so; until then connects are lost, or told that there is no route.)
fn await_owned(addr: IpAddr) {
    let nobody = SocketAddr::new(addr, 9);
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    while !TcpStream::connect_timeout(&nobody, Duration::from_millis(20)).is_err_and(refused) {
        std::thread::yield_now();
    }
}

/// How `ip` is told of one address.
fn whole(addr: &IpAddr) -> (&'static str, String) {
    if addr.is_ipv4() { ("-4", format!("{addr}/32")) } else { ("-6", format!("{addr}/128")) }
}

fn ip(line: &str) -> Result<(), String> {
    let output = output(Command::new("ip").args(line.split_whitespace()));
    let output = output.map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {line}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Listens where somebody should.
pub(crate) fn listeners(paths: &[(IpAddr, Path)], port: u16) -> Vec<TcpListener> {
    let addrs = paths.iter().filter(|(_, path)| *path == Path::Listens);
    addrs.map(|(ip, _)| TcpListener::bind(SocketAddr::new(*ip, port)).unwrap()).collect()
}

/// Set where a test is in its own network.
const INSIDE: &str = "RESEAU_IN_NAMESPACE";

//! What to change. A judgement of what was read and of nothing else.
use reseau::Kind;

use super::host::{Host, Limit};

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) weight: Weight,
    /// What is wrong, and what it costs.
    pub(crate) what: String,
    /// What to do about it: a command where one exists.
    pub(crate) remedy: String,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Sockets fail for want of it.
    Should,
    /// Sockets work; busy programs would do better.
    Could,
}

/// All advice for this host, the weightiest first.
pub(crate) fn of(host: &Host) -> Vec<Advice> {
    let mut all: Vec<Advice> =
        [driver(host), open_files(host), backlog(host), local_ports(host), buffers(host)]
            .into_iter()
            .chain([families(host), datagrams(host), trust(host)])
            .flatten()
            .collect();
    all.sort_by_key(|advice| advice.weight);
    all
}

fn driver(host: &Host) -> Option<Advice> {
    if !host.is_linux() || host.driver.kind == Kind::Uring {
        return None;
    }
    let could = |what: &str, remedy: &str| {
        Some(Advice { weight: Weight::Could, what: what.to_owned(), remedy: remedy.to_owned() })
    };
    let outcome = uring_outcome(host).to_lowercase();
    match host.uring_disabled {
        Ok(1) => could(
            "io_uring is for privileged processes only: the readiness driver runs instead",
            "sysctl kernel.io_uring_disabled=0, or join the group of kernel.io_uring_group",
        ),
        Ok(2..) => could(
            "io_uring is switched off: the readiness driver runs instead",
            "sysctl kernel.io_uring_disabled=0",
        ),
        _ if host.version().is_some_and(|version| version < KERNEL_MIN) => could(
            "this kernel is too old for the io_uring driver: the readiness driver runs instead",
            "run a Linux kernel 6.0 or newer",
        ),
        _ if outcome.contains("memory") || outcome.contains("memlock") => could(
            "io_uring could not lock memory: the readiness driver runs instead",
            "raise the memlock limit (ulimit -l, or LimitMEMLOCK= of the systemd unit)",
        ),
        _ if outcome.contains("permi") || outcome.contains("not implemented") => could(
            "io_uring is refused although the kernel allows it, as seccomp filters of containers \
             do: the readiness driver runs instead",
            "allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile",
        ),
        _ => None,
    }
}

fn uring_outcome(host: &Host) -> &str {
    let tried = host.driver.tried.iter().find(|tried| tried.kind == Kind::Uring);
    tried.map_or("", |tried| &tried.outcome)
}

fn open_files(host: &Host) -> Option<Advice> {
    let Limit { soft, hard } = *host.limits.open_files.as_ref().ok()?;
    let soft = soft.filter(|soft| *soft < FILES_MIN)?;
    let remedy = match hard {
        Some(hard) if hard <= soft => {
            format!("raise the hard limit too: LimitNOFILE={FILES_MIN} in the systemd unit")
        }
        Some(hard) => format!("ulimit -n {}", hard.min(FILES_MIN)),
        None => format!("ulimit -n {FILES_MIN}"),
    };
    let what = format!("at most {soft} open files, and every connection is one");
    Some(Advice { weight: Weight::Should, what, remedy })
}

fn backlog(host: &Host) -> Option<Advice> {
    let backlog = *host.limits.backlog.as_ref().ok().filter(|backlog| **backlog < BACKLOG_MIN)?;
    let name = match host.os {
        "freebsd" => "kern.ipc.soacceptqueue",
        _ if host.is_linux() => "net.core.somaxconn",
        _ => "kern.ipc.somaxconn",
    };
    Some(Advice {
        weight: Weight::Could,
        what: format!("only {backlog} connections can wait to be accepted: bursts are refused"),
        remedy: format!("sysctl {name}={BACKLOG_MIN}"),
    })
}

fn local_ports(host: &Host) -> Option<Advice> {
    let (low, high) = *host.limits.local_ports.as_ref().ok()?;
    let ports = high - low + 1;
    (ports < PORTS_MIN).then(|| Advice {
        weight: Weight::Could,
        what: format!("only {ports} local ports: so many connections to one server at most"),
        remedy: "sysctl net.ipv4.ip_local_port_range='32768 60999'".to_owned(),
    })
}

fn buffers(host: &Host) -> Option<Advice> {
    let (recv, send) = (&host.limits.recv_buffer, &host.limits.send_buffer);
    let least = *recv.as_ref().ok()?.min(send.as_ref().ok()?);
    (least < BUFFER_MIN).then(|| Advice {
        weight: Weight::Could,
        what: format!(
            "socket buffers that a program asks for are cut to {} KiB: fast, distant peers are \
             slowed, and bursts of datagrams are lost",
            least / 1024
        ),
        remedy: format!("sysctl net.core.rmem_max={BUFFER_MIN} net.core.wmem_max={BUFFER_MIN}"),
    })
}

fn trust(host: &Host) -> Option<Advice> {
    let trust = &host.trust;
    let repair = |names| format!("unset {names}, or let it name certificates in PEM");
    match (&trust.roots, trust.faults.first()) {
        (Ok(0), _) => Some(Advice {
            weight: Weight::Should,
            what: "no issuer is trusted: tls:// is refused wherever a program has no roots of its \
                   own"
            .to_owned(),
            remedy: trust.variables.map_or_else(
                || "install the package ca-certificates, or let SSL_CERT_FILE name a file".into(),
                repair,
            ),
        }),
        (_, Some(fault)) => Some(Advice {
            weight: Weight::Could,
            what: format!("some of the trusted issuers are not to be had: {fault}"),
            remedy: trust.variables.map_or_else(
                || "update-ca-certificates, or install the package ca-certificates anew".into(),
                repair,
            ),
        }),
        _ => None,
    }
}

fn families(host: &Host) -> Option<Advice> {
    let why = host.sockets.ipv6.as_ref().err()?;
    Some(Advice {
        weight: Weight::Could,
        what: format!("no IPv6 on this machine ({why}): IPv6 addresses cannot be reached"),
        remedy: if host.is_linux() {
            "sysctl net.ipv6.conf.all.disable_ipv6=0 (in containers: switch IPv6 on for them)"
                .to_owned()
        } else {
            "switch IPv6 on in the network settings".to_owned()
        },
    })
}

fn datagrams(host: &Host) -> Option<Advice> {
    let (cut, joined) = (&host.sockets.udp_segmentation, &host.sockets.udp_coalescing);
    let why = cut.as_ref().err().or_else(|| joined.as_ref().err()).filter(|_| host.is_linux())?;
    Some(Advice {
        weight: Weight::Could,
        what: format!("datagrams go to or come from the kernel one by one ({why})"),
        remedy: "run a Linux kernel 5.0 or newer, and not one that is emulated".to_owned(),
    })
}

/// The io_uring driver needs multishot receive and provided buffer rings that work: Linux 6.0.
const KERNEL_MIN: (u64, u64) = (6, 0);
/// Ten thousand connections, and room for the rest of the program.
const FILES_MIN: u64 = 16_384;
/// The kernel's own default since Linux 5.4.
const BACKLOG_MIN: u64 = 4096;
/// A little under the kernel's default of 28,232.
const PORTS_MIN: u64 = 28_000;
/// One gigabit per second over 32 ms.
const BUFFER_MIN: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::super::host::{Limits, Sockets};
    use super::super::trust::Trust;
    use super::*;

    fn healthy() -> Host {
        let limit = Limit { soft: Some(65_536), hard: None };
        Host {
            os: "linux",
            arch: "x86_64",
            release: Ok("6.18.1-generic".to_owned()),
            cpus: Ok(2),
            driver: reseau::probe(),
            uring_disabled: Ok(0),
            limits: Limits {
                open_files: Ok(limit),
                locked_memory: Ok(limit),
                open_files_system: Ok(1 << 20),
                backlog: Ok(4096),
                local_ports: Ok((32_768, 60_999)),
                time_wait_reuse: Ok(2),
                recv_buffer: Ok(8 << 20),
                send_buffer: Ok(8 << 20),
            },
            sockets: Sockets {
                ipv4: Ok(()),
                ipv6: Ok(()),
                unix: Ok(()),
                unix_abstract: Ok(()),
                udp_segmentation: Ok(()),
                udp_coalescing: Ok(()),
                vsock: Ok(()),
                vsock_device: Ok(()),
            },
            trust: Trust {
                verifier: "rustls",
                roots: Ok(140),
                variables: None,
                file: Err("none".to_owned()),
                directories: Ok(vec!["/etc/ssl/certs".to_owned()]),
                faults: Vec::new(),
            },
        }
    }

    #[test]
    fn nobody_to_trust_weighs_more_than_a_file_that_cannot_be_read() {
        let mut host = healthy();
        assert_eq!(trust(&host), None);
        host.trust.faults = vec!["/x: denied".to_owned()];
        let advice = trust(&host).unwrap();
        assert!(advice.weight == Weight::Could && advice.what.contains("/x: denied"), "{advice:?}");
        host.trust.roots = Ok(0);
        let advice = trust(&host).unwrap();
        assert!(advice.remedy.contains("ca-certificates"), "{advice:?}");
        host.trust.variables = Some("SSL_CERT_FILE");
        let advice = trust(&host).unwrap();
        assert_eq!(advice.weight, Weight::Should);
        assert!(advice.remedy.starts_with("unset SSL_CERT_FILE, or "), "{advice:?}");
        // Where the system judges.
        host.trust.roots = Err("no list".to_owned());
        host.trust.faults.clear();
        assert_eq!(trust(&host), None);
    }

    #[test]
    fn a_low_soft_limit_is_raised_no_further_than_the_hard_one() {
        let mut host = healthy();
        assert_eq!(open_files(&host), None);
        for (hard, wanted) in [
            (Some(4096), "ulimit -n 4096"),
            (Some(1 << 20), "ulimit -n 16384"),
            (None, "ulimit -n 16384"),
        ] {
            host.limits.open_files = Ok(Limit { soft: Some(1024), hard });
            assert_eq!(open_files(&host).unwrap().remedy, wanted);
        }
        host.limits.open_files = Ok(Limit { soft: Some(1024), hard: Some(1024) });
        assert!(open_files(&host).unwrap().remedy.contains("LimitNOFILE"));
        host.limits.open_files = Ok(Limit { soft: None, hard: None });
        assert_eq!(open_files(&host), None);
    }

    #[test]
    fn the_remedy_for_a_refused_ring_depends_on_who_refuses() {
        let mut host = healthy();
        host.driver.kind = Kind::Ready;
        host.driver.tried.clear();
        host.uring_disabled = Ok(2);
        assert!(driver(&host).unwrap().remedy.contains("io_uring_disabled=0"));
        host.uring_disabled = Ok(0);
        host.release = Ok("5.15.0".to_owned());
        assert!(driver(&host).unwrap().remedy.contains("6.0"));
        host.release = Ok("6.1.0".to_owned());
        assert_eq!(driver(&host), None);
        host.os = "macos";
        host.uring_disabled = Ok(2);
        assert_eq!(driver(&host), None);
    }

    #[test]
    fn datagrams_one_by_one_are_worth_a_word_where_it_can_be_helped() {
        let mut host = healthy();
        assert_eq!(datagrams(&host), None);
        host.sockets.udp_coalescing = Err("no such option".to_owned());
        assert!(datagrams(&host).unwrap().what.contains("no such option"));
        host.os = "macos";
        assert_eq!(datagrams(&host), None);
    }

    #[test]
    fn buffers_that_are_cut_short_are_noticed() {
        let mut host = healthy();
        assert_eq!(buffers(&host), None);
        host.limits.recv_buffer = Ok(212_992);
        let advice = buffers(&host).unwrap();
        assert!(advice.what.contains("cut to 208 KiB"), "{advice:?}");
        assert!(advice.remedy.contains("net.core.rmem_max=4194304"), "{advice:?}");
    }

    #[test]
    fn what_is_absent_is_no_reason_for_advice() {
        let mut host = healthy();
        host.limits.backlog = Err("no".to_owned());
        host.limits.local_ports = Err("no".to_owned());
        host.limits.recv_buffer = Err("no".to_owned());
        host.limits.open_files = Err("no".to_owned());
        assert_eq!(backlog(&host), None);
        assert_eq!(local_ports(&host), None);
        assert_eq!(buffers(&host), None);
        assert_eq!(open_files(&host), None);
    }

    #[test]
    fn the_weightiest_advice_comes_first() {
        let mut host = healthy();
        host.limits.backlog = Ok(128);
        host.limits.open_files = Ok(Limit { soft: Some(256), hard: None });
        host.sockets.ipv6 = Err("no".to_owned());
        let weights: Vec<Weight> = of(&host).iter().map(|advice| advice.weight).collect();
        assert!(weights.len() >= 3 && weights.is_sorted(), "{weights:?}");
        assert_eq!(weights[0], Weight::Should);
    }
}

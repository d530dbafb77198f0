//! The questions that each system answers in its own way. Same names, same order, in both halves.
pub(crate) use system::{backlog, locked_memory, open_files, release, vsock, vsock_device};

#[cfg(unix)]
mod system {
    use std::fs;
    use std::process::Command;

    use rustix::process::{Resource, getrlimit};

    use super::super::host::{Limit, Reading};

    pub(crate) fn release() -> Reading<String> {
        Ok(rustix::system::uname().release().to_string_lossy().into_owned())
    }

    pub(crate) fn open_files() -> Reading<Limit> {
        Ok(limit(Resource::Nofile))
    }

    pub(crate) fn locked_memory() -> Reading<Limit> {
        #[cfg(any(target_os = "illumos", target_os = "solaris"))]
        return Err(format!("not on {}", std::env::consts::OS));
        #[cfg(not(any(target_os = "illumos", target_os = "solaris")))]
        Ok(limit(Resource::Memlock))
    }

    /// The longest queue of connections that wait to be accepted, where it is not in /proc.
    pub(crate) fn backlog() -> Option<Reading<u64>> {
        let name = match std::env::consts::OS {
            "macos" | "netbsd" | "openbsd" => "kern.ipc.somaxconn",
            "freebsd" => "kern.ipc.soacceptqueue",
            _ => return None,
        };
        let output = Command::new("/sbin/sysctl")
            .args(["-n", name])
            .output()
            .or_else(|_| Command::new("/usr/sbin/sysctl").args(["-n", name]).output());
        Some(match output {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                text.parse().map_err(|_| format!("sysctl {name} says `{text}`"))
            }
            Err(error) => Err(format!("sysctl {name}: {error}")),
        })
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn vsock() -> Reading<()> {
        use rustix::net::{AddressFamily, SocketType, socket};

        socket(AddressFamily::VSOCK, SocketType::STREAM, None)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn vsock() -> Reading<()> {
        Err(format!("not on {}", std::env::consts::OS))
    }

    pub(crate) fn vsock_device() -> Reading<()> {
        match fs::metadata("/dev/vsock") {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("/dev/vsock: {error}")),
        }
    }

    fn limit(resource: Resource) -> Limit {
        let limit = getrlimit(resource);
        Limit { soft: limit.current, hard: limit.maximum }
    }
}

#[cfg(windows)]
mod system {
    use std::process::Command;

    use super::super::host::{Limit, Reading};

    pub(crate) fn release() -> Reading<String> {
        let output = Command::new("cmd").args(["/c", "ver"]).output();
        let output = output.map_err(|error| format!("cmd /c ver: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // `Microsoft Windows [Version 10.0.22631.1]`: the number is all we want.
        let mut words = text.split(|letter: char| letter.is_whitespace() || letter == ']');
        words
            .find(|word| word.starts_with(|letter: char| letter.is_ascii_digit()))
            .map(str::to_owned)
            .ok_or_else(|| format!("cmd /c ver says `{}`", text.trim()))
    }

    pub(crate) fn open_files() -> Reading<Limit> {
        absent()
    }

    pub(crate) fn locked_memory() -> Reading<Limit> {
        absent()
    }

    pub(crate) fn backlog() -> Option<Reading<u64>> {
        Some(absent())
    }

    pub(crate) fn vsock() -> Reading<()> {
        absent()
    }

    pub(crate) fn vsock_device() -> Reading<()> {
        absent()
    }

    fn absent<T>() -> Reading<T> {
        Err("not on windows".to_owned())
    }
}

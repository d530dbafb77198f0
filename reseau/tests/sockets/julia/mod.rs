//! Julia's Sockets: rows A82 to A110, A130 to A139.
mod addrs;
mod reading;
mod servers;
#[cfg(feature = "tls")]
mod tls;
mod udp;

use reseau::sockets::julia::{TCPServer, TCPSocket, accept, connect, getsockname, listen};

/// A server of this machine, its port, and a connection to it from both ends.
fn connected() -> (TCPServer, u16, TCPSocket, TCPSocket) {
    let server = listen(0).unwrap();
    let (_, port) = getsockname(&server).unwrap();
    let client = connect(port).unwrap();
    let conn = accept(&server).unwrap();
    (server, port, client, conn)
}

/// A path that is nobody else's.
#[cfg(unix)]
fn path(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("reseau-julia-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path.to_str().unwrap().to_owned()
}

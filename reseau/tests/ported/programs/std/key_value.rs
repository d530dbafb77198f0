//! A key-value store: `set k v`, `get k`, `del k`, one per line.
use super::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::sync::RwLock;
use std::thread;

type Store = RwLock<BTreeMap<String, String>>;

fn answer(store: &Store, command: &str) -> Result<String, String> {
    let mut words = command.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("set"), Some(key), Some(value)) => {
            let old = store.write().unwrap().insert(key.into(), value.into());
            Ok(old.unwrap_or_else(|| "(new)".into()))
        }
        (Some("get"), Some(key), None) => {
            store.read().unwrap().get(key).cloned().ok_or_else(|| format!("no {key}"))
        }
        (Some("del"), Some(key), None) => {
            store.write().unwrap().remove(key).ok_or_else(|| format!("no {key}"))
        }
        _ => Err(format!("bad command {command:?}")),
    }
}

fn serve(stream: &TcpStream, store: &Store) -> std::io::Result<()> {
    let mut out = BufWriter::new(stream);
    for line in BufReader::new(stream).lines() {
        match answer(store, &line?) {
            Ok(value) => writeln!(out, "+{value}")?,
            Err(reason) => writeln!(out, "-{reason}")?,
        }
        out.flush()?;
    }
    Ok(())
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(addr: SocketAddr) -> std::io::Result<Self> {
        TcpStream::connect(addr).map(BufReader::new).map(Self)
    }

    fn call(&mut self, command: &str) -> std::io::Result<String> {
        self.0.get_mut().write_all(format!("{command}\n").as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().into())
    }
}

pub(super) fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
    let addr = listener.local_addr()?;
    let store = Store::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming().take(2) {
                let store = &store;
                scope.spawn(move || serve(&stream.unwrap(), store));
            }
        });
        let (mut one, mut two) = (Connection::open(addr)?, Connection::open(addr)?);
        assert_eq!(one.call("set colour dark blue")?, "+(new)");
        assert_eq!(two.call("get colour")?, "+dark blue");
        assert_eq!(two.call("set colour red")?, "+dark blue");
        assert_eq!(one.call("del colour")?, "+red");
        assert_eq!(two.call("get colour")?, "-no colour");
        assert_eq!(two.call("sing")?, "-bad command \"sing\"");
        Ok(())
    })
}

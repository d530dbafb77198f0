//! A key-value store: `set k v`, `get k`, `del k`, one per line.
use super::net::{TcpListener, TcpStream};
use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

type Store = Arc<Mutex<HashMap<String, String>>>;

fn answer(store: &Store, command: &str) -> Result<String, String> {
    let mut words = command.splitn(3, ' ');
    let mut store = store.lock().unwrap();
    match (words.next(), words.next(), words.next()) {
        (Some("set"), Some(key), Some(value)) => {
            Ok(store.insert(key.into(), value.into()).unwrap_or_else(|| "(new)".into()))
        }
        (Some("get"), Some(key), None) => {
            store.get(key).cloned().ok_or_else(|| format!("no {key}"))
        }
        (Some("del"), Some(key), None) => store.remove(key).ok_or_else(|| format!("no {key}")),
        _ => Err(format!("bad command {command:?}")),
    }
}

async fn serve(stream: TcpStream, store: Store) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let reply = match answer(&store, line.trim_end()) {
            Ok(value) => format!("+{value}\n"),
            Err(reason) => format!("-{reason}\n"),
        };
        stream.get_mut().write_all(reply.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

async fn call(addr: SocketAddr, commands: &[&str]) -> std::io::Result<Vec<String>> {
    let mut stream = TcpStream::connect(addr).await?;
    // All at once: the answers come in order.
    for command in commands {
        stream.write_all(command.as_bytes()).await?;
        stream.write_u8(b'\n').await?;
    }
    stream.shutdown().await?;
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await?;
    Ok(answers.lines().map(String::from).collect())
}

pub(super) async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let store = Store::default();
        loop {
            let (stream, _) = listener.accept().await?;
            let store = store.clone();
            tokio::spawn(async move { serve(stream, store).await });
        }
        #[allow(unreachable_code)]
        std::io::Result::Ok(())
    });
    let commands = ["set colour dark blue", "get colour", "set colour red", "get size", "sing"];
    let answers = ["+(new)", "+dark blue", "+dark blue", "-no size", "-bad command \"sing\""];
    assert_eq!(call(addr, &commands).await?, answers);
    assert_eq!(call(addr, &["del colour", "get colour"]).await?, ["+red", "-no colour"]);
    server.abort();
    Ok(())
}

//! A chat room: lines in, a broadcast channel, lines out.
use super::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use super::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::sync::broadcast::{Sender, channel};

#[derive(Clone, Debug)]
struct Line {
    from: String,
    text: String,
}

async fn serve(mut stream: TcpStream, room: Sender<Line>) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let Some(name) = lines.next_line().await? else { return Ok(()) };
    let mut heard = room.subscribe();
    writer.write_all(format!("hello {name}\n").as_bytes()).await?;
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let text = line?;
                let gone = text.is_none();
                let text = text.unwrap_or_else(|| "(left)".into());
                let _ = room.send(Line { from: name.clone(), text });
                if gone {
                    return Ok(());
                }
            }
            line = heard.recv() => {
                let Line { from, text } = line.map_err(io::Error::other)?;
                if from != name {
                    writer.write_all(format!("{from}: {text}\n").as_bytes()).await?;
                }
            }
        }
    }
}

struct Client(Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf);

impl Client {
    async fn join(addr: impl ToSocketAddrs, name: &str) -> io::Result<Self> {
        let (reader, writer) = TcpStream::connect(addr).await?.into_split();
        let mut client = Self(BufReader::new(reader).lines(), writer);
        client.say(name).await?;
        assert_eq!(client.hear().await?, format!("hello {name}"));
        Ok(client)
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.1.write_all(format!("{text}\n").as_bytes()).await
    }

    async fn hear(&mut self) -> io::Result<String> {
        self.0.next_line().await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (room, _) = channel(16);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, room.clone()));
        }
    });
    let mut ann = Client::join(addr, "ann").await?;
    let mut bob = Client::join(addr.to_string(), "bob").await?;
    ann.say("anybody here?").await?;
    assert_eq!(bob.hear().await?, "ann: anybody here?");
    bob.say("yes").await?;
    assert_eq!(ann.hear().await?, "bob: yes");
    drop(bob);
    assert_eq!(ann.hear().await?, "bob: (left)");
    server.abort();
    Ok(())
}

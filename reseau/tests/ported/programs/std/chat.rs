//! A chat room: what one says, the others read.
use super::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::io::{self, BufRead, BufReader, LineWriter, Write};
use std::sync::{Arc, Mutex};
use std::thread;

type Room = Arc<Mutex<Vec<(String, TcpStream)>>>;

fn say(room: &Room, from: &str, text: &str) -> io::Result<()> {
    for (name, stream) in room.lock().unwrap().iter_mut() {
        if name != from {
            writeln!(stream, "{from}: {text}")?;
        }
    }
    Ok(())
}

fn serve(stream: TcpStream, room: &Room) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let Some(name) = lines.next().transpose()? else { return Ok(()) };
    {
        let mut members = room.lock().unwrap();
        members.push((name.clone(), stream));
        let count = members.len();
        writeln!(members[count - 1].1, "hello {name}, you are {count}")?;
    }
    for line in lines {
        say(room, &name, &line?)?;
    }
    room.lock().unwrap().retain(|(member, _)| *member != name);
    say(room, &name, "(left)")
}

struct Client {
    lines: BufReader<TcpStream>,
    out: LineWriter<TcpStream>,
}

impl Client {
    fn join(addr: impl ToSocketAddrs, name: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        let mut out = LineWriter::new(stream.try_clone()?);
        writeln!(out, "{name}")?;
        Ok(Self { lines: BufReader::new(stream), out })
    }

    fn expect(&mut self, wanted: &str) -> io::Result<()> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        assert_eq!(line.trim_end(), wanted);
        Ok(())
    }
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let addr = listener.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        let room = Room::default();
        for stream in listener.incoming() {
            let (stream, room) = (stream?, room.clone());
            thread::spawn(move || serve(stream, &room));
        }
        Ok(())
    });

    let mut ann = Client::join(addr, "ann")?;
    ann.expect("hello ann, you are 1")?;
    let mut bob = Client::join(addr.to_string(), "bob")?;
    bob.expect("hello bob, you are 2")?;
    writeln!(ann.out, "anybody here?")?;
    bob.expect("ann: anybody here?")?;
    writeln!(bob.out, "yes")?;
    ann.expect("bob: yes")?;
    drop(bob);
    ann.expect("bob: (left)")
}

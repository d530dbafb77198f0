//! The pool of the Rust book: a few threads, and a queue of connections between them.
use super::net::{SocketAddr, TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send + 'static>;

struct ThreadPool {
    sender: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
}

impl ThreadPool {
    fn new(size: usize) -> Self {
        let (sender, receiver) = mpsc::channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        let worker = |_| {
            let receiver = receiver.clone();
            thread::spawn(move || {
                loop {
                    let job = receiver.lock().unwrap().recv();
                    let Ok(job) = job else { break };
                    job();
                }
            })
        };
        Self { sender: Some(sender), workers: (0..size).map(worker).collect() }
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.sender.as_ref().unwrap().send(Box::new(job)).unwrap();
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        drop(self.sender.take());
        for worker in self.workers.drain(..) {
            worker.join().unwrap();
        }
    }
}

/// Adds up the bytes until a zero comes.
fn handle((mut stream, _peer): (TcpStream, SocketAddr)) -> io::Result<()> {
    let mut sum = 0_u64;
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 && byte[0] != 0 {
        sum += u64::from(byte[0]);
    }
    stream.write_all(&sum.to_be_bytes())
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let server = thread::spawn(move || -> io::Result<()> {
        let pool = ThreadPool::new(3);
        for _ in 0..10 {
            let connection = listener.accept()?;
            pool.execute(move || handle(connection).unwrap());
        }
        Ok(())
    });
    for count in 0..10 {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(&vec![7; count])?;
        stream.write_all(&[0])?;
        let mut sum = Vec::with_capacity(8);
        stream.read_to_end(&mut sum)?;
        assert_eq!(sum, (count as u64 * 7).to_be_bytes());
    }
    server.join().unwrap()
}

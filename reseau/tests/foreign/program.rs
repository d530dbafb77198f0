//! One program text, an echo server and its client, under everything that can run it.
use crate::stage::{tokio_of_many, tokio_of_one};
use crate::watchdog::watched;
use futures_lite::future::zip;
use reseau::net::{TcpListener, TcpStream};
use std::io;

async fn echo(listener: TcpListener) -> io::Result<usize> {
    let (mut stream, _) = listener.accept().await?;
    let mut count = 0;
    while let Some(chunk) = stream.recv().await? {
        count += chunk.len();
        stream.send(chunk).await?;
    }
    stream.close().await?;
    Ok(count)
}

async fn ask(addr: std::net::SocketAddr) -> io::Result<usize> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut asked = 0;
    for size in [1, 100, 5000, 70_000] {
        let question: Vec<u8> = (0..size).map(|i| (i * 7 + asked) as u8).collect();
        stream.send(question.clone()).await?;
        let mut answer = vec![0; size];
        stream.read_exact(&mut answer).await?;
        assert!(answer == question);
        asked += size;
    }
    stream.finish().await?;
    assert!(stream.recv().await?.is_none());
    Ok(asked)
}

async fn program() -> io::Result<()> {
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let (echoed, asked) = zip(echo(listener), ask(addr)).await;
        assert_eq!(echoed?, asked?);
    }
    Ok(())
}

/// One runner each, under a watchdog.
macro_rules! runs_under {
    ($($name:ident: $run:expr;)*) => {$(
        #[test]
        fn $name() {
            watched(stringify!($name), || $run.unwrap());
        }
    )*};
}

runs_under! {
    its_own_loop: reseau::block_on(program());
    tokio_with_many_threads: tokio_of_many().block_on(async { tokio::spawn(program()).await })
        .unwrap();
    tokio_with_one_thread: tokio_of_one().block_on(program());
    smol: smol::block_on(async { smol::spawn(program()).await });
    no_executor_at_all: futures_lite::future::block_on(program());
    a_group_of_loops: in_a_group();
    the_simulator: in_ten_worlds();
}

fn in_a_group() -> io::Result<()> {
    let group = reseau::Group::new(2, &reseau::Config::default())?;
    let (tell, told) = std::sync::mpsc::channel();
    for remote in group.remotes() {
        let tell = tell.clone();
        remote.spawn(move || async move { tell.send(program().await).unwrap() })?;
    }
    drop(tell);
    told.iter().collect()
}

fn in_ten_worlds() -> io::Result<()> {
    (0..10).try_for_each(|seed| reseau::sim::World::new(seed).run(program()))
}

//! Every executor there is, against the same loop.
use crate::foreign;
use crate::stage::{Stage, block_on, bytes, tokio_of_many, tokio_of_one};
use crate::watchdog::watched;
use reseau::{Kind, Loop, Remote, TcpListener, TcpStream};
use std::net::SocketAddr;

foreign!(
    tokio_of_many_threads,
    tokio_of_one_thread,
    smol_and_no_executor_at_all,
    a_local_task_with_a_foreign_socket,
    loops_use_each_other,
    tasks_are_made_where_they_run,
);

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            while let Ok(Some(chunk)) = stream.recv().await {
                if stream.send(chunk).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// Messages of many sizes, there and back.
async fn talk(home: Option<Remote>, addr: SocketAddr, i: usize, rounds: usize) {
    let mut stream = match home {
        Some(home) => TcpStream::connect_on(&home, addr).await.unwrap(),
        None => TcpStream::connect(addr).await.unwrap(),
    };
    for round in 0..rounds {
        let start = i + round;
        let want = bytes(start..start + 1 + (i * 131 + round * 977) % 9000);
        stream.send(want.clone()).await.unwrap();
        let mut got = vec![0; want.len()];
        stream.read_exact(&mut got).await.unwrap();
        assert!(got == want, "{i}, round {round}");
    }
    stream.close().await.unwrap();
}

fn tokio_of_many_threads(stage: &mut Stage) {
    tokio_of_many().block_on(async {
        let listener = TcpListener::bind_on(&stage.remote, "127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener));
        let remote = &stage.remote;
        let clients: Vec<_> =
            (0..16).map(|i| tokio::spawn(talk(Some(remote.clone()), addr, i, 60))).collect();
        for client in clients {
            client.await.unwrap();
        }
        server.abort();
    });
}

fn tokio_of_one_thread(stage: &mut Stage) {
    tokio_of_one().block_on(async {
        let listener = TcpListener::bind_on(&stage.remote, "127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener));
        let remote = &stage.remote;
        let clients: Vec<_> =
            (0..8).map(|i| tokio::spawn(talk(Some(remote.clone()), addr, i, 40))).collect();
        for client in clients {
            client.await.unwrap();
        }
        server.abort();
    });
}

fn smol_and_no_executor_at_all(stage: &mut Stage) {
    let (listener, addr) = stage.listen();
    let tokio = tokio_of_many();
    let server = tokio.spawn(serve(listener));
    let remote = &stage.remote;
    block_on(talk(Some(remote.clone()), addr, 1, 20));
    smol::block_on(async {
        let tasks: Vec<_> =
            (0..4).map(|i| smol::spawn(talk(Some(remote.clone()), addr, i, 20))).collect();
        for task in tasks {
            task.await;
        }
        talk(None, addr, 5, 20).await; // The global loop.
    });
    server.abort();
}

fn a_local_task_with_a_foreign_socket(stage: &mut Stage) {
    let (listener, addr) = stage.listen();
    let tokio = tokio_of_many();
    let server = tokio.spawn(serve(listener));
    let lp = Loop::with(&reseau::Config { kind: Some(Kind::Ready), ..stage.config.clone() });
    lp.unwrap().block_on(async {
        let tasks: Vec<_> = (0..4)
            .map(|i| {
                let remote = stage.remote.clone();
                reseau::spawn_local(async move {
                    talk(Some(remote), addr, i, 30).await; // It lives there,
                    talk(None, addr, i, 30).await; // and this one here.
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    server.abort();
}

/// Two loops on threads of their own, each with tasks that use the other's sockets.
fn loops_use_each_other(stage: &mut Stage) {
    let other = Stage::new(stage.config.clone());
    let (listener, addr) = stage.listen();
    let (tell, told) = std::sync::mpsc::channel();
    let (there, here) = (other.remote.clone(), stage.remote.clone());
    // The server's tasks run there, with sockets from here.
    let serving = move || async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            reseau::spawn(async move {
                while let Ok(Some(chunk)) = stream.recv().await {
                    stream.send(chunk).await.unwrap();
                }
            })
            .detach();
        }
    };
    there.spawn(serving).unwrap();
    // The clients' tasks run here, with sockets from there.
    for i in 0..4 {
        let (there, tell) = (there.clone(), tell.clone());
        here.spawn(move || async move {
            talk(Some(there), addr, i, 40).await;
            tell.send(i).unwrap();
        })
        .unwrap();
    }
    drop(tell);
    assert_eq!(told.iter().count(), 4);
}

/// What a task holds need not be `Send`, if it is made there.
fn tasks_are_made_where_they_run(stage: &mut Stage) {
    let (tell, told) = std::sync::mpsc::channel();
    for i in 0..10 {
        let tell = tell.clone();
        let make = move || {
            let count = std::rc::Rc::new(std::cell::Cell::new(0));
            async move {
                for _ in 0..i {
                    reseau::yield_now().await;
                    count.set(count.get() + 1);
                }
                tell.send(count.get()).unwrap();
            }
        };
        stage.remote.spawn(make).unwrap();
    }
    drop(tell);
    let mut counts: Vec<_> = told.iter().collect();
    counts.sort_unstable();
    assert_eq!(counts, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_thousand_under_tokio_on_the_global_loop() {
    watched("a_thousand_under_tokio_on_the_global_loop", || {
        tokio_of_many().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let server = tokio::spawn(serve(listener));
            let many = if cfg!(windows) { 200 } else { 1000 }; // (Wine polls slowly.)
            let clients: Vec<_> = (0..many).map(|i| tokio::spawn(talk(None, addr, i, 5))).collect();
            for client in clients {
                client.await.unwrap();
            }
            server.abort();
        });
    });
}

/// Tokio's own sockets as peers.
#[test]
fn tokio_talks_to_us() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    watched("tokio_talks_to_us", || {
        tokio_of_many().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let server = tokio::spawn(serve(listener));
            let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
            for size in [1, 5000, 100_000] {
                stream.write_all(&bytes(0..size)).await.unwrap();
                let mut back = vec![0; size];
                stream.read_exact(&mut back).await.unwrap();
                assert!(back == bytes(0..size));
            }
            server.abort();
        });
    });
}

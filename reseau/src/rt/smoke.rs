//! The machine below the sockets, without their public face.
use super::*;
use crate::addr::Addr;
use crate::driver::{Socket, Who, chunk, connection};
use crate::pool::Chunk;
use crate::sys::Domain;
use std::future::poll_fn;

fn echo(kind: Kind) {
    let lp = Loop::with(&Config { kind: Some(kind), ..Config::default() }).unwrap();
    lp.block_on(async {
        let home = Remote::current().unwrap().home().clone();
        let fd = home.open(Domain::IPV4).unwrap();
        fd.bind(&Addr::Inet("127.0.0.1:0".parse().unwrap())).unwrap();
        fd.listen(16).unwrap();
        let at = fd.local_addr().unwrap();
        let listener = Socket::listener(fd, home.clone());
        let server = spawn_local({
            let home = home.clone();
            async move {
                let got = poll_fn(|cx| listener.poll_recv(Who::Owner, cx, connection)).await;
                let socket = Socket::stream(got.unwrap().unwrap().0, home);
                let mut total = 0;
                while let Some(c) =
                    poll_fn(|cx| socket.poll_recv(Who::Owner, cx, chunk)).await.unwrap()
                {
                    total += c.len();
                    let mut c = Some(c);
                    poll_fn(|cx| socket.poll_send(&mut c, cx)).await.unwrap();
                }
                socket.close();
                listener.close();
                total
            }
        });
        let client = Socket::stream(home.open(Domain::IPV4).unwrap(), home.clone());
        client.start_connect(&at).unwrap();
        poll_fn(|cx| client.poll_connected(cx)).await.unwrap();
        let mut sent = 0;
        for i in 0..200usize {
            let want: Vec<u8> = (0..1 + i * 371).map(|j| (i + j) as u8).collect();
            sent += want.len();
            let mut c = Some(Chunk::from(want.clone()));
            poll_fn(|cx| client.poll_send(&mut c, cx)).await.unwrap();
            let mut got = Vec::new();
            while got.len() < want.len() {
                let c = poll_fn(|cx| client.poll_recv(Who::Owner, cx, chunk)).await;
                got.extend_from_slice(&c.unwrap().unwrap());
            }
            assert!(got == want, "{i}");
        }
        poll_fn(|cx| client.poll_finish(cx)).await.unwrap();
        assert_eq!(server.await.unwrap(), sent);
        sleep(Duration::from_millis(5)).await;
        client.close();
    });
}

#[test]
fn uring_echo() {
    echo(Kind::Uring);
}
#[test]
fn ready_echo() {
    echo(Kind::Ready);
}
#[test]
fn sim_echo() {
    echo(Kind::Sim);
}

#[test]
fn sizes() {
    println!("socket {}", size_of::<Socket>());
    println!("op {}", size_of::<crate::driver::Op>());
    println!("chunk {}", size_of::<Chunk>());
    println!("fd {}", size_of::<crate::sys::Fd>());
    println!("recv {}", size_of::<crate::driver::RecvLane>());
    println!("item {}", size_of::<crate::driver::Item>());
}

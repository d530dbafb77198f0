//! Messages both ways between a socket and stdin and stdout.
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reseau::addr::Host;
use reseau::dns::Families;
use reseau::dns::services::{self, Protocol};
use reseau::{Addr, Resolver, UdpSocket, timeout};

use super::Orders;
use super::input::Input;
use super::output::Output;
use super::pump::Trouble;
use crate::failure::Failure;

/// To one peer, whether it is there or not.
pub(super) async fn connect(
    orders: &Orders,
    families: Families,
    limit: Option<Duration>,
) -> Result<(), Failure> {
    let peer = found(orders, families, limit).await?;
    let own: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((own, 0)).await.map_err(Failure::world)?;
    socket.connect(peer).await.map_err(Failure::world)?;
    orders.aside.note(format_args!("to {peer}"));
    both_ways(&socket, None, &mut Input::stdin(), orders).await
}

/// With whoever sends the first message. With `keep`: from everybody, to nobody.
pub(super) async fn listen(orders: &Orders) -> Result<(), Failure> {
    let at = found(orders, Families::V4First, None).await?;
    let socket = UdpSocket::bind(at).await.map_err(Failure::world)?;
    let addr = socket.local_addr().map_err(Failure::world)?;
    orders.aside.say(format_args!("listening udp://{addr}"));
    let mut bytes = vec![0; LARGEST];
    loop {
        let (count, peer) = socket.recv_from(&mut bytes).await.map_err(Failure::world)?;
        orders.aside.note(format_args!("{count} bytes from {peer}"));
        orders.aside.begin();
        orders.aside.count_received(count);
        if let Err(error) = Output::stdout().print(bytes[..count].to_vec()).await {
            return Failure::output(&error);
        }
        if !orders.keep {
            socket.connect(peer).await.map_err(Failure::world)?;
            // Others may have been heard before that, too.
            return both_ways(&socket, Some(peer), &mut Input::stdin(), orders).await;
        }
    }
}

/// Each piece of stdin is a message, so a line is where a person types. It ends when stdin has, and
/// nothing has come for a while; without stdin, never. With `only`, what comes from others is
/// passed over.
async fn both_ways(
    socket: &UdpSocket,
    only: Option<SocketAddr>,
    input: &mut Input,
    orders: &Orders,
) -> Result<(), Failure> {
    let (aside, output) = (&orders.aside, Output::stdout());
    aside.begin();
    let up = async {
        while let Some(bytes) = input.next(PIECE).await.map_err(Trouble::Input)? {
            socket.send(&bytes).await.map_err(Trouble::Peer)?;
            aside.count_sent(bytes.len());
        }
        aside.note("stdin has ended");
        Ok(())
    };
    let down = async {
        let mut bytes = vec![0; LARGEST];
        loop {
            let (count, from) = socket.recv_from(&mut bytes).await.map_err(Trouble::Peer)?;
            // What else an address of IPv6 says may differ from one message to the next.
            if only.is_some_and(|peer| (peer.ip(), peer.port()) != (from.ip(), from.port())) {
                aside.note(format_args!("{count} bytes from {from} are not for us"));
                continue;
            }
            aside.count_received(count);
            output.print(bytes[..count].to_vec()).await.map_err(Trouble::Output)?;
        }
    };
    let (mut up, mut down) = (pin!(up), pin!(down));
    let mut sending = !orders.deaf;
    loop {
        let moved = poll_fn(|cx| {
            let end: Poll<Result<(), Trouble>> = down.as_mut().poll(cx);
            match end {
                Poll::Pending if sending => up.as_mut().poll(cx),
                end => end,
            }
        });
        let silence = if orders.deaf { None } else { Some(SILENCE) };
        let end = match orders.wait.or(silence).filter(|_| !sending) {
            None => moved.await,
            Some(wait) => {
                let prints = output.prints();
                match timeout(wait, moved).await {
                    Ok(end) => end,
                    Err(_) if output.is_silent_since(prints) => return Ok(()),
                    Err(_) => continue,
                }
            }
        };
        match end {
            Ok(()) => sending = false,
            Err(trouble) => return trouble.failure(),
        }
    }
}

/// The address of the endpoint: its own, or the first that its name has.
async fn found(
    orders: &Orders,
    families: Families,
    limit: Option<Duration>,
) -> Result<SocketAddr, Failure> {
    let endpoint = &orders.endpoint;
    let port = match endpoint.service() {
        Some(service) => services::port(service, Protocol::Udp).map_err(Failure::world)?,
        None => endpoint.port().unwrap_or(0),
    };
    let endpoint = endpoint.clone().with_port(port);
    match endpoint.host() {
        None => {
            let addrs = endpoint.loopback_addrs().into_iter().flatten();
            let allowed = addrs
                .into_iter()
                .find(|addr| families.allows(reseau::dns::IpFamily::of(addr.ip())));
            Ok(allowed.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into()))
        }
        Some(Host::Name(name)) => {
            let mut lookup = Resolver::default().families(families).lookup(name);
            if let Some(limit) = limit {
                lookup = lookup.limit(limit);
            }
            let addrs = lookup.await.map_err(Failure::world)?;
            let first = addrs.first().ok_or_else(|| Failure::world("the name has no address"))?;
            Ok((*first, port).into())
        }
        Some(_) => match endpoint.to_addr().map_err(Failure::usage)? {
            Addr::Inet(addr) => Ok(addr),
            other => Err(Failure::usage(format_args!("{other}: --udp needs a host and a port"))),
        },
    }
}

/// More than any message of UDP has.
const LARGEST: usize = 65_536;
/// What fits into one packet of nearly every network.
const PIECE: usize = 1_200;
/// How long answers are waited for when stdin has ended.
const SILENCE: Duration = Duration::from_secs(1);

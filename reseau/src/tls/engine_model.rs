//! A model of two engines and what is between them: whoever carries their bytes, in whatever
//! pieces, what is heard was said, in order, once.
//!
//! A byte string drives it, so that `cargo fuzz` (`fuzz/fuzz_targets/tls_engine.rs`) and the
//! property test beside it run the same function. Each engine computes in a world of its own, so
//! that the same script is the same session again, to the byte.
use super::chance::Chance;
use super::engine::{Engine, Plain};
use super::{Broken, Client, Identity, Roots, Server, Side, Version};
use crate::sys::Fd;
use crate::sys::sim::World;

/// Two who know each other: 0 is the client, 1 the server.
pub(crate) struct Model {
    /// They speak 1.2, and 1.3.
    clients: [Client; 2],
    server: Server,
    /// A session of each version as it went.
    recorded: Vec<Recording>,
}

/// What each of the two has sent in a session, and how much was said in it.
struct Recording {
    sealed: [Vec<u8>; 2],
    said: [usize; 2],
}

impl Model {
    pub(crate) fn new() -> Self {
        let identity = Identity::from_pem(CHAIN, KEY).expect("a chain and its key");
        let roots = Roots::from_pem(CHAIN).expect("an issuer");
        let client = Client::new().trust_only(&roots);
        let clients = [Version::Tls12, Version::Tls13].map(|one| client.clone().newest(one));
        // The keys of tickets are not the world's.
        let server = Server::new(&identity).tickets(false);
        let mut model = Self { clients, server, recorded: Vec::new() };
        model.recorded = (0..2).map(|version| model.record(version)).collect();
        model
    }

    /// Runs one script. Panics when something that must hold does not.
    pub(crate) fn run(&self, script: &[u8]) {
        let script = &mut Script(script);
        let choice = script.byte();
        let version = usize::from(choice & 1);
        match choice >> 1 & 1 {
            0 => self.replay(version, usize::from(choice >> 2 & 1), script),
            _ => self.live(version, script),
        }
    }

    /// Both before a session, each with its own randomness, which is always the same.
    fn ends(&self, version: usize) -> [End; 2] {
        let client = self.clients[version].to("localhost");
        [(client, 1), (Side::from(&self.server), 2)].map(|(side, seed)| {
            let world = World::new(seed);
            let chance = Chance::of(&Fd::Sim(world.open(socket2::Domain::IPV4)));
            End::new(side.start(chance).expect("what was tried before").0)
        })
    }

    fn record(&self, version: usize) -> Recording {
        let mut play = Play::new(self.ends(version));
        play.settle();
        for (who, length) in [(0, 700), (1, 40_000), (0, 20_000), (1, 3)] {
            play.say(who, length);
            play.settle();
        }
        play.finish(0);
        play.finish(1);
        play.settle();
        assert!(play.is_whole(), "the session that is recorded");
        let said = [0, 1].map(|who| play.ends[who].said);
        assert_eq!(said, [20_700, 40_003]);
        Recording { sealed: play.sealed, said }
    }

    /// Feeds what was recorded to one of the two alone, in pieces, and perhaps not as it was.
    fn replay(&self, version: usize, who: usize, script: &mut Script<'_>) {
        let Recording { sealed, said } = &self.recorded[version];
        let other = 1 - who;
        let [client, server] = self.ends(version);
        let mut end = if who == 0 { client } else { server };
        let (mut arriving, mut answered) = (sealed[other].clone(), Vec::new());
        let mut spoilt = false;
        while !arriving.is_empty() {
            if !script.is_over() && script.byte() & 0x1f == 0x1f {
                spoilt |= spoil(&mut arriving, script);
                continue;
            }
            let piece = if script.is_over() { usize::MAX } else { script.piece() };
            end.hear(&mut arriving, piece);
            if piece & 1 == 1 || script.is_over() {
                end.read(other, said[other], true);
            }
            end.send(&mut answered);
        }
        end.read(other, said[other], true);
        if !spoilt {
            // It answers as it did, as far as it went without a word of its own.
            assert!(sealed[who].starts_with(&answered), "another answer than it was");
            assert_eq!((end.failed, end.heard, end.ended), (None, said[other], true));
        }
    }

    /// Lets both speak: what is said, carried, spoilt and cut off is the script's.
    fn live(&self, version: usize, script: &mut Script<'_>) {
        let mut play = Play::new(self.ends(version));
        while !script.is_over() {
            let choice = script.byte();
            let who = usize::from(choice >> 7);
            match choice & 0x1f {
                0..=9 => play.carry(who, script.piece()),
                10..=15 => play.carry(who, usize::MAX),
                16..=19 => play.read(who),
                20..=25 => play.say(who, script.piece()),
                26 | 27 => play.finish(who),
                28..=30 => play.spoil(who, script),
                _ => play.cut(who),
            }
        }
        play.settle();
        let harmed = play.spoils.contains(&true) || play.cut.contains(&true);
        assert!(harmed || play.is_whole(), "something is missing");
    }
}

/// One side, and what it has said and heard.
struct End {
    engine: Engine,
    said: usize,
    heard: usize,
    /// It has said that it was all.
    finished: bool,
    /// It has heard that it was all.
    ended: bool,
    failed: Option<String>,
}

impl End {
    fn new(engine: Engine) -> Self {
        Self { engine, said: 0, heard: 0, finished: false, ended: false, failed: None }
    }

    /// Takes so much of what arrives, or less.
    fn hear(&mut self, arriving: &mut Vec<u8>, piece: usize) {
        let piece = &arriving[..piece.min(arriving.len())];
        let fed = match self.engine.feed(piece) {
            Ok(count) => {
                assert!(self.failed.is_none(), "what was wrong is well again");
                let full = count < piece.len();
                assert!(!full || self.holds(), "it is full of nothing");
                count
            }
            Err(broken) => {
                self.fail(&broken);
                arriving.len()
            }
        };
        arriving.drain(..fed);
    }

    fn holds(&mut self) -> bool {
        matches!(self.engine.plain(), Ok(Plain::Bytes(_)))
    }

    /// Reads all there is: it is what the other one has said so far.
    fn read(&mut self, other: usize, said: usize, finished: bool) {
        loop {
            match self.engine.plain() {
                Ok(Plain::Bytes(bytes)) => {
                    let count = bytes.len();
                    let right = (self.heard..).map(|at| word(other, at));
                    assert!(bytes.iter().copied().eq(right.take(count)), "nobody has said that");
                    self.engine.consume(count);
                    self.heard += count;
                    assert!(self.heard <= said, "more than was said");
                }
                Ok(Plain::Starved) => return assert!(self.failed.is_none() && !self.ended),
                Ok(Plain::End) => {
                    assert!(finished && self.heard == said, "an end that nobody has said");
                    self.ended = true;
                    return;
                }
                Err(broken) => return self.fail(&broken),
            }
        }
    }

    /// An error stays what it is.
    fn fail(&mut self, broken: &Broken) {
        let told = broken.to_string();
        assert_eq!(*self.failed.get_or_insert_with(|| told.clone()), told);
    }

    fn send(&mut self, into: &mut Vec<u8>) {
        while self.engine.wants_to_send() {
            self.engine.send_to(into).expect("there is room");
        }
    }
}

/// Two ends, and what is on its way from each of them.
struct Play {
    ends: [End; 2],
    wires: [Vec<u8>; 2],
    /// All that each has sent.
    sealed: [Vec<u8>; 2],
    /// Nothing gets there any more.
    cut: [bool; 2],
    /// Something was changed on its way from them.
    spoils: [bool; 2],
}

impl Play {
    fn new(ends: [End; 2]) -> Self {
        let (wires, sealed) = Default::default();
        Self { ends, wires, sealed, cut: [false; 2], spoils: [false; 2] }
    }

    fn say(&mut self, who: usize, length: usize) {
        let end = &mut self.ends[who];
        let text: Vec<u8> = (end.said..).map(|at| word(who, at)).take(length).collect();
        let mut left = &text[..];
        while !left.is_empty() {
            let count = self.ends[who].engine.seal(left);
            self.ends[who].said += count;
            left = &left[count..];
            self.push(who);
            if count == 0 {
                return; // The handshake is not done, or it was all.
            }
        }
    }

    fn finish(&mut self, who: usize) {
        let end = &mut self.ends[who];
        // Wrong bytes for who has finished are a matter of their own: see `Engine::process`.
        if !end.engine.is_handshaking() && !self.spoils[1 - who] {
            end.engine.finish();
            end.finished = true;
        }
        self.push(who);
    }

    /// What was sent is on its way.
    fn push(&mut self, who: usize) {
        let mut sent = Vec::new();
        self.ends[who].send(&mut sent);
        self.sealed[who].extend_from_slice(&sent);
        if !self.cut[who] {
            self.wires[who].extend(sent);
        }
    }

    fn carry(&mut self, who: usize, piece: usize) {
        self.push(who);
        if !self.cut[who] && !self.wires[who].is_empty() {
            self.ends[1 - who].hear(&mut self.wires[who], piece);
        }
    }

    fn read(&mut self, who: usize) {
        let End { said, finished, .. } = self.ends[1 - who];
        self.ends[who].read(1 - who, said, finished);
    }

    fn spoil(&mut self, who: usize, script: &mut Script<'_>) {
        self.push(who);
        if !self.ends[1 - who].finished {
            self.spoils[who] |= spoil(&mut self.wires[who], script);
        }
    }

    fn cut(&mut self, who: usize) {
        self.push(who);
        self.wires[who].clear();
        self.cut[who] = true;
        self.ends[1 - who].engine.feed_end();
        self.read(1 - who);
        let end = &self.ends[1 - who];
        assert!(end.ended || end.failed.is_some(), "a cut is not seen");
    }

    /// Carries and reads until there is no more.
    fn settle(&mut self) {
        loop {
            for who in [0, 1] {
                self.carry(who, usize::MAX);
                self.read(1 - who);
            }
            let wants = self.ends.iter().any(|end| end.engine.wants_to_send());
            if !wants && self.wires.iter().all(Vec::is_empty) {
                return;
            }
        }
    }

    /// Whether each has heard all that the other has said.
    fn is_whole(&self) -> bool {
        [(0, 1), (1, 0)].into_iter().all(|(who, other)| {
            let (one, other) = (&self.ends[who], &self.ends[other]);
            other.failed.is_none() && other.heard == one.said && other.ended == one.finished
        })
    }
}

/// A byte of what somebody says.
fn word(who: usize, at: usize) -> u8 {
    (at.wrapping_mul(31) >> 3) as u8 ^ (at >> 8) as u8 ^ if who == 0 { 0 } else { 0x55 }
}

/// Changes one bit, if there is one.
fn spoil(wire: &mut [u8], script: &mut Script<'_>) -> bool {
    let at = script.count(wire.len()) - 1;
    let bit = script.byte() & 7;
    wire.get_mut(at).map(|byte| *byte ^= 1 << bit).is_some()
}

/// Decisions, in order. Where they end, everything is zero.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// From 1 to `most`.
    fn count(&mut self, most: usize) -> usize {
        let number = usize::from(u16::from_le_bytes([self.byte(), self.byte()]));
        1 + number % most.max(1)
    }

    /// A length of any order.
    fn piece(&mut self) -> usize {
        let most = 1 << (self.byte() % 17);
        self.count(most)
    }
}

/// For localhost, signed by itself.
const CHAIN: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBHTCB0KADAgECAgEBMAUGAytlcDAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcN
MjAwMTAxMDAwMDAwWhgPMjIwMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMMCWxvY2Fs
aG9zdDAqMAUGAytlcAMhABm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh
o0UwQzAMBgNVHRMBAf8EAjAAMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAdBgNVHQ4E
FgQUoozB+G5ZYNPgOudcliyXqNRIKTwwBQYDK2VwA0EAPASPAqNoy9o6VX+pN049
4NuQdaXHbLW/6vrmoDzFiK3/nPo9xHaAIWaETH7B+AEJY8zgW7mRs0Zn91AHgp83
Ag==
-----END CERTIFICATE-----
";

/// RFC 8410, 10.3: its signatures are always the same.
const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whatever_becomes_of_the_bytes_nothing_wrong_is_heard() {
        let model = Model::new();
        let config = ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() };
        proptest!(config, |(script in prop::collection::vec(any::<u8>(), 1..200))| {
            model.run(&script);
        });
    }
}

//! Python's module `ssl`: `peer.py`, one process for many connections.
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use reseau::tls::Version;

use super::case::{Ask, Cell, Ending, Run};
use super::papers::{Desk, OTHER, Shown, Trusted};
use super::program::{self, Program};

pub(crate) struct Python {
    desk: Desk,
    running: Option<(Child, BufReader<ChildStdout>)>,
}

type Wish = Vec<(&'static str, String)>;

impl Python {
    pub(crate) fn find() -> Option<Self> {
        let asks =
            ["-c", "import ssl; ssl.TLSVersion; print(ssl.HAS_TLSv1_3, ssl.OPENSSL_VERSION)"];
        program::is_there(NAME, &asks, |told| told.starts_with("True OpenSSL"))
            .then(|| Self { desk: Desk::new(), running: None })
    }

    fn tell(&mut self, wish: Wish) {
        let (child, _) = self.running.get_or_insert_with(|| {
            let mut command = Command::new(NAME);
            command.args(["-W", "ignore", "-c", include_str!("peer.py")]);
            let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
            let mut child = spawned.unwrap();
            let told = BufReader::new(child.stdout.take().unwrap());
            (child, told)
        });
        let words: Vec<_> = wish.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect();
        let line = words.join("\t") + "\n";
        child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.running.as_mut().unwrap().1.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "Python has ended");
        line.trim_end().split('\t').map(str::to_owned).collect()
    }

    /// What both sides are told.
    fn wish(&self, run: &Run, does: &str, alpn: &[&str]) -> Wish {
        let version = match run.version {
            Some(Version::Tls12) => "1.2",
            Some(_) => "1.3",
            None => "old",
        };
        vec![
            ("do", does.into()),
            ("version", version.into()),
            ("alpn", alpn.join(",")),
            ("ending", format!("{:?}", run.case.ending)),
        ]
    }
}

impl Program for Python {
    fn serve(&mut self, run: &Run) -> u16 {
        let case = run.case;
        let mut wish = self.wish(run, "serve", case.alpn.1);
        wish.push(("chain", self.desk.path(case.shown, "pem")));
        wish.push(("key", self.desk.path(case.shown, "key")));
        wish.push(("connections", case.connections().to_string()));
        if case.also {
            wish.push(("other", OTHER.into()));
            wish.push(("otherchain", self.desk.path(Shown::Other, "pem")));
            wish.push(("otherkey", self.desk.path(Shown::Other, "key")));
        }
        let asks = match case.ask {
            Ask::No => "no",
            Ask::VerifyIfGiven => "may",
            Ask::RequireAndVerify => "must",
            Ask::Request | Ask::RequireAny => unreachable!("it has no such mode"),
        };
        wish.push(("ask", asks.into()));
        wish.push(("roots", self.desk.path(Trusted::OfGuests, "pem")));
        self.tell(wish);
        self.hear()[1].parse().unwrap()
    }

    fn dial(&mut self, run: &Run, port: u16, connection: usize) {
        let case = run.case;
        let mut wish = self.wish(run, "dial", case.alpn.0);
        wish.push(("name", case.asked.into()));
        wish.push(("roots", self.desk.path(case.trusted, "pem")));
        wish.push(("port", port.to_string()));
        wish.push(("again", connection.to_string()));
        if let Some(guest) = case.guest {
            wish.push(("chain", self.desk.path(guest, "pem")));
            wish.push(("key", self.desk.path(guest, "key")));
        }
        self.tell(wish);
    }

    fn over(&mut self, run: &Run, connection: usize, cell: Cell, serves: bool) {
        let (case, told) = (run.case, self.hear());
        if !matches!(cell, Cell::Yes) {
            return assert_eq!(told[0], "refused", "{told:?}");
        }
        assert_eq!(told[0], "agreed", "{told:?}");
        assert_eq!(
            told[1],
            if run.version == Some(Version::Tls12) { "TLSv1.2" } else { "TLSv1.3" }
        );
        assert_eq!(told[2], case.alpn.2.unwrap_or("-"));
        assert_eq!(told[3], if case.resumes(connection) { "True" } else { "False" });
        assert_eq!(told[4] == "shown", !serves || case.introduces());
        let (cuts, breaks) = match serves {
            true => (Ending::ServerCuts, Ending::ClientCuts),
            false => (Ending::ClientCuts, Ending::ServerCuts),
        };
        let end = if case.ending == cuts { "left" } else { "clean" };
        assert_eq!(told[5], if case.ending == breaks { "cut" } else { end });
    }

    fn stop(&mut self) -> String {
        if let Some((mut child, _)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        String::new()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.stop();
    }
}

const NAME: &str = if cfg!(windows) { "python" } else { "python3" };

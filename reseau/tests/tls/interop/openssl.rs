//! The program `openssl`: `s_client` and `s_server`.
use std::io::{PipeReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use reseau::tls::Version;

use super::case::{Ask, Case, Cell, Ending, Run};
use super::ours::{BYE, READY, Step, THANKS, WELCOME};
use super::papers::{Desk, OTHER, Shown, Trusted};
use super::program::{self, Program};

/// The program, on the server's side or the client's.
pub(crate) struct Openssl {
    desk: Desk,
    running: Option<Running>,
}

/// A process, and who answers for it what it hears.
struct Running {
    child: Arc<Mutex<Child>>,
    said: Arc<(Mutex<Said>, Condvar)>,
    answering: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Said {
    text: String,
    ended: bool,
}

/// What is done once the program has said something.
enum Answer {
    Type(String),
    /// Types this, and that it was all.
    TypeLast(&'static str),
    Kill,
}

type Rules = Vec<(&'static str, Answer)>;

impl Openssl {
    pub(crate) fn find() -> Option<Self> {
        program::is_there("openssl", &["version"], is_new_enough)
            .then(|| Self { desk: Desk::new(), running: None })
    }
}

/// Others have the name, too.
fn is_new_enough(told: &str) -> bool {
    let version = told.strip_prefix("OpenSSL ").and_then(|rest| rest.split('.').next());
    version.and_then(|major| major.parse().ok()).is_some_and(|major: u32| major >= 3)
}

impl Program for Openssl {
    fn serve(&mut self, run: &Run) -> u16 {
        let case = run.case;
        let count = case.connections();
        let mut words = words("s_server -accept 127.0.0.1:0 -naccept");
        words.push(count.to_string());
        words.extend(self.papers(case.shown, &["-cert", "-key", "-cert_chain"]));
        if case.also {
            words.extend(["-servername", OTHER].map(str::to_owned));
            words.extend(self.papers(Shown::Other, &["-cert2", "-key2"]));
        }
        if case.ask != Ask::No {
            words.extend(self.asking(case.ask));
        }
        words.extend(spoken(run, case.alpn.1));
        if pages(case) {
            words.push("-www".into());
        }
        let rules = (0..count).flat_map(|_| rules_of_server(case)).collect();
        let running = self.running.insert(Running::start(words, rules));
        running.wait_for(|text| {
            let (_, rest) = text.split_once("ACCEPT 127.0.0.1:")?;
            rest.split_once('\n')?.0.trim().parse().ok()
        })
    }

    fn dial(&mut self, run: &Run, port: u16, connection: usize) {
        let case = run.case;
        let mut words = words("s_client -verify_return_error -connect");
        words.push(format!("127.0.0.1:{port}"));
        match case.sni() {
            Some(name) => words.extend(["-servername", name, "-verify_hostname", name].map(own)),
            None => words.extend(["-noservername", "-verify_ip", case.asked].map(own)),
        }
        words.extend(["-CAfile".into(), self.desk.path(case.trusted, "pem")]);
        if let Some(guest) = case.guest {
            words.extend(["-cert".into(), self.desk.path(guest, "pem")]);
            words.extend(["-key".into(), self.desk.path(guest, "key")]);
        }
        if case.again.is_some() {
            let word = if connection == 0 { "-sess_out" } else { "-sess_in" };
            words.extend([word.into(), self.desk.path("session", "pem")]);
        }
        words.extend(spoken(run, case.alpn.0));
        self.running = Some(Running::start(words, rules_of_client(case)));
    }

    fn steps_of_client(&self, run: &Run) -> Vec<Step> {
        match pages(run.case) {
            true => {
                vec![Step::Say("GET / HTTP/1.0\r\n\r\n"), Step::Rest("HTTP/1.0 200 "), Step::Finish]
            }
            false => run.case.steps_of_client(),
        }
    }

    fn over(&mut self, run: &Run, connection: usize, cell: Cell, serves: bool) {
        let case = run.case;
        if serves && connection + 1 < case.connections() && matches!(cell, Cell::Yes) {
            return; // There is one more.
        }
        let (said, succeeded) = self.running.take().unwrap().end();
        let told = |what: &str, there: bool| {
            assert_eq!(said.contains(what), there, "{what:?} in what openssl says:\n{said}");
        };
        if !matches!(cell, Cell::Yes) {
            return assert!(serves || !succeeded, "{said}");
        }
        if serves {
            told("Reused session-id", case.resumes(connection));
            // A process that was killed has not seen the end.
            if case.ending != Ending::ServerCuts {
                told("unexpected eof while reading", case.ending == Ending::ClientCuts);
            }
        } else {
            told("Verify return code: 0 (ok)", true);
            told("Reused, TLS", case.resumes(connection));
            let agreed = case.alpn.2.map(|name| format!("ALPN protocol: {name}\n"));
            told(agreed.as_deref().unwrap_or("No ALPN negotiated"), true);
            if case.ending != Ending::ClientCuts {
                told("unexpected eof while reading", case.ending == Ending::ServerCuts);
                assert_eq!(succeeded, case.ending != Ending::ServerCuts, "{said}");
            }
        }
        if let Some(command) = case.update {
            let answers = said.lines().any(|line| line.starts_with("<<<") && is_update(line));
            assert_eq!(answers, command == ASKS_TOO, "{said}");
        }
    }

    fn stop(&mut self) -> String {
        self.running
            .take()
            .map(|running| {
                running.kill();
                running.end().0
            })
            .unwrap_or_default()
    }
}

impl Openssl {
    fn papers(&self, shown: Shown, words: &[&str]) -> Vec<String> {
        let kinds = ["pem", "key", "rest"].into_iter().zip(words);
        let found = kinds.filter(|(kind, _)| *kind != "rest" || shown.papers().rest().is_some());
        found.flat_map(|(kind, word)| [own(word), self.desk.path(shown, kind)]).collect()
    }

    /// Its modes: it takes any certificate unless it is told to mind errors.
    fn asking(&self, ask: Ask) -> Vec<String> {
        let (word, minds) = match ask {
            Ask::No | Ask::Request => ("-verify", false),
            Ask::RequireAny => ("-Verify", false),
            Ask::VerifyIfGiven => ("-verify", true),
            Ask::RequireAndVerify => ("-Verify", true),
        };
        let mut words = vec![own(word), own("1"), own("-CAfile")];
        words.push(self.desk.path(Trusted::OfGuests, "pem"));
        words.extend(minds.then(|| own("-verify_return_error")));
        words
    }
}

/// By itself it never closes first and says so, unless it serves a page.
fn pages(case: &Case) -> bool {
    case.ending == Ending::ServerFirst
}

fn rules_of_server(case: &Case) -> Rules {
    let mut rules = vec![("CIPHER is", Answer::Type(WELCOME.into()))];
    rules.extend(updated(case, THANKS, BYE));
    if case.ending == Ending::ServerCuts {
        rules.push((READY, Answer::Kill));
    }
    rules
}

fn rules_of_client(case: &Case) -> Rules {
    let mut rules = updated(case, WELCOME, THANKS);
    rules.push((
        BYE,
        match case.ending {
            Ending::ClientFirst => Answer::TypeLast(READY),
            Ending::ServerFirst | Ending::ServerCuts => Answer::Type(READY.into()),
            Ending::ClientCuts => Answer::Kill,
        },
    ));
    rules
}

/// Answers this by that, and changes keys in between if that is what the case is about.
fn updated(case: &Case, heard: &'static str, answer: &'static str) -> Rules {
    match case.update {
        None => vec![(heard, Answer::Type(answer.into()))],
        Some(command) => vec![
            (heard, Answer::Type(format!("{command}\n"))),
            ("KeyUpdate", Answer::Type(answer.into())),
        ],
    }
}

fn is_update(line: &str) -> bool {
    line.contains("KeyUpdate")
}

fn spoken(run: &Run, alpn: &[&str]) -> Vec<String> {
    let mut all = match run.version {
        Some(Version::Tls12) => words("-tls1_2"),
        Some(_) => words("-tls1_3"),
        None => words("-min_protocol TLSv1 -max_protocol TLSv1.1 -cipher ALL:@SECLEVEL=0"),
    };
    if !alpn.is_empty() {
        all.extend([own("-alpn"), alpn.join(",")]);
    }
    all.extend(run.case.update.map(|_| own("-msg")));
    all
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(own).collect()
}

fn own(word: &str) -> String {
    word.to_owned()
}

impl Running {
    /// Starts the program. Each rule is waited for in turn, in what it says from then on.
    fn start(words: Vec<String>, rules: Rules) -> Self {
        let (output, input) = std::io::pipe().unwrap();
        let mut command = Command::new("openssl");
        command.args(words).stdin(Stdio::piped());
        let child = command.stdout(input.try_clone().unwrap()).stderr(input).spawn();
        drop(command); // It has ends of the pipe.
        let mut child = child.unwrap();
        let typing = child.stdin.take();
        let (child, said) = (Arc::new(Mutex::new(child)), Arc::default());
        let (killed, heard) = (Arc::clone(&child), Arc::clone(&said));
        let answering = thread::spawn(move || answer(output, typing, rules, &killed, &heard));
        Self { child, said, answering: Some(answering) }
    }

    /// Waits until it has said what `find` looks for.
    fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let mut said = lock(&self.said.0);
        loop {
            if let Some(found) = find(&said.text) {
                return found;
            }
            assert!(!said.ended, "openssl has ended:\n{}", said.text);
            said = self.said.1.wait(said).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn kill(&self) {
        let _ = lock(&self.child).kill();
    }

    /// Waits for its end: what it has said, and whether it is content.
    fn end(mut self) -> (String, bool) {
        self.answering.take().map(JoinHandle::join).unwrap().unwrap();
        let succeeded = lock(&self.child).wait().unwrap().success();
        (lock(&self.said.0).text.clone(), succeeded)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let _ = lock(&self.child).wait();
    }
}

fn answer(
    mut output: PipeReader,
    mut typing: Option<ChildStdin>,
    rules: Rules,
    child: &Mutex<Child>,
    said: &(Mutex<Said>, Condvar),
) {
    let (mut rules, mut from) = (rules.into_iter().peekable(), 0);
    let mut space = [0; 4096];
    while let Ok(count @ 1..) = output.read(&mut space) {
        // Its own words are ASCII, and so are ours.
        let text = space[..count].iter().map(|byte| char::from(byte & 0x7f));
        let mut said_now = lock(&said.0);
        said_now.text.extend(text);
        said.1.notify_all();
        while let Some(at) = rules.peek().and_then(|(what, _)| said_now.text[from..].find(what)) {
            let Some((what, answer)) = rules.next() else { break };
            from += at + what.len();
            // What cannot be typed any more is missed by the other side.
            match answer {
                Answer::Type(line) => {
                    let _ = typing.as_mut().map(|typing| typing.write_all(line.as_bytes()));
                }
                Answer::TypeLast(line) => {
                    let _ = typing.take().map(|mut typing| typing.write_all(line.as_bytes()));
                }
                Answer::Kill => drop(lock(child).kill()),
            }
        }
    }
    lock(&said.0).ended = true;
    said.1.notify_all();
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command that changes keys and asks the other side to change its own, too.
const ASKS_TOO: &str = "K";

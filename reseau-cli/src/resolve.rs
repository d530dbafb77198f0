//! `reseau resolve`: what names stand for, and who says so.
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use reseau::dns::{Answer, IpFamily, LookupError, Query};
use reseau::{Resolver, clock};

use crate::failure::Failure;
use crate::json::Json;
use crate::{arguments, paint};

pub(crate) fn command() -> Command {
    Command::new("resolve")
        .about("Look up the addresses of names, and the names of addresses")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .action(ArgAction::Append)
                .required(true)
                .value_parser(value_parser!(String))
                .help("A host's name, or an IP address whose name is wanted"),
        )
        .args(arguments::families())
        .arg(arguments::limit("Give up what takes longer than this"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

pub(crate) fn run(given: &ArgMatches) -> Result<(), Failure> {
    let names = given.get_many::<String>("name").into_iter().flatten();
    let (families, limit) = (arguments::families_of(given), arguments::limit_of(given));
    let resolver = Resolver::default();
    let entries = reseau::block_on(async {
        // All at once; printed in the order in which they were asked for.
        let mut tasks = Vec::new();
        for name in names {
            match name.parse::<IpAddr>() {
                Ok(ip) => tasks.push(reseau::spawn(name_of(resolver.clone(), ip, limit))),
                Err(_) => tasks.extend(families.iter().map(|family| {
                    reseau::spawn(addrs_of(resolver.clone(), name.clone(), family, limit))
                })),
            }
        }
        let mut entries = Vec::with_capacity(tasks.len());
        for task in tasks {
            entries.push(task.await.map_err(|_| Failure::world("a lookup panicked"))?);
        }
        Ok::<_, Failure>(entries)
    })?;
    let mut stdout = anstream::stdout().lock();
    let printed = if given.get_flag("json") {
        writeln!(stdout, "{}", Json::List(entries.iter().map(Entry::json).collect()))
    } else {
        write!(stdout, "{}", Table(&entries))
    };
    printed.and_then(|()| stdout.flush()).or_else(|error| Failure::output(&error))?;
    failure(&entries)
}

/// One question, and what came of it.
struct Entry {
    name: String,
    kind: Kind,
    took: Duration,
    found: io::Result<Found>,
}

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Addrs(IpFamily),
    Name,
}

/// What was found, and where.
struct Found {
    texts: Vec<String>,
    source: String,
    ttl: Option<Duration>,
}

impl Entry {
    fn json(&self) -> Json {
        let took = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        let mut fields = vec![
            ("name", Json::text(&self.name)),
            ("kind", Json::text(self.kind)),
            ("ok", Json::Flag(self.found.is_ok())),
            ("microseconds", Json::Count(took)),
        ];
        match &self.found {
            Ok(found) => fields.extend([
                ("found", Json::List(found.texts.iter().map(Json::text).collect())),
                ("source", Json::text(&found.source)),
                ("ttl_seconds", found.ttl.map_or(Json::Null, |ttl| Json::Count(ttl.as_secs()))),
            ]),
            Err(error) => fields.push(("error", Json::text(cause(error)))),
        }
        Json::table(fields)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addrs(family) => write!(f, "{family}"),
            Self::Name => f.write_str("name"),
        }
    }
}

/// A line for each address, and one for each question without an answer.
struct Table<'a>(&'a [Entry]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().flat_map(lines).collect();
        let width = |at: usize, least: usize| {
            lines.iter().map(|(_, cells)| cells[at].chars().count()).fold(least, usize::max)
        };
        let (names, found, sources) = (width(0, 4), width(2, 7), width(3, 6));
        let title = paint::TITLE;
        writeln!(
            f,
            "{title}{:names$}  {:6}  {:found$}  {:sources$}  {:>9}{title:#}",
            "NAME", "FAMILY", "ADDRESS", "SOURCE", "TIME"
        )?;
        for (style, [name, kind, text, source, time]) in &lines {
            writeln!(
                f,
                "{name:names$}  {kind:6}  {style}{text:found$}{style:#}  \
                 {source:sources$}  {time:>9}"
            )?;
        }
        Ok(())
    }
}

/// The cells of an entry's lines, and the style of what was found.
fn lines(entry: &Entry) -> Vec<(anstyle::Style, [String; 5])> {
    let time = format!("{:.1} ms", entry.took.as_secs_f64() * 1e3);
    let line = |style, text: &str, source: &str| {
        let [name, kind] = [entry.name.clone(), entry.kind.to_string()];
        (style, [name, kind, text.to_owned(), source.to_owned(), time.clone()])
    };
    match &entry.found {
        Ok(found) => {
            let texts = found.texts.iter();
            texts.map(|text| line(paint::PLAIN, text, &found.source)).collect()
        }
        Err(error) => vec![line(paint::POOR, &cause(error), "-")],
    }
}

async fn addrs_of(
    resolver: Resolver,
    name: String,
    family: IpFamily,
    limit: Option<Duration>,
) -> Entry {
    let began = clock::now();
    let asked = async {
        let mut lookup = resolver.query(&Query::new(&name, family)?);
        if let Some(limit) = limit {
            lookup = lookup.limit(limit);
        }
        let answer: Answer = lookup.await?;
        Ok(Found {
            texts: answer.addrs().iter().map(IpAddr::to_string).collect(),
            source: answer.source().to_string(),
            ttl: answer.ttl(),
        })
    };
    let found = asked.await;
    Entry { name, kind: Kind::Addrs(family), took: clock::now().duration_since(began), found }
}

async fn name_of(resolver: Resolver, ip: IpAddr, limit: Option<Duration>) -> Entry {
    let began = clock::now();
    let mut lookup = resolver.reverse(ip);
    if let Some(limit) = limit {
        lookup = lookup.limit(limit);
    }
    let found = lookup.await.map(|name| Found {
        texts: vec![name],
        source: "system".to_owned(),
        ttl: None,
    });
    let took = clock::now().duration_since(began);
    Entry { name: ip.to_string(), kind: Kind::Name, took, found }
}

/// A name with addresses of one family alone is no failure.
fn failure(entries: &[Entry]) -> Result<(), Failure> {
    let mut lost: Vec<&str> = Vec::new();
    for entry in entries {
        let found = entries.iter().any(|other| other.name == entry.name && other.found.is_ok());
        if !found && !lost.contains(&entry.name.as_str()) {
            lost.push(&entry.name);
        }
    }
    match lost[..] {
        [] => Ok(()),
        _ => Err(Failure::world(format_args!("nothing found for {}", lost.join(", ")))),
    }
}

/// An error without the name, which stands beside it.
fn cause(error: &io::Error) -> String {
    LookupError::of(error).map_or_else(|| error.to_string(), LookupError::to_string)
}

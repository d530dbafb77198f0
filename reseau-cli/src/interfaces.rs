//! `reseau interfaces`: what connects this machine to its networks.
use std::fmt;
use std::io::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};
use reseau::dns::{self, Interface};

use crate::failure::Failure;
use crate::json::Json;
use crate::paint;

pub(crate) fn command() -> Command {
    Command::new("interfaces")
        .about("List this machine's interfaces and their addresses")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let mut interfaces = dns::interfaces().map_err(Failure::world)?;
    interfaces.sort_by_key(Interface::index);
    let mut stdout = anstream::stdout().lock();
    let printed = if arguments.get_flag("json") {
        let list = interfaces.iter().map(json).collect();
        writeln!(stdout, "{}", Json::List(list))
    } else {
        write!(stdout, "{}", Table(&interfaces))
    };
    printed.and_then(|()| stdout.flush()).or_else(|error| Failure::output(&error))
}

/// A line for each interface, and one for each address of it after the first.
struct Table<'a>(&'a [Interface]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |least: usize, texts: &mut dyn Iterator<Item = usize>| texts.fold(least, usize::max);
        let names = width(4, &mut self.0.iter().map(|one| one.name().chars().count()));
        let states = width(5, &mut self.0.iter().map(|one| state(one).len()));
        let (title, faint) = (paint::TITLE, paint::FAINT);
        writeln!(
            f,
            "{title}{:>5}  {:names$}  {:states$}  {:17}  ADDRESSES{title:#}",
            "INDEX", "NAME", "STATE", "MAC"
        )?;
        for interface in self.0 {
            let mac = interface.mac().filter(|bytes| *bytes != [0; 6]);
            let mac = mac.map_or_else(|| "-".to_owned(), text_of_mac);
            let style = if interface.is_running() { paint::GOOD } else { paint::POOR };
            write!(
                f,
                "{:>5}  {title}{:names$}{title:#}  {style}{:states$}{style:#}  \
                 {faint}{mac:17}{faint:#}",
                interface.index(),
                interface.name(),
                state(interface),
            )?;
            if interface.addrs().is_empty() {
                f.write_str("  -")?;
            }
            for (at, addr) in interface.addrs().iter().enumerate() {
                match at {
                    0 => write!(f, "  {addr}")?,
                    _ => write!(f, "\n{:1$}{addr}", "", 5 + 2 + names + 2 + states + 2 + 17 + 2)?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// `up, loopback` and the like.
fn state(interface: &Interface) -> String {
    let first = match (interface.is_up(), interface.is_running()) {
        (true, true) => "up",
        (true, false) => "up, no carrier",
        (false, _) => "down",
    };
    let also = [
        (interface.is_loopback(), "loopback"),
        (interface.is_point_to_point(), "point-to-point"),
        (interface.is_multicast(), "multicast"),
    ];
    let also = also.into_iter().filter(|(is, _)| *is).map(|(_, word)| word);
    std::iter::once(first).chain(also).collect::<Vec<_>>().join(", ")
}

fn text_of_mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

fn json(interface: &Interface) -> Json {
    let addrs = interface.addrs().iter().map(|addr| {
        Json::table([
            ("address", Json::text(addr.ip())),
            ("prefix", Json::Count(addr.prefix_len().into())),
            ("family", Json::text(dns::IpFamily::of(addr.ip()))),
        ])
    });
    Json::table([
        ("name", Json::text(interface.name())),
        ("index", Json::Count(interface.index().into())),
        ("up", Json::Flag(interface.is_up())),
        ("running", Json::Flag(interface.is_running())),
        ("loopback", Json::Flag(interface.is_loopback())),
        ("multicast", Json::Flag(interface.is_multicast())),
        ("point_to_point", Json::Flag(interface.is_point_to_point())),
        ("mac", interface.mac().map_or(Json::Null, |bytes| Json::Text(text_of_mac(bytes)))),
        ("addresses", Json::List(addrs.collect())),
    ])
}

//! The report, as text for people and as JSON for programs: the same facts in the same order.
use std::fmt;

use reseau::Tried;

use super::advice::{Advice, Weight};
use super::host::{Host, Limit, Reading};
use crate::figures;
use crate::json::Json;
use crate::paint;

/// Facts by section, and advice.
#[derive(Debug)]
pub(crate) struct Report {
    sections: Vec<Section>,
    advice: Vec<Advice>,
}

#[derive(Debug)]
struct Section {
    name: &'static str,
    facts: Vec<Fact>,
}

#[derive(Debug)]
struct Fact {
    /// The name in JSON.
    key: &'static str,
    label: &'static str,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Texts(Vec<String>),
    Count(u64),
    Bytes(u64),
    Unlimited,
    Ports(u64, u64),
    Available,
    /// A kind of socket that cannot be made, and why.
    Refused(String),
    /// Something that could not be read, and why.
    Absent(String),
    Drivers(Vec<Tried>),
}

impl Report {
    pub(crate) fn new(host: &Host, advice: Vec<Advice>) -> Self {
        let sections = vec![system(host), driver(host), limits(host), sockets(host), trust(host)];
        Self { sections, advice }
    }

    pub(crate) fn json(&self) -> Json {
        let sections = self.sections.iter().map(|section| {
            let facts = section.facts.iter().map(|fact| (fact.key, fact.value.json()));
            (section.name, Json::table(facts))
        });
        let advice = self.advice.iter().map(|advice| {
            Json::table([
                ("weight", Json::text(advice.weight.name())),
                ("what", Json::text(&advice.what)),
                ("remedy", Json::text(&advice.remedy)),
            ])
        });
        Json::table(sections.chain([("advice", Json::List(advice.collect()))]))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = paint::TITLE;
        let labels = self.sections.iter().flat_map(|section| &section.facts);
        let width = labels.map(|fact| fact.label.len()).max().unwrap_or(0);
        for section in &self.sections {
            writeln!(f, "{title}{}{title:#}", section.name)?;
            for fact in &section.facts {
                for (label, value, style) in fact.value.lines(fact.label) {
                    writeln!(f, "  {label:width$}  {style}{value}{style:#}")?;
                }
            }
            writeln!(f)?;
        }
        writeln!(f, "{title}what to change{title:#}")?;
        let good = paint::GOOD;
        if self.advice.is_empty() {
            writeln!(f, "  {good}nothing{good:#}")?;
        }
        for advice in &self.advice {
            let (style, faint) = (advice.weight.style(), paint::FAINT);
            writeln!(f, "  {style}{}{style:#}: {}", advice.weight.name(), advice.what)?;
            writeln!(f, "      {faint}->{faint:#} {}", advice.remedy)?;
        }
        Ok(())
    }
}

impl Weight {
    fn name(self) -> &'static str {
        match self {
            Self::Should => "should",
            Self::Could => "could",
        }
    }

    fn style(self) -> anstyle::Style {
        match self {
            Self::Should => paint::BAD,
            Self::Could => paint::POOR,
        }
    }
}

impl Value {
    /// What people read: labels, texts and their styles. Most values are one line.
    fn lines(&self, label: &str) -> Vec<(String, String, anstyle::Style)> {
        let (text, style) = match self {
            Self::Text(text) => (text.clone(), paint::PLAIN),
            Self::Texts(texts) => (texts.join(", "), paint::PLAIN),
            Self::Count(count) => (figures::count(*count), paint::PLAIN),
            Self::Bytes(bytes) => (figures::bytes(*bytes), paint::PLAIN),
            Self::Unlimited => ("unlimited".to_owned(), paint::PLAIN),
            Self::Ports(low, high) => (format!("{low} to {high}"), paint::PLAIN),
            Self::Available => ("yes".to_owned(), paint::GOOD),
            Self::Refused(why) => (format!("no ({why})"), paint::POOR),
            Self::Absent(why) => (format!("absent ({why})"), paint::FAINT),
            Self::Drivers(tried) => {
                let line = |tried: &Tried| {
                    let style = if tried.usable { paint::GOOD } else { paint::POOR };
                    (format!("{label} {}", tried.kind), tried.outcome.clone(), style)
                };
                return tried.iter().map(line).collect();
            }
        };
        vec![(label.to_owned(), text, style)]
    }

    fn json(&self) -> Json {
        let available = |yes, why: Option<&String>| {
            let fields = [("available", Json::Flag(yes))];
            Json::table(fields.into_iter().chain(why.map(|why| ("why", Json::text(why)))))
        };
        match self {
            Self::Text(text) => Json::text(text),
            Self::Texts(texts) => Json::List(texts.iter().map(Json::text).collect()),
            Self::Count(count) | Self::Bytes(count) => Json::Count(*count),
            Self::Unlimited => Json::text("unlimited"),
            Self::Ports(low, high) => Json::List(vec![Json::Count(*low), Json::Count(*high)]),
            Self::Available => available(true, None),
            Self::Refused(why) => available(false, Some(why)),
            Self::Absent(_) => Json::Null,
            Self::Drivers(tried) => {
                let entry = |tried: &Tried| {
                    Json::table([
                        ("kind", Json::text(tried.kind)),
                        ("usable", Json::Flag(tried.usable)),
                        ("outcome", Json::text(&tried.outcome)),
                    ])
                };
                Json::List(tried.iter().map(entry).collect())
            }
        }
    }
}

fn system(host: &Host) -> Section {
    let facts = vec![
        Fact::new("reseau", "reseau", Value::Text(env!("CARGO_PKG_VERSION").to_owned())),
        Fact::new("os", "system", Value::Text(host.os.to_owned())),
        Fact::new("release", "release", read(&host.release, |text| Value::Text(text.clone()))),
        Fact::new("arch", "architecture", Value::Text(host.arch.to_owned())),
        Fact::new("cpus", "CPUs", count(&host.cpus)),
    ];
    Section { name: "system", facts }
}

fn driver(host: &Host) -> Section {
    let report = &host.driver;
    let facts = vec![
        Fact::new("kind", "runs", Value::Text(report.kind.to_string())),
        Fact::new("reason", "because", Value::Text(report.reason.clone())),
        Fact::new("tried", "tried", Value::Drivers(report.tried.clone())),
        Fact::new("io_uring_disabled", "io_uring_disabled", count(&host.uring_disabled)),
    ];
    Section { name: "driver", facts }
}

fn limits(host: &Host) -> Section {
    let limits = &host.limits;
    let soft = |limit: &Reading<Limit>, unit| read(limit, |limit| bound(limit.soft, unit));
    let hard = |limit: &Reading<Limit>, unit| read(limit, |limit| bound(limit.hard, unit));
    let ports = read(&limits.local_ports, |(low, high)| Value::Ports(*low, *high));
    let bytes = |reading| read(reading, |bytes| Value::Bytes(*bytes));
    let facts = vec![
        Fact::new("nofile_soft", "open files", soft(&limits.open_files, Value::Count)),
        Fact::new("nofile_hard", "open files, hard", hard(&limits.open_files, Value::Count)),
        Fact::new("file_max", "open files, system", count(&limits.open_files_system)),
        Fact::new("memlock_soft", "locked memory", soft(&limits.locked_memory, Value::Bytes)),
        Fact::new("memlock_hard", "locked memory, hard", hard(&limits.locked_memory, Value::Bytes)),
        Fact::new("somaxconn", "backlog (somaxconn)", count(&limits.backlog)),
        Fact::new("ip_local_port_range", "local ports", ports),
        Fact::new("tcp_tw_reuse", "tcp_tw_reuse", count(&limits.time_wait_reuse)),
        Fact::new("rmem_max", "receive buffer (rmem_max)", bytes(&limits.recv_buffer)),
        Fact::new("wmem_max", "send buffer (wmem_max)", bytes(&limits.send_buffer)),
    ];
    Section { name: "limits", facts }
}

fn sockets(host: &Host) -> Section {
    let sockets = &host.sockets;
    let made = |reading: &Reading<()>| match reading {
        Ok(()) => Value::Available,
        Err(why) => Value::Refused(why.clone()),
    };
    let facts = vec![
        Fact::new("ipv4", "IPv4", made(&sockets.ipv4)),
        Fact::new("ipv6", "IPv6", made(&sockets.ipv6)),
        Fact::new("unix", "Unix", made(&sockets.unix)),
        Fact::new("unix_abstract", "Unix, abstract names", made(&sockets.unix_abstract)),
        Fact::new("udp_segmentation", "UDP, cut (GSO)", made(&sockets.udp_segmentation)),
        Fact::new("udp_coalescing", "UDP, joined (GRO)", made(&sockets.udp_coalescing)),
        Fact::new("vsock", "vsock", made(&sockets.vsock)),
        Fact::new("vsock_device", "vsock device", made(&sockets.vsock_device)),
    ];
    Section { name: "sockets", facts }
}

fn trust(host: &Host) -> Section {
    let trust = &host.trust;
    let text = |reading: &Reading<String>| read(reading, |text| Value::Text(text.clone()));
    let told_by = trust.variables.unwrap_or("the system");
    let directories = read(&trust.directories, |all| Value::Texts(all.clone()));
    let mut facts = vec![
        Fact::new("verifier", "who judges", Value::Text(trust.verifier.to_owned())),
        Fact::new("roots", "trusted issuers", count(&trust.roots)),
        Fact::new("told_by", "told by", Value::Text(told_by.to_owned())),
        Fact::new("file", "file", text(&trust.file)),
        Fact::new("directories", "directories", directories),
    ];
    if !trust.faults.is_empty() {
        facts.push(Fact::new("faults", "at fault", Value::Texts(trust.faults.clone())));
    }
    Section { name: "trust", facts }
}

impl Fact {
    fn new(key: &'static str, label: &'static str, value: Value) -> Self {
        Self { key, label, value }
    }
}

fn read<T>(reading: &Reading<T>, value: impl FnOnce(&T) -> Value) -> Value {
    match reading {
        Ok(reading) => value(reading),
        Err(why) => Value::Absent(why.clone()),
    }
}

fn count(reading: &Reading<u64>) -> Value {
    read(reading, |count| Value::Count(*count))
}

fn bound(limit: Option<u64>, unit: fn(u64) -> Value) -> Value {
    limit.map_or(Value::Unlimited, unit)
}

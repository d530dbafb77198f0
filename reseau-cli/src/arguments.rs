//! Arguments that several commands take, in the same words.
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};
use reseau::dns::Families;

/// `-4` and `-6`.
pub(crate) fn families() -> [Arg; 2] {
    let flag = |name, short| Arg::new(name).short(short).action(ArgAction::SetTrue);
    [flag("v4", '4').help("IPv4 only").conflicts_with("v6"), flag("v6", '6').help("IPv6 only")]
}

pub(crate) fn families_of(given: &ArgMatches) -> Families {
    match (given.get_flag("v4"), given.get_flag("v6")) {
        (true, _) => Families::V4Only,
        (_, true) => Families::V6Only,
        _ => Families::default(),
    }
}

/// `--limit SECONDS`.
pub(crate) fn limit(help: &'static str) -> Arg {
    Arg::new("limit").long("limit").value_name("SECONDS").value_parser(seconds).help(help)
}

pub(crate) fn limit_of(given: &ArgMatches) -> Option<Duration> {
    given.get_one::<Duration>("limit").copied()
}

/// Seconds, with or without a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a span of time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for text in ["-1", "inf", "NaN", "1e300", "", "1s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}

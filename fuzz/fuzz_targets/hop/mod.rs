//! What holds for the conversation with any proxy, whatever it answers.
use reseau::addr::Host;
use reseau::dial::{Hop, HopError, Proxy};

/// How a conversation ended, and how much of what arrived was taken if it ended well.
pub type End = Result<usize, HopError>;

/// Plays a proxy's answer, cut in four ways, which must not matter. The first bytes of `input` say
/// where to, by which of the proxies, and one of the cuts.
pub fn play(proxies: [&str; 2], input: &[u8]) -> Option<End> {
    let [choice, cut, arriving @ ..] = input else { return None };
    let proxy: Proxy = proxies[usize::from(choice & 1)].parse().expect("a proxy");
    let host = match choice >> 1 & 3 {
        0 => Host::V4([192, 0, 2, 1].into()),
        1 => Host::V6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), None),
        _ => Host::Name("example.com".into()),
    };
    let hop = || Hop::new(&proxy, &host, 443).expect("a place that can be told");
    let (end, said) = played(hop(), arriving, |_| usize::MAX);
    let cut = usize::from(*cut) + 1;
    // The last one reads no more than is wanted, and so nothing of the tunnel.
    let cuts: [fn(&Hop, usize) -> usize; 3] = [|_, _| 1, |_, cut| cut, |hop, _| hop.wanted()];
    for length in cuts {
        let (again, told) = played(hop(), arriving, |hop| length(hop, cut));
        assert_eq!(again, end);
        assert!(end.is_err() || told == said, "{told:?} instead of {said:?}");
    }
    Some(end)
}

/// Hands over what arrives in pieces of a length that is asked for each, as a reader who cannot
/// give back does: what is left of a piece must be the tunnel's.
fn played(mut hop: Hop, arriving: &[u8], mut length: impl FnMut(&Hop) -> usize) -> (End, Vec<u8>) {
    let (mut said, mut taken) = (hop.output().to_vec(), 0);
    loop {
        if hop.is_done() {
            assert_eq!((hop.wanted(), hop.input(b"tunnel")), (0, Ok(0)));
            return (Ok(taken), said);
        }
        let rest = &arriving[taken..];
        if rest.is_empty() {
            return (Err(HopError::Ended), said);
        }
        let wanted = hop.wanted();
        let piece = &rest[..length(&hop).min(rest.len())];
        let count = match hop.input(piece) {
            Ok(count) => count,
            Err(error) => {
                let shown = error.to_string();
                assert!(!shown.contains(char::is_control), "{shown:?} is not one line");
                return (Err(error), said);
            }
        };
        assert!(count >= wanted.min(piece.len()), "{wanted} were wanted, {count} were taken");
        said.extend(hop.output());
        taken += count;
        assert!(count == piece.len() || hop.is_done(), "bytes are left, and it is not done");
    }
}

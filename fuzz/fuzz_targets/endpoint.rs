//! What parses as an endpoint prints as one line that parses to the same; what does not, says
//! where within the text it is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reseau::addr::ip::parse_ip;
use reseau::{Addr, Endpoint};

fuzz_target!(|text: &str| {
    match text.parse::<Endpoint>() {
        Ok(endpoint) => {
            let printed = endpoint.to_string();
            assert!(!printed.contains(char::is_control), "{printed:?} is not one line");
            assert_eq!(printed.parse::<Endpoint>().as_ref(), Ok(&endpoint), "{printed:?}");
            // Literals become addresses, and those become endpoints that say the same address.
            if let Ok(addr) = endpoint.to_addr() {
                let again = Endpoint::try_from(addr.clone()).expect("no text means an unnamed one");
                assert_eq!(again.to_addr().expect("a literal"), addr);
                assert_eq!(addr.to_string().parse::<Addr>().as_ref(), Ok(&addr));
            }
            // Each text says one thing, and replacing the port leaves one of its kind.
            let kinds = [
                endpoint.port().is_some(),
                endpoint.service().is_some(),
                endpoint.unix().is_some(),
                endpoint.vsock().is_some(),
                endpoint.pipe().is_some(),
                endpoint.inherited().is_some(),
            ];
            assert_eq!(kinds.iter().filter(|is| **is).count(), 1, "{endpoint}");
            let moved = endpoint.with_port(7);
            assert_eq!(moved.port().is_some(), kinds[0] || kinds[1]);
            assert_eq!(moved.to_string().parse::<Endpoint>().as_ref(), Ok(&moved));
        }
        Err(error) => {
            let columns = text.chars().count() + 1;
            assert!((1..=columns).contains(&error.column()), "{error}");
            assert_eq!(error.text(), text);
            assert!(!error.to_string().contains(char::is_control), "{error} is not one line");
        }
    }
    match (parse_ip(text), text.parse::<std::net::IpAddr>()) {
        (Ok(ip), std) => {
            assert_eq!(parse_ip(&ip.to_string()), Ok(ip));
            // std reads what has all its fields; the rest is `inet_aton`'s.
            assert!(std == Ok(ip) || std.is_err() && !text.contains(':'), "{text:?}");
        }
        (Err(error), std) => {
            assert!(std.is_err(), "{text:?}: {error}");
            assert!((1..=text.len() + 1).contains(&error.column()), "{error}");
        }
    }
});

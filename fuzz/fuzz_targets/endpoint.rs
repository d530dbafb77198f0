//! What parses as an endpoint prints as one line that parses to the same; what does not, says
//! where within the text it is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reseau::Endpoint;

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
            }
        }
        Err(error) => {
            let columns = text.chars().count() + 1;
            assert!((1..=columns).contains(&error.column()), "{error}");
            assert_eq!(error.text(), text);
            assert!(!error.to_string().contains(char::is_control), "{error} is not one line");
        }
    }
});

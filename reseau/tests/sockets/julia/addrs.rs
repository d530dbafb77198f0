//! Addresses, and names of hosts.
use proptest::prelude::*;
use reseau::sockets::julia::{
    Error, IPAddr, IPv4, IPv6, InetAddr, getaddrinfo, getaddrinfo_as, getalladdrinfo, getipaddr,
    getipaddr_as, getipaddrs, getipaddrs_as, getnameinfo, islinklocaladdr, localhost,
};

use crate::watched;

#[test]
fn a84_names_have_addresses_and_addresses_have_names() {
    watched(|| {
        assert!(getaddrinfo("localhost").is_ok());
        assert!(!getalladdrinfo("localhost").unwrap().is_empty());
        assert!(!getnameinfo(localhost).unwrap().is_empty());
    });
}

#[test]
fn a86_address_types() {
    let v4: IPAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(v4, IPAddr::IPv4(localhost));
    let addr = InetAddr { host: localhost, port: 80 };
    assert_eq!(addr.widen(), InetAddr::parse("127.0.0.1", 80).unwrap());
    assert_eq!(std::net::IpAddr::from(v4), std::net::Ipv4Addr::LOCALHOST);
    for (host, port) in [("127.0.0.1", 65536), ("127.0.0.1", -1), ("nonsense", 80), ("", 80)] {
        assert!(matches!(InetAddr::parse(host, port), Err(Error::ArgumentError(_))), "{host}");
    }
}

#[test]
fn a102_getalladdrinfo() {
    watched(|| {
        for ip in getalladdrinfo("localhost").unwrap() {
            assert!(std::net::IpAddr::from(ip).is_loopback(), "{ip}");
        }
        let error = getalladdrinfo("name.invalid").unwrap_err();
        let Error::DNSError { host, .. } = &error else { panic!("{error}") };
        assert_eq!(host, "name.invalid");
        let long = "a".repeat(300);
        for wrong in ["", "a\0b", "a..b", long.as_str()] {
            let error = getalladdrinfo(wrong).unwrap_err();
            assert!(matches!(error, Error::ArgumentError(_)), "{wrong:?}: {error}");
        }
    });
}

#[test]
fn a103_getaddrinfo_by_family() {
    watched(|| {
        assert_eq!(getaddrinfo("127.0.0.1").unwrap(), localhost.into());
        assert_eq!(getaddrinfo_as::<IPv4>("localhost").unwrap(), localhost);
        assert_eq!(getaddrinfo_as::<IPv6>("::1").unwrap(), IPv6(1));
        assert_eq!(getaddrinfo("::1").unwrap(), getalladdrinfo("::1").unwrap()[0]);
        let error = getaddrinfo_as::<IPv4>("::1").unwrap_err();
        assert!(matches!(error, Error::DNSError { .. }), "{error}");
    });
}

#[test]
fn a104_getnameinfo_gives_a_name_or_the_number() {
    watched(|| {
        assert!(!getnameinfo(localhost).unwrap().is_empty());
        // Nobody's (RFC 5737), so that nobody has named it.
        assert_eq!(getnameinfo(IPv4::from([192, 0, 2, 1])).unwrap(), "192.0.2.1");
    });
}

#[test]
fn a105_getipaddrs() {
    let usual = getipaddrs().unwrap();
    let all: Vec<IPAddr> = getipaddrs_as(true).unwrap();
    assert!(all.contains(&localhost.into()));
    for ip in &usual {
        assert!(!std::net::IpAddr::from(*ip).is_loopback() && all.contains(ip), "{ip}");
    }
    let (v4, v6) = (getipaddrs_as::<IPv4>(true).unwrap(), getipaddrs_as::<IPv6>(true).unwrap());
    assert_eq!(v4.len() + v6.len(), all.len());
    assert!(getipaddrs_as::<IPv4>(false).unwrap().iter().all(|ip| *ip != localhost));
}

#[test]
fn a106_getipaddr_prefers_ipv4() {
    let addrs = getipaddrs().unwrap();
    let v4 = addrs.iter().find(|ip| matches!(ip, IPAddr::IPv4(_)));
    match getipaddr() {
        Ok(ip) => assert_eq!(Some(&ip), v4.or_else(|| addrs.first())),
        Err(error) => {
            assert!(addrs.is_empty());
            assert!(matches!(&error, Error::ErrorException(_)), "{error}");
            assert_eq!(error.to_string(), "No networking interface available");
        }
    }
    let v6 = getipaddr_as::<IPv6>();
    assert_eq!(v6.is_ok(), addrs.iter().any(|ip| matches!(ip, IPAddr::IPv6(_))));
}

#[test]
fn a107_link_local_addresses() {
    for (text, is) in [
        ("169.254.0.0", true),
        ("169.254.255.255", true),
        ("169.253.255.255", false),
        ("169.255.0.0", false),
        ("fe80::", true),
        ("febf:ffff::1", true),
        ("fec0::", false),
        ("fe7f::", false),
        ("::1", false),
    ] {
        assert_eq!(islinklocaladdr(text.parse::<IPAddr>().unwrap()), is, "{text}");
    }
}

#[test]
fn a108_addresses_are_printed_as_julia_prints_them() {
    let ip = |text: &str| text.parse::<IPAddr>().unwrap();
    for (text, printed) in [
        ("192.30.252.154", "192.30.252.154"),
        ("0", "0.0.0.0"),
        ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:0DB8::1", "2001:db8::1"),
        ("::", "::"),
        ("1::", "1::"),
        ("0:0:1:0:0:0:1:0", "0:0:1::1:0"),
        ("1:0:0:2:0:0:3:4", "1::2:0:0:3:4"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("::ffff:192.0.2.1", "::ffff:c000:201"),
        ("::192.0.2.1", "::c000:201"),
    ] {
        assert_eq!(ip(text).to_string(), printed);
        assert_eq!(format!("{:?}", ip(text)), format!("ip\"{printed}\""));
    }
    let addr = InetAddr { host: localhost, port: 8000 };
    assert_eq!(format!("{addr:?}"), r#"InetAddr{IPv4}(ip"127.0.0.1", 8000)"#);
    let addr = InetAddr { host: ip("::1"), port: 80 };
    assert_eq!(format!("{addr}"), r#"InetAddr{IPv6}(ip"::1", 80)"#);
}

#[test]
fn a108_addresses_of_one_family_have_the_order_of_their_numbers() {
    assert!(IPv4(1) < IPv4(2) && IPv6(1) < IPv6(1 << 127));
    let (v4, v6) = (IPAddr::from(IPv4(1)), IPAddr::from(IPv6(1)));
    assert_eq!((v4.partial_cmp(&v6), v6.partial_cmp(&v4)), (None, None));
    assert_ne!(v4, v6);
    assert!(v4 < IPv4(2).into());
}

#[test]
fn a108_addresses_are_numbers_and_back() {
    assert_eq!((u32::from(localhost), u128::from(IPv6(7))), (0x7f00_0001, 7));
    assert_eq!(IPv4::try_from(3_223_256_218_i64).unwrap().to_string(), "192.30.252.154");
    for wrong in [-1_i64, 1 << 32] {
        let error = IPv4::try_from(wrong).unwrap_err();
        assert!(matches!(error, Error::ArgumentError(_)), "{error}");
    }
    assert!(IPv4::try_from(u128::MAX).is_err() && IPv6::try_from(-1).is_err());
}

#[test]
fn a109_addresses_are_parsed_as_julia_parses_them() {
    for (text, host) in [
        ("127.0.0.1", 0x7f00_0001),
        ("127.1", 0x7f00_0001),
        ("127.0.1", 0x7f00_0001),
        ("1.2.65535", 0x0102_ffff),
        ("1.16777215", 0x01ff_ffff),
        ("4294967295", u32::MAX),
    ] {
        assert_eq!(text.parse::<IPv4>().unwrap(), IPv4(host), "{text}");
    }
    for wrong in [
        "",
        ".",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.65536",
        "1.16777216",
        "4294967296",
        "256.1",
        "01.2.3.4",
        "1.2.3.00",
        "1..2",
        "1.2.3.",
        "a.b.c.d",
        "+1.2.3.4",
        "1.2.3.4 ",
        "99999999999999999999",
    ] {
        let error = wrong.parse::<IPv4>().unwrap_err();
        assert!(matches!(error, Error::ArgumentError(_)), "{wrong}: {error}");
    }
    for wrong in ["1:2:3:4:5:6:7:8:9", ":", "12345::", "::1.2.3", "1::2::3", "g::"] {
        assert!(wrong.parse::<IPAddr>().is_err(), "{wrong}");
    }
    assert_eq!("::1.2.3.4".parse::<IPAddr>().unwrap(), IPv6(0x0102_0304).into());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_address_prints_to_what_parses_to_itself(v4: u32, v6: u128) {
        for ip in [IPAddr::from(IPv4(v4)), IPAddr::from(IPv6(v6))] {
            prop_assert_eq!(ip.to_string().parse::<IPAddr>().unwrap(), ip);
        }
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "[0-9a-f.:]{0,24}|\\PC{0,12}") {
        let _ = (text.parse::<IPv4>(), text.parse::<IPAddr>());
    }
}

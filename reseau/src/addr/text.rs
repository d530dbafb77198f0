//! Addresses from text: the endpoints that say an address whole, and whatever an address prints.
use std::str::FromStr;

use super::draft::Draft;
use super::endpoint::{Gate, Host, Place};
use super::refusal::{EndpointError, EndpointPart};
use super::{Addr, PipeName, Scheme, UnixAddr};

/// Reads what an [`Addr`] prints: an [`Endpoint`](crate::Endpoint) without a name, a service or a
/// scheme, whose zone is a number; or `(unnamed)`.
///
/// ```
/// use reseau::Addr;
/// let addr: Addr = "[fe80::1%3]:80".parse()?;
/// assert_eq!(addr.to_string(), "[fe80::1%3]:80");
/// let error = "[fe80::1%eth0]:80".parse::<Addr>().unwrap_err();
/// assert_eq!(error.column(), 10);
/// # Ok::<(), reseau::addr::EndpointError>(())
/// ```
impl FromStr for Addr {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text == UNNAMED {
            return Ok(Self::Unix(UnixAddr::unnamed()));
        }
        let draft = Draft(text);
        let (host, port) = match draft.place()? {
            Place::Unix(addr) => return Ok(Self::Unix(addr)),
            Place::Vsock(addr) => return Ok(Self::Vsock(addr)),
            Place::Pipe(name) => return Ok(Self::Pipe(name)),
            Place::Inherited(_) => {
                let why = "is not an address: it has one of its own";
                return Err(draft.fail(EndpointPart::Descriptor, 0, text, why));
            }
            Place::Net { scheme: Scheme::Plain, host, gate: Gate::Port(port) } => (host, port),
            Place::Net { scheme: Scheme::Plain, gate: Gate::Service(name), .. } => {
                let at = text.len() - name.len();
                return Err(draft.fail(EndpointPart::Service, at, &name, "is not a number"));
            }
            Place::Net { scheme, .. } => {
                let found = scheme.to_string();
                let why = "is not part of an address";
                return Err(draft.fail(EndpointPart::Scheme, 0, &found, why));
            }
        };
        match host {
            Some(Host::V4(ip)) => Ok(Self::Inet((ip, port).into())),
            Some(Host::V6(ip, zone)) => {
                let zone = zone.unwrap_or_else(|| "0".into());
                let index = zone.parse().map_err(|_| {
                    let at = text.find('%').map_or(0, |sign| sign + 1);
                    draft.fail(EndpointPart::Zone, at, &zone, "is not a number")
                })?;
                Ok(Self::Inet(std::net::SocketAddrV6::new(ip, port, 0, index).into()))
            }
            Some(Host::Name(name)) => {
                let why = "is a name: an address has a number";
                Err(draft.fail(EndpointPart::Host, 0, &name, why))
            }
            None => Err(draft.fail(EndpointPart::Host, 0, "", "is missing: write host:port")),
        }
    }
}

/// Reads what a [`UnixAddr`] prints: `unix:/path`, `unix:@name` or `(unnamed)`.
impl FromStr for UnixAddr {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        match text.parse()? {
            Addr::Unix(addr) => Ok(addr),
            _ => Err(of_another_kind(text, "is not that of a Unix socket: write unix:/path")),
        }
    }
}

/// Reads what a [`PipeName`] prints, `npipe:name`, and its path.
impl FromStr for PipeName {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        match text.parse()? {
            Addr::Pipe(name) => Ok(name),
            _ => Err(of_another_kind(text, "is not that of a pipe: write npipe:name")),
        }
    }
}

fn of_another_kind(text: &str, why: &'static str) -> EndpointError {
    Draft(text).fail(EndpointPart::Scheme, 0, "", why)
}

/// What a socket's address without a name prints.
const UNNAMED: &str = "(unnamed)";

/// Addresses as text for whoever serializes them, in binary formats as well: a number of an
/// interface or a path has no other form that all systems share.
#[cfg(feature = "serde")]
mod with_serde {
    use std::fmt;
    use std::marker::PhantomData;
    use std::str::FromStr;

    use serde::de::{self, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::addr::{Addr, Endpoint, PipeName, UnixAddr, VsockAddr};

    /// Reads a text of one of these kinds.
    struct Reader<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Reader<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    macro_rules! as_text {
        ($($name:ident: $what:literal,)*) => {$(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_str(Reader($what, PhantomData))
                }
            }
        )*};
    }

    as_text! {
        Endpoint: "an endpoint, such as \"example.com:https\" or \"unix:/path\"",
        Addr: "an address, such as \"127.0.0.1:80\" or \"unix:/path\"",
        UnixAddr: "the address of a Unix socket, such as \"unix:/path\"",
        VsockAddr: "the address of a vsock, such as \"vsock:2:1024\"",
        PipeName: "the name of a pipe, such as \"npipe:echo\"",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::addr::VsockAddr;

    #[test]
    fn what_is_no_address_is_told_with_its_part() {
        for (text, part, column) in [
            ("a.b:80", EndpointPart::Host, 1),
            (":80", EndpointPart::Host, 1),
            ("127.0.0.1:http", EndpointPart::Service, 11),
            ("[::1%lo]:80", EndpointPart::Zone, 6),
            ("tcp://127.0.0.1:80", EndpointPart::Scheme, 1),
            ("fd:3", EndpointPart::Descriptor, 1),
            ("127.0.0.1", EndpointPart::Port, 10),
        ] {
            let error = text.parse::<Addr>().expect_err(text);
            assert_eq!((error.part(), error.column()), (part, column), "{error}");
        }
        let error = "127.0.0.1:80".parse::<UnixAddr>().unwrap_err();
        assert_eq!(error.part(), EndpointPart::Scheme, "{error}");
        let error = "unix:/x".parse::<PipeName>().unwrap_err();
        assert_eq!(error.part(), EndpointPart::Scheme, "{error}");
        assert!("(unnamed)".parse::<UnixAddr>().unwrap().is_unnamed());
    }

    fn addrs() -> impl Strategy<Value = Addr> {
        prop_oneof![
            any::<std::net::SocketAddr>().prop_map(|mut addr| {
                if let std::net::SocketAddr::V6(addr) = &mut addr {
                    addr.set_flowinfo(0); // It has no text.
                }
                Addr::from(addr)
            }),
            "[^\0]{1,20}".prop_map(|path| UnixAddr::from_pathname(path).unwrap().into()),
            any::<(u32, u32)>().prop_map(|(cid, port)| VsockAddr::new(cid, port).into()),
            r"[a-zA-Z0-9][a-z\\ ]{0,9}".prop_map(|name| PipeName::new(name).unwrap().into()),
            Just(UnixAddr::unnamed().into()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_prints_parses(addr in addrs()) {
            prop_assert_eq!(addr.to_string().parse(), Ok(addr.clone()));
            match addr {
                Addr::Unix(addr) => prop_assert_eq!(addr.to_string().parse(), Ok(addr)),
                Addr::Pipe(name) => prop_assert_eq!(name.to_string().parse(), Ok(name)),
                _ => {}
            }
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_has_the_text() {
        use std::fmt;

        use serde::de::value::{Error, StrDeserializer, StringDeserializer, U32Deserializer};
        use serde::de::{Deserialize, IntoDeserializer};
        use serde::ser::Serialize;

        use crate::addr::Endpoint;

        /// serde writes simple values into formatters.
        struct Written<T>(T);

        impl<T: Serialize> fmt::Display for Written<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.serialize(f)
            }
        }

        fn same<T>(text: &str)
        where
            T: for<'de> Deserialize<'de> + Serialize + FromStr + PartialEq + fmt::Debug,
        {
            let borrowed: StrDeserializer<'_, Error> = text.into_deserializer();
            let owned: StringDeserializer<Error> = text.to_owned().into_deserializer();
            for value in [T::deserialize(borrowed), T::deserialize(owned)] {
                let value = value.unwrap_or_else(|error| panic!("{text}: {error}"));
                assert_eq!(Some(&value), text.parse().ok().as_ref());
                assert_eq!(Written(value).to_string(), text);
            }
        }

        for text in ["tls://example.com:https", "[::1%lo]:80", "unix:/a%0A", "fd:3"] {
            same::<Endpoint>(text);
        }
        for text in ["127.0.0.1:80", "[fe80::1%3]:80", "vsock:2:80", "npipe:x", "(unnamed)"] {
            same::<Addr>(text);
        }
        same::<UnixAddr>("unix:/x");
        same::<VsockAddr>("vsock:2:80");
        same::<PipeName>("npipe:x");
        let text: StrDeserializer<'_, Error> = "[::1]:99999".into_deserializer();
        let error = Endpoint::deserialize(text).unwrap_err().to_string();
        assert!(error.contains("at column 7 is larger than 65535"), "{error}");
        let number: U32Deserializer<Error> = 80_u32.into_deserializer();
        let error = VsockAddr::deserialize(number).unwrap_err().to_string();
        assert!(error.contains("expected the address of a vsock"), "{error}");
    }
}

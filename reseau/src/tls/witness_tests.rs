use super::*;

fn der(subject: &[(rcgen::DnType, &str)]) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    params.not_before = rcgen::date_time_ymd(2001, 2, 3);
    params.not_after = rcgen::date_time_ymd(2051, 4, 5);
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn names_and_days_are_those_of_the_certificate() {
    use rcgen::DnType::{CommonName, CountryName, OrganizationName};
    let long = "n".repeat(70);
    let cases = [
        (&[(OrganizationName, "Firm"), (CommonName, "host")][..], "host"),
        (&[(CountryName, "CH"), (OrganizationName, "Firm")], "Firm"),
        (&[(CommonName, "two\nlines")], "two\\nlines"),
        (&[(CommonName, &*long)], &*format!("{}…", "n".repeat(64))),
        (&[], "nobody by name"),
    ];
    for (subject, told) in cases {
        let der = der(subject);
        let paper = Paper::read(&der).unwrap();
        assert_eq!((&*paper.subject, &*paper.issuer), (told, told));
        assert_eq!(paper.days, [&b"010203000000Z"[..], b"20510405000000Z"]);
        // However it is cut, nothing breaks.
        for end in 0..der.len() {
            let _ = Paper::read(&der[..end]);
            let mut bent = der.clone();
            bent[end] ^= 0x85;
            let _ = Paper::read(&bent);
        }
    }
}

#[test]
fn the_one_that_is_meant_has_the_date() {
    use rcgen::DnType::CommonName;
    let mut chain = vec![der(&[(CommonName, "host")]), der(&[(CommonName, "between")])];
    let late = b"20510405000000Z";
    let at = chain[0].windows(late.len()).position(|text| text == late).unwrap();
    chain[0][at + 3] = b'2'; // 2052
    let at = |secs| UnixTime::since_unix_epoch(std::time::Duration::from_secs(secs));
    let not_after = at(2_564_265_600); // 2051-04-05
    let expired = CertificateError::ExpiredContext { time: at(2_600_000_000), not_after };
    let refused = Refused(chain);
    let told = refused.names(&expired.into()).unwrap();
    assert_eq!(told, "it is that of between, issued by between");
    let unknown = CertificateError::UnknownIssuer;
    let told = refused.names(&unknown.into()).unwrap();
    assert_eq!(told, "it is that of host, issued by host");
    assert!(refused.names(&Error::DecryptError).is_none());
}

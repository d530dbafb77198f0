//! What an error says of a certificate: which check it did not pass, with the dates and names.
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer};
use rcgen::{KeyPair, date_time_ymd};
use reseau::tls::{Broken, Client, Identity, Roots, Server};

use crate::backends::tcp_pair;
use crate::stage::watched;

/// An issuer of this name, with a key of its own.
fn issuer(name: &str) -> (Roots, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    (Roots::from_pem(pem.as_bytes()).unwrap(), Issuer::new(params, key))
}

/// The identity of `host`, at `localhost`.
fn host(
    issuer: &Issuer<'static, KeyPair>,
    change: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "host");
    change(&mut params);
    let cert = params.signed_by(&key, issuer).unwrap();
    Identity::from_pem(cert.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

/// What a client says that trusts these.
fn refusal(roots: Roots, identity: Identity, name: &'static str) -> String {
    watched(move || {
        reseau::block_on(async {
            let (a, b) = tcp_pair().await;
            let server = Server::new(&identity);
            let accepting = reseau::spawn(async move { b.start_tls(&server).await.unwrap_err() });
            let client = Client::new().trust_only(&roots);
            let told = a.start_tls(client.to(name)).await.unwrap_err();
            let broken = Broken::of(&told).expect("it is about TLS");
            assert!(broken.is_certificate() && broken.in_handshake());
            let heard = accepting.await.unwrap().to_string();
            assert!(heard.starts_with("accept: tls: the peer refuses: "), "{heard}");
            told.to_string()
        })
    })
}

#[test]
fn it_has_expired() {
    let (roots, issuer) = issuer("House");
    let told = refusal(
        roots,
        host(&issuer, |own| {
            own.not_before = date_time_ymd(2020, 1, 1);
            own.not_after = date_time_ymd(2020, 2, 1);
        }),
        "localhost",
    );
    let (head, tail) = told.split_once(" days ago").unwrap();
    assert_eq!(tail, " (on 2020-02-01); it is that of host, issued by House");
    let days = head.strip_prefix("connect: tls: certificate expired ").unwrap();
    assert!(days.parse::<u32>().unwrap() > 2000, "{told}");
}

#[test]
fn it_does_not_hold_yet() {
    let (roots, issuer) = issuer("House");
    let early = |own: &mut CertificateParams| {
        own.not_before = date_time_ymd(2199, 1, 1);
        own.not_after = date_time_ymd(2199, 2, 1);
    };
    let told = refusal(roots, host(&issuer, early), "localhost");
    let (head, tail) = told.split_once(" days ").unwrap();
    assert_eq!(tail, "(on 2199-01-01); it is that of host, issued by House");
    let start = "connect: tls: certificate not valid yet, but in ";
    assert!(head.strip_prefix(start).unwrap().parse::<u32>().unwrap() > 30_000, "{told}");
}

#[test]
fn its_issuer_is_not_known() {
    let (_, issuer_of_it) = issuer("Stranger");
    let (roots, _) = issuer("House");
    let told = refusal(roots, host(&issuer_of_it, |_| ()), "localhost");
    assert_eq!(
        told,
        "connect: tls: certificate's issuer is not among those that are trusted; \
         it is that of host, issued by Stranger"
    );
}

#[test]
fn its_issuer_has_another_key() {
    // Of the same name, so that the signature is looked at.
    let (_, forger) = issuer("House");
    let (roots, _) = issuer("House");
    let told = refusal(roots, host(&forger, |_| ()), "localhost");
    assert_eq!(
        told,
        "connect: tls: certificate's signature is not by the key it should be by; \
         it is that of host, issued by House"
    );
}

#[test]
fn it_is_for_another_name() {
    let (roots, issuer) = issuer("House");
    let told = refusal(roots, host(&issuer, |_| ()), "elsewhere.example");
    assert_eq!(
        told,
        "connect: tls: certificate is not for elsewhere.example, but for localhost; \
         it is that of host, issued by House"
    );
}

#[test]
fn it_is_for_another_purpose() {
    let (roots, issuer) = issuer("House");
    let for_clients = |own: &mut CertificateParams| {
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    let told = refusal(roots, host(&issuer, for_clients), "localhost");
    assert_eq!(
        told,
        "connect: tls: certificate is not for server authentication, \
         but for client authentication; it is that of host, issued by House"
    );
}

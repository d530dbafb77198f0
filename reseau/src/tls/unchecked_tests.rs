use std::sync::LazyLock;

use crate::tls::engine::tests::{authority, engines, settle};
use crate::tls::{Broken, Client, ClientCerts, Identity, Roots, Server, Version};

/// An authority, whom it has issued a certificate, and somebody with that certificate who has
/// another key.
static PAPERS: LazyLock<(Roots, Identity, Identity)> = LazyLock::new(|| {
    let (roots, known) = authority();
    let (_, other) = authority();
    let forged = Identity::forged(&known, &other);
    (roots, known, forged)
});

fn meet(client: &Client, server: &Server) -> Result<(), Broken> {
    let (mut a, mut b) = engines(client, server);
    settle(&mut a, &mut b)
}

const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

#[test]
fn who_shows_a_certificate_has_its_key() {
    let (roots, known, forged) = &*PAPERS;
    for version in VERSIONS {
        let trusts = Client::new().newest(version).trust_only(roots);
        let anybody = Client::new().newest(version).danger_accept_any_certificate();
        for client in [&trusts, &anybody] {
            meet(client, &Server::new(known)).unwrap();
            let broken = meet(client, &Server::new(forged)).unwrap_err();
            assert!(broken.to_string().contains("signature is not"), "{version}: {broken}");
        }
        let asks = [
            ClientCerts::Request,
            ClientCerts::RequireAny,
            ClientCerts::VerifyIfGiven(roots.clone()),
            ClientCerts::RequireAndVerify(roots.clone()),
        ];
        for ask in asks {
            let server = Server::new(known).client_certs(ask.clone());
            meet(&trusts.clone().identity(known), &server).unwrap();
            let broken = meet(&trusts.clone().identity(forged), &server).unwrap_err();
            assert!(
                broken.to_string().contains("signature is not"),
                "{version}, {ask:?}: {broken}"
            );
        }
    }
}

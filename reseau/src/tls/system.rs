//! What the system trusts, as the system sees it.
use std::io;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls_platform_verifier::Verifier;

use super::Roots;

/// Trusts whom the system trusts.
pub(super) fn verifier(provider: Arc<CryptoProvider>) -> io::Result<Arc<dyn ServerCertVerifier>> {
    Ok(Arc::new(Verifier::new(provider).map_err(rootless)?))
}

/// Trusts whom the system trusts, and these.
#[cfg(not(target_os = "android"))]
pub(super) fn verifier_and(
    provider: Arc<CryptoProvider>,
    roots: &Roots,
) -> io::Result<Arc<dyn ServerCertVerifier>> {
    let verifier = Verifier::new_with_extra_roots(roots.list(), provider);
    Ok(Arc::new(verifier.map_err(rootless)?))
}

/// The verifier of Android takes none but its own.
#[cfg(target_os = "android")]
pub(super) fn verifier_and(
    _: Arc<CryptoProvider>,
    _: &Roots,
) -> io::Result<Arc<dyn ServerCertVerifier>> {
    let what = "Android trusts its own roots or given ones, and not both";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

/// Nobody is trusted here: the fault of the machine, and not of whoever asks.
fn rootless(error: rustls::Error) -> io::Error {
    let why = match error {
        rustls::Error::General(why) => why,
        other => other.to_string(),
    };
    io::Error::new(io::ErrorKind::NotFound, format!("whom the system trusts is not known: {why}"))
}

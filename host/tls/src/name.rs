//! Who a client certificate is for.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The name in a certificate that was verified: its first URI (a SPIFFE id is
/// one), else its first DNS name. The subject names nobody: its text has no
/// one form (RFC 9525, section 2).
pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let name = certificate.valid_uri_names().next().or_else(|| certificate.valid_dns_names().next());
    name.map(str::to_owned)
}

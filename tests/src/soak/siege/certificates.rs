//! The gate's certificate, and that of an operator: one CA vouches for both.

use anyhow::Result;
use barmkin_tls::{ClientFiles, ClientTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;

/// Settings of the gate's own, below its folder.
pub(super) const SETTINGS: &str = r#"certificate = "secrets/gate.pem", key = "secrets/gate.key""#;

/// PEM of each file.
pub(super) struct Certificates {
    ca: String,
    certificate: String,
    key: String,
}

impl Certificates {
    pub(super) fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &ca)?;
        Ok(Self { ca: ca.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Names of files, and what is in them.
    pub(super) fn files(&self) -> [(&'static str, &str); 3] {
        [("ca.pem", &self.ca), ("gate.pem", &self.certificate), ("gate.key", &self.key)]
    }

    /// A client with these `files`.
    pub(super) fn client(files: &Path) -> Result<ClientTls> {
        let identity = Some((files.join("gate.pem"), files.join("gate.key")));
        Ok(ClientTls::load(&ClientFiles { ca: files.join("ca.pem"), identity })?)
    }
}

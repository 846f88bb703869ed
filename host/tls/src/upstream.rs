//! The side of TLS that connects to upstreams, by files that may change.

use crate::error::TlsError;
use crate::files::{self, Identity};
use crate::fresh;
use crate::pin::Pin;
use crate::server::Protocols;
use crate::version::LeastVersion;
use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// By what an upstream is known, and what shows it who its client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamFiles {
    /// By what it is known.
    pub trust: Trust,
    /// The client's certificate with its chain, and its private key, PEM; none
    /// is shown if there is none here.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The least version of TLS that is spoken.
    pub least_version: LeastVersion,
}

/// By what an upstream is known. Each of them proves that it has the key of the
/// certificate that it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A CA vouches for it, by its name and at this time.
    Roots {
        /// Certificates of the CAs, PEM; the machine's own list if there is none
        /// here, which is read once.
        roots: Option<PathBuf>,
        /// The only keys that it may have besides; any if empty.
        pins: Vec<Pin>,
    },
    /// It has one of these keys, whatever else its certificate says: its name, its
    /// time and who signed it do not count. Without any, nobody is trusted.
    Pins(Vec<Pin>),
}

/// The side of TLS that connects to an upstream, by files that may change.
pub struct UpstreamTls {
    files: UpstreamFiles,
    /// The machine's own list, where it counts.
    system: Option<Arc<RootCertStore>>,
    current: ArcSwap<Current>,
}

struct Current {
    config: Arc<ClientConfig>,
    fingerprint: u64,
    /// Changes before it.
    changes: u64,
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl UpstreamTls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn load(files: UpstreamFiles) -> Result<Arc<Self>, TlsError> {
        let system = match &files.trust {
            Trust::Roots { roots: None, .. } => Some(Arc::new(system_roots()?)),
            _ => None,
        };
        let (config, fingerprint) = configure(&files, system.as_ref())?;
        let current = Current { config, fingerprint, changes: 0 };
        Ok(Arc::new(Self { files, system, current: ArcSwap::from_pointee(current) }))
    }

    /// Reads the files again, and says whether they have changed. Sessions are not
    /// resumed across a change.
    ///
    /// # Errors
    /// When what is new cannot be used: what was read before stays in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let (config, fingerprint) = configure(&self.files, self.system.as_ref())?;
        let current = self.current.load();
        if fingerprint == current.fingerprint {
            return Ok(false);
        }
        self.current.store(Arc::new(Current { config, fingerprint, changes: current.changes + 1 }));
        Ok(true)
    }

    /// Takes over what changes in the files, until it is dropped.
    pub async fn keep_fresh(self: &Arc<Self>) {
        let roots = match &self.files.trust {
            Trust::Roots { roots, .. } => roots.as_ref(),
            Trust::Pins(_) => None,
        };
        let named = self.files.identity.as_ref().map(|(certificate, _)| certificate).or(roots);
        let Some(named) = named else { return std::future::pending().await };
        let this = self.clone();
        fresh::keep(&named.display().to_string(), move || this.reload()).await;
    }

    /// How often the files have changed: a connection that was made before is not
    /// for further requests.
    pub fn changes(&self) -> u64 {
        self.current.load().changes
    }

    /// Shakes hands with the upstream, which must be `name`, a name or an address.
    ///
    /// # Errors
    /// When it does not, or cannot prove that it is. Whether it accepts the
    /// client's certificate is seen with its first answer only.
    pub async fn connect(&self, name: &str, stream: TcpStream, offer: Protocols) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.current.load().config.clone());
        connector.with_alpn(offer.iter().map(|protocol| protocol.to_vec()).collect()).connect(name, stream).await
    }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    match roots.add_parsable_certificates(found.certs) {
        (0, _) => Err(TlsError::NoSystemRoots),
        _ => Ok(roots),
    }
}

/// Reads the files, and says by a number whether they hold the same as before.
fn configure(files: &UpstreamFiles, system: Option<&Arc<RootCertStore>>) -> Result<(Arc<ClientConfig>, u64), TlsError> {
    let mut hasher = DefaultHasher::new();
    let provider = Arc::new(ring::default_provider());
    let (roots, pins) = match &files.trust {
        Trust::Pins(pins) => (None, pins),
        Trust::Roots { roots: None, pins } => (system.cloned(), pins),
        Trust::Roots { roots: Some(path), pins } => {
            let bytes = files::read(path)?;
            bytes.hash(&mut hasher);
            let unusable = |source| TlsError::ServerCa { path: path.clone(), source };
            (Some(Arc::new(files::roots(&bytes, path, unusable)?)), pins)
        }
    };
    let roots = roots.map(|roots| WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build());
    // It fails without roots only, of which there are some.
    let roots = roots.transpose().map_err(|_| TlsError::NoSystemRoots)?;
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Verifier { roots, pins: pins.clone(), algorithms };
    let identity = files.identity.as_ref().map(|(certificate, key)| -> Result<Identity, TlsError> {
        let (chain, private) = (files::read(certificate)?, files::read_key(key)?);
        (&chain, private.as_slice()).hash(&mut hasher);
        Ok((files::certificates(&chain, certificate)?, files::private_key(&private, key)?))
    });
    let unusable = |source| match &files.identity {
        Some((certificate, key)) => {
            TlsError::Certificate { certificate: certificate.clone(), key: key.clone(), source }
        }
        None => TlsError::NoSystemRoots,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(files.least_version.spoken())
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match identity.transpose()? {
        Some((chain, private)) => config.with_client_auth_cert(chain, private).map_err(unusable)?,
        None => config.with_no_client_auth(),
    };
    Ok((Arc::new(config), hasher.finish()))
}

/// Verifies by roots, by pins, or by both; by neither, nobody.
#[derive(Debug)]
struct Verifier {
    roots: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<Pin>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A server has another key.
#[derive(thiserror::Error)]
#[error("the server's key is `{0}`, which is not pinned")]
struct NotPinned(Pin);

/// rustls shows what it knows no words for as it is for debugging.
impl fmt::Debug for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let verified = roots.verify_server_cert(certificate, chain, name, ocsp, now)?;
            if self.pins.is_empty() {
                return Ok(verified);
            }
        }
        let shown = Pin::of(certificate)?;
        if self.pins.contains(&shown) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(NotPinned(shown)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

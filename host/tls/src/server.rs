//! A server's side of TLS.

use crate::accepted::Accepted;
use crate::error::TlsError;
use crate::files::{Contents, ServerFiles};
use crate::fresh;
use crate::stream::Stream;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// How long a handshake may take: two round trips to the far side of the
/// world, and one lost packet.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// The protocols spoken inside (RFC 7301), the most wanted first.
pub type Protocols = &'static [&'static [u8]];

/// HTTP/1.1.
pub const HTTP1: Protocols = &[b"http/1.1"];

/// HTTP/2, for gRPC.
pub const HTTP2: Protocols = &[b"h2"];

/// HTTP/2, and HTTP/1.1 for those who do not speak it.
pub const HTTP: Protocols = &[b"h2", b"http/1.1"];

/// A server's side of TLS, by files that may change.
pub struct ServerTls {
    files: ServerFiles,
    protocols: Protocols,
    current: ArcSwap<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    fingerprint: u64,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn load(files: ServerFiles, protocols: Protocols) -> Result<Arc<Self>, TlsError> {
        let contents = files.read()?;
        let current = Current::of(&files, &contents, protocols)?;
        Ok(Arc::new(Self { files, protocols, current: ArcSwap::from_pointee(current) }))
    }

    /// Reads the files again, and says whether they have changed. Connections
    /// that are open go on as they began; sessions are not resumed across a
    /// change, so that a client whose CA is gone does not come back.
    ///
    /// # Errors
    /// When what is new cannot be used: what was read before stays in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let contents = self.files.read()?;
        if contents.fingerprint() == self.current.load().fingerprint {
            return Ok(false);
        }
        self.current.store(Arc::new(Current::of(&self.files, &contents, self.protocols)?));
        Ok(true)
    }

    /// Takes over what changes in the files, until it is dropped.
    pub async fn keep_fresh(self: &Arc<Self>) {
        let this = self.clone();
        fresh::keep(&self.files.certificate.display().to_string(), move || this.reload()).await;
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// When it does not, or not in time, or cannot prove who it is.
    pub async fn accept(&self, stream: impl Into<Accepted>) -> io::Result<Stream> {
        let acceptor = TlsAcceptor::from(self.current.load().config.clone());
        let accepted = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream.into())).await;
        accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(Stream::from)
    }
}

impl Current {
    fn of(files: &ServerFiles, contents: &Contents, protocols: Protocols) -> Result<Self, TlsError> {
        let unusable =
            |source| TlsError::Certificate { certificate: files.certificate.clone(), key: files.key.clone(), source };
        let provider = Arc::new(ring::default_provider());
        let verifier = match files.roots(contents)? {
            None => WebPkiClientVerifier::no_client_auth(),
            Some((clients, roots)) => {
                let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
                if !clients.required {
                    verifier = verifier.allow_unauthenticated();
                }
                verifier.build().map_err(|error| TlsError::client_ca(&clients.ca, error))?
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(files.least_version.spoken())
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(files.chain(contents)?, files.private_key(contents)?)
            .map_err(unusable)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Self { config: Arc::new(config), fingerprint: contents.fingerprint() })
    }
}

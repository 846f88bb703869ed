//! A client's side of TLS.

use crate::error::TlsError;
use crate::files::ClientFiles;
use crate::server::HANDSHAKE_MAX;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A client's side of TLS: of a command, which reads its files once.
#[derive(Clone, Debug)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn load(files: &ClientFiles) -> Result<Self, TlsError> {
        let (roots, identity) = files.read()?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::ServerCa { path: files.ca.clone(), source })?
            .with_root_certificates(roots);
        let config = match (identity, &files.identity) {
            (Some((chain, private)), Some((certificate, key))) => {
                config.with_client_auth_cert(chain, private).map_err(|source| TlsError::Certificate {
                    certificate: certificate.clone(),
                    key: key.clone(),
                    source,
                })?
            }
            _ => config.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Shakes hands with the server, which must be `host`, a name or an address.
    ///
    /// # Errors
    /// When it does not, or not in time, or cannot prove that it is. Whether it
    /// accepts the client's certificate is seen with its first answer only.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connected = tokio::time::timeout(HANDSHAKE_MAX, TlsConnector::from(self.0.clone()).connect(name, stream));
        connected.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

//! Reads certificates and keys.

use crate::error::TlsError;
use crate::version::LeastVersion;
use barmkin_files::{Exposure, Regular, TooLarge};
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a file. A bundle of all the CAs of the web has 250 KiB.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Where a server's certificate is, by what its clients are verified, and what
/// they must speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFiles {
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM: PKCS#8, PKCS#1 or SEC1. Not readable by everyone.
    pub key: PathBuf,
    /// Who may connect; defaults to everybody.
    pub clients: Option<Clients>,
    /// The least version of TLS that is spoken.
    pub least_version: LeastVersion,
}

/// Clients that prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Certificates of the CAs that vouch for them, PEM.
    pub ca: PathBuf,
    /// Whether those without a certificate are refused. One that cannot be
    /// verified is refused in either case.
    pub required: bool,
}

/// By what a server is known, and what shows it who its client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// Certificates of the CAs that vouch for the server, PEM: no other is
    /// trusted.
    pub ca: PathBuf,
    /// The client's certificate with its chain, and its private key, PEM; defaults
    /// to none.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The contents of the files.
pub(crate) struct Contents {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    ca: Option<Vec<u8>>,
}

impl ServerFiles {
    /// Reads them all.
    pub(crate) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read_key(&self.key)?,
            ca: self.clients.as_ref().map(|clients| read(&clients.ca)).transpose()?,
        })
    }

    pub(crate) fn chain(&self, contents: &Contents) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&contents.certificate, &self.certificate)
    }

    pub(crate) fn private_key(&self, contents: &Contents) -> Result<PrivateKeyDer<'static>, TlsError> {
        private_key(&contents.key, &self.key)
    }

    /// The CAs of clients, with the file that they are from.
    pub(crate) fn roots(&self, contents: &Contents) -> Result<Option<(&Clients, RootCertStore)>, TlsError> {
        let (Some(clients), Some(bytes)) = (&self.clients, &contents.ca) else { return Ok(None) };
        let unusable = |error: rustls::Error| TlsError::ClientCa { path: clients.ca.clone(), source: error.into() };
        Ok(Some((clients, roots(bytes, &clients.ca, unusable)?)))
    }
}

/// A certificate with its chain, and its private key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl ClientFiles {
    /// Reads them all.
    pub(crate) fn read(&self) -> Result<(RootCertStore, Option<Identity>), TlsError> {
        let unusable = |source| TlsError::ServerCa { path: self.ca.clone(), source };
        let roots = roots(&read(&self.ca)?, &self.ca, unusable)?;
        let identity = self.identity.as_ref().map(|(certificate, key)| {
            Ok((certificates(&read(certificate)?, certificate)?, private_key(&read_key(key)?, key)?))
        });
        Ok((roots, identity.transpose()?))
    }
}

impl Contents {
    /// Differs when the contents do, but for chance.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, self.key.as_slice(), &self.ca).hash(&mut hasher);
        hasher.finish()
    }
}

pub(crate) fn roots(
    bytes: &[u8],
    path: &Path,
    unusable: impl Fn(rustls::Error) -> TlsError,
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(bytes, path)? {
        roots.add(certificate).map_err(&unusable)?;
    }
    Ok(roots)
}

pub(crate) fn private_key(bytes: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Empty { path: path.to_owned(), what: "private key" },
        source => TlsError::Pem { path: path.to_owned(), source },
    })
}

pub(crate) fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what: "certificate" });
    }
    Ok(certificates)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    barmkin_files::read(path, FILE_BYTES_MAX).map_err(|error| cannot(path, error))
}

fn cannot(path: &Path, source: std::io::Error) -> TlsError {
    if TooLarge::is(&source) {
        TlsError::TooLarge { path: path.to_owned(), max: FILE_BYTES_MAX }
    } else {
        TlsError::Read { path: path.to_owned(), source }
    }
}

/// The permissions are those of the file that is read, whatever its path
/// leads to by then.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let file = Regular::open(path).map_err(|error| cannot(path, error))?;
    if let Some(exposure) = Exposure::of(file.metadata()).filter(|exposure| !exposure.is_bearable()) {
        return Err(TlsError::Exposed { path: path.to_owned(), exposure });
    }
    file.read(FILE_BYTES_MAX).map(Zeroizing::new).map_err(|error| cannot(path, error))
}

//! Reads certificates and keys.

use crate::error::TlsError;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a file. A bundle of all the CAs of the web has 250 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a server's certificate is, and by what its clients are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFiles {
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM: PKCS#8, PKCS#1 or SEC1. Not readable by everyone.
    pub key: PathBuf,
    /// Who may connect; everybody unless given.
    pub clients: Option<Clients>,
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

/// What the files hold.
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
        PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::Empty { path: self.key.clone(), what: "private key" },
            source => TlsError::Pem { path: self.key.clone(), source },
        })
    }

    /// The CAs of clients, with the file that they are from.
    pub(crate) fn roots(&self, contents: &Contents) -> Result<Option<(&Clients, RootCertStore)>, TlsError> {
        let (Some(clients), Some(bytes)) = (&self.clients, &contents.ca) else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(bytes, &clients.ca)? {
            roots
                .add(certificate)
                .map_err(|error| TlsError::ClientCa { path: clients.ca.clone(), source: error.into() })?;
        }
        Ok(Some((clients, roots)))
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

fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what: "certificate" });
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let cannot = |source| TlsError::Read { path: path.to_owned(), source };
    read_open(&File::open(path).map_err(cannot)?, path)
}

fn read_open(file: &File, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(TlsError::TooLarge { path: path.to_owned(), max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

/// The permissions are those of the file that is read, whatever its path
/// leads to by then.
fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let cannot = |source| TlsError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(cannot)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        const READ_BY_OTHERS: u32 = 0o004;
        let mode = file.metadata().map_err(cannot)?.permissions().mode() & 0o777;
        if mode & READ_BY_OTHERS != 0 {
            return Err(TlsError::ReadableByEveryone { path: path.to_owned(), mode });
        }
    }
    read_open(&file, path).map(Zeroizing::new)
}

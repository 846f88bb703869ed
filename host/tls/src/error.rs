use barmkin_files::Exposure;
use rustls::pki_types::pem;
use rustls::server::VerifierBuilderError;
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

/// Why TLS cannot be had with these files. The operator must act;
/// [`TlsError::help`] says how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file is larger than any certificate or key.
    #[error("`{}` has more than {max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
    /// The private key is for everybody to read or to replace.
    #[error("private key `{}` {exposure}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        exposure: Exposure,
    },
    /// A file is not what it should be.
    #[error("there is no {what} in `{}`", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
    },
    /// A file is damaged.
    #[error("`{}` is no PEM file", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The problem with it.
        source: pem::Error,
    },
    /// The certificate cannot be used, or not with this key.
    #[error("certificate `{}` cannot be used with key `{}`", certificate.display(), key.display())]
    Certificate {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// The error of rustls.
        source: rustls::Error,
    },
    /// Clients cannot be verified by this CA.
    #[error("no client can be verified by `{}`", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// The error of rustls.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The machine has no list of CAs.
    #[error("the machine has no list of the CAs that vouch for servers")]
    NoSystemRoots,
    /// The server cannot be verified by this CA.
    #[error("no server can be verified by `{}`", path.display())]
    ServerCa {
        /// The file.
        path: PathBuf,
        /// The error of rustls.
        source: rustls::Error,
    },
}

impl TlsError {
    /// The remedy.
    #[must_use]
    pub fn help(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Exposed { path, exposure } => return exposure.remedy(path).into(),
            Self::Read { .. } => "correct the path, which is relative to the file that names it, or its permissions",
            Self::TooLarge { .. } | Self::Empty { .. } | Self::Pem { .. } => {
                "write PEM files: the certificate with its chain, the key apart from it"
            }
            Self::Certificate { .. } => "see that the key belongs to the first certificate of the file",
            Self::NoSystemRoots => "install the system's CA certificates, or name those that vouch for this server",
            Self::ServerCa { .. } => "write the certificates of the CAs that vouch for the server, as PEM",
            Self::ClientCa { .. } => "write the certificates of the CAs whose clients may come, as PEM",
        })
    }

    pub(crate) fn client_ca(path: &std::path::Path, source: VerifierBuilderError) -> Self {
        Self::ClientCa { path: path.to_owned(), source: source.into() }
    }
}

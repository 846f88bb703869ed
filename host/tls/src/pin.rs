//! A server's key that is known beforehand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::Error;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use webpki::EndEntityCert;

/// The SHA-256 of a server's public key, as `sha256/` and base64: of the whole
/// `SubjectPublicKeyInfo` of its own certificate, so that it stays when the
/// certificate is renewed with the same key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// A text that is not a pin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a pin")]
pub struct BadPin(String);

impl FromStr for Pin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        let digest = text.strip_prefix("sha256/").and_then(|digest| STANDARD.decode(digest).ok());
        digest.and_then(|digest| digest.try_into().ok()).map(Self).ok_or_else(|| BadPin(text.to_owned()))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256/{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Pin {
    /// The pin of the key in `certificate`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let unreadable = |_| Error::InvalidCertificate(rustls::CertificateError::BadEncoding);
        let certificate = EndEntityCert::try_from(certificate).map_err(unreadable)?;
        Ok(Self(Sha256::digest(certificate.subject_public_key_info()).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::Pin;

    #[test]
    fn a_pin_is_a_digest_in_base64() {
        let text = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(text.parse::<Pin>().unwrap().to_string(), text);
        for bad in [
            "",
            "sha256/",
            text.trim_start_matches("sha256/"),
            text.trim_end_matches("U="),
            "sha1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            &text.replace('/', "_"),
        ] {
            assert!(bad.parse::<Pin>().is_err(), "{bad}");
        }
    }
}

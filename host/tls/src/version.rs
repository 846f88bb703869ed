use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::fmt;

/// The least version of TLS that is spoken. There is none below 1.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeastVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

static FROM_1_2: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static FROM_1_3: [&SupportedProtocolVersion; 1] = [&TLS13];

impl LeastVersion {
    /// The versions that are spoken.
    pub(crate) fn spoken(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &FROM_1_2,
            Self::Tls13 => &FROM_1_3,
        }
    }
}

impl fmt::Display for LeastVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

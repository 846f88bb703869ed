//! Upstreams, as plain data.

use barmkin_tls::{Trust, UpstreamFiles};
use std::fmt;
use std::path::PathBuf;

/// Servers behind the gate that do the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Where they are, the most wanted first.
    pub addresses: Vec<UpstreamAddress>,
    /// The version of HTTP that they speak.
    pub http: Http,
    /// TLS, where the addresses are `https`.
    pub tls: Option<UpstreamTls>,
}

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// `http://host:port` or `https://host:port`.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The version of HTTP that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
    /// The one that the TLS handshake agrees on; HTTP/1.1 without TLS.
    Auto,
}

/// How an upstream is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// By what, and what is shown to it.
    pub files: UpstreamFiles,
    /// The name that it must prove, if not the host of its address.
    pub name: Option<String>,
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// For operators: its addresses, and what is demanded of them.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        f.write_str(&addresses.join(", then "))?;
        match self.http {
            Http::One => f.write_str(", HTTP/1.1")?,
            Http::Two => f.write_str(", HTTP/2")?,
            Http::Auto => {}
        }
        let Some(UpstreamTls { files, .. }) = &self.tls else { return Ok(()) };
        write!(f, ", TLS {} or newer, known by ", files.least_version)?;
        f.write_str(match &files.trust {
            Trust::Roots { roots: None, pins } if pins.is_empty() => "the machine's roots",
            Trust::Roots { roots: None, .. } => "the machine's roots and its pin",
            Trust::Roots { pins, .. } if pins.is_empty() => "its roots",
            Trust::Roots { .. } => "its roots and its pin",
            Trust::Pins(_) => "its pin alone",
        })?;
        if files.identity.is_some() { f.write_str(", which is shown a certificate") } else { Ok(()) }
    }
}

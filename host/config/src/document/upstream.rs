use crate::document::policy::OneOrMore;
use schemars::JsonSchema;
use serde::Deserialize;

/// Servers behind the gate that do the same, for listeners of kind `reverse-proxy`.
/// It is read at the start: a reload cannot change it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Upstream {
    /// Each as `http://host:port`, `https://host:port`, or `unix:` and a path; all of
    /// them `https`, or none. A request goes to the first that takes a connection,
    /// and to the next one only if nothing of it was sent.
    #[schemars(length(min = 1, max = 16))]
    pub(crate) addresses: Vec<String>,
    /// The version of HTTP. Defaults to `auto`.
    #[serde(default)]
    pub(crate) http: Http,
    /// TLS, with addresses of `https`.
    pub(crate) tls: Option<UpstreamTls>,
}

/// The version of HTTP that an upstream speaks.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) enum Http {
    /// HTTP/1.1.
    #[serde(rename = "1")]
    One,
    /// HTTP/2, without TLS from the first byte on (h2c with prior knowledge).
    #[serde(rename = "2")]
    Two,
    /// The one that the TLS handshake agrees on; HTTP/1.1 without TLS.
    #[default]
    #[serde(rename = "auto")]
    Auto,
}

/// TLS to an upstream. Its files are read again when they change.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct UpstreamTls {
    /// The CAs that vouch for the upstream, as a PEM file. Defaults to the machine's
    /// own list, which is read at the start.
    pub(crate) roots: Option<String>,
    /// The name in its certificate. Defaults to the host of the address.
    pub(crate) name: Option<String>,
    /// The keys that it may have, each as `sha256/` and the base64 of the SHA-256 of its
    /// public key (`SubjectPublicKeyInfo`). They are demanded besides the roots.
    pub(crate) pin: Option<OneOrMore>,
    /// Whether the pin counts in place of the roots, for self-signed certificates:
    /// neither the name in the certificate nor its time count then. Defaults to
    /// `false`.
    pub(crate) pin_only: Option<bool>,
    /// The certificate that is shown to the upstream, with its chain, as a PEM file.
    pub(crate) certificate: Option<String>,
    /// Its private key, as a PEM file that not everyone may read.
    pub(crate) key: Option<String>,
    /// The least version of TLS. Defaults to `1.2`.
    #[serde(default)]
    pub(crate) least_version: LeastVersion,
}

/// The least version of TLS.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) enum LeastVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

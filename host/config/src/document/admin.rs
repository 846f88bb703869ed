use crate::document::Tls;
use crate::units::{DurationUnit, ModeUnit, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where operators ask a running gate, and tell it what to do.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Admin {
    /// `unix:` and a path, or a port of this machine such as `127.0.0.1:9002`.
    /// Of other machines only with client certificates.
    pub(crate) address: String,
    /// Permissions of the Unix socket; `600` unless given.
    pub(crate) mode: Option<Text<ModeUnit>>,
    /// The id of the Unix socket's group.
    pub(crate) group: Option<u32>,
    /// TLS, on a port.
    pub(crate) tls: Option<Tls>,
    /// How long it waits for those who ask.
    pub(crate) timeouts: Option<AdminTimeouts>,
    /// How long listeners go on when the gate is told to stop, and `/readyz` says
    /// 503 already: long enough for balancers to see it. Defaults to 5 s.
    pub(crate) drain: Option<Text<DurationUnit>>,
}

/// How long the admin listener waits for those who ask. It has few places, and
/// those who ask are near.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AdminTimeouts {
    /// For a TLS handshake, 10 s by default.
    pub(crate) handshake: Option<Text<DurationUnit>>,
    /// For the whole header of a request, 5 s by default.
    pub(crate) header: Option<Text<DurationUnit>>,
    /// For an answer of which nothing goes while some waits to be sent, 10 s by
    /// default.
    pub(crate) stall: Option<Text<DurationUnit>>,
}

/// What may be loaded. It is read at the start: a reload cannot change it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Pin {
    /// The only components: each as `sha256:` and its digest. Stock policies
    /// are part of the program and need no pin.
    #[schemars(inner(regex(pattern = "^sha256:[0-9a-f]{64}$")))]
    pub(crate) components: Option<Vec<String>>,
    /// The only configurations: each as `sha256:` and the digest that `barmkin
    /// check` prints. Keys and this section are not part of it.
    #[schemars(inner(regex(pattern = "^sha256:[0-9a-f]{64}$")))]
    pub(crate) configurations: Option<Vec<String>>,
}

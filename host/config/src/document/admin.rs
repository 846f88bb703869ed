use crate::document::{Group, Tls};
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
    /// Permissions of the Unix socket; defaults to `600`.
    pub(crate) mode: Option<Text<ModeUnit>>,
    /// The Unix socket's group, by its name or its id.
    pub(crate) group: Option<Group>,
    /// TLS, on a port.
    pub(crate) tls: Option<Tls>,
    /// How long it waits for those who ask.
    pub(crate) timeouts: Option<AdminTimeouts>,
}

/// Where anybody may ask how the gate is: `/healthz`, `/readyz` and `/metrics`, and
/// nothing else. It answers from before policies are compiled until the gate ends.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Health {
    /// An address and a port, such as `0.0.0.0:9100`, or `unix:` and a path.
    pub(crate) address: String,
    /// Permissions of the Unix socket; defaults to `660`.
    pub(crate) mode: Option<Text<ModeUnit>>,
    /// The Unix socket's group, by its name or its id.
    pub(crate) group: Option<Group>,
    /// TLS, on a port.
    pub(crate) tls: Option<Tls>,
    /// How long it waits for those who ask.
    pub(crate) timeouts: Option<AdminTimeouts>,
}

/// How the gate stops.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long listeners go on when the gate is told to stop, and says that it is not
    /// ready already: long enough for balancers to see it. Defaults to 5 s where they
    /// can: with `[admin]`, `[health]` or a listener of kind `ext-authz`.
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

/// The only components and configurations that may be loaded. It is read at the
/// start: a reload cannot change it.
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

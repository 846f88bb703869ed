//! The scripts. They are loaded by the first call that needs them, on each server.

use barmkin_host::limits::CONCURRENCY_RETRY;
use redis::Script;

/// The scripts that run on the server.
pub(crate) struct Scripts {
    pub(crate) claim: Script,
    pub(crate) renew: Script,
    pub(crate) confirm: Script,
    pub(crate) release: Script,
    pub(crate) look: Script,
    pub(crate) forget: Script,
    pub(crate) take: Script,
    pub(crate) give_back: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let script = |prelude: &str, body: &str| {
            Script::new(&format!("{}\n{prelude}\n{body}", include_str!("scripts/prelude.lua")))
        };
        let nonces = |body| script(include_str!("scripts/prelude_nonces.lua"), body);
        let retry = format!("local CONCURRENCY_RETRY = {}", CONCURRENCY_RETRY.as_micros());
        let quotas = |body| script(&retry, body);
        Self {
            claim: nonces(include_str!("scripts/claim.lua")),
            renew: nonces(include_str!("scripts/renew.lua")),
            confirm: nonces(include_str!("scripts/confirm.lua")),
            release: nonces(include_str!("scripts/release.lua")),
            look: nonces(include_str!("scripts/look.lua")),
            forget: nonces(include_str!("scripts/forget.lua")),
            take: quotas(include_str!("scripts/take.lua")),
            give_back: quotas(include_str!("scripts/give_back.lua")),
        }
    }
}

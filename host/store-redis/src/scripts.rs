//! The scripts. They are loaded by the first call that needs them, on every
//! server anew.

use barmkin_host::limits::CONCURRENCY_RETRY;
use redis::Script;

/// What runs on the server.
pub(crate) struct Scripts {
    pub(crate) claim: Script,
    pub(crate) confirm: Script,
    pub(crate) release: Script,
    pub(crate) take: Script,
    pub(crate) give_back: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let script = |body: &str| {
            let retry = CONCURRENCY_RETRY.as_micros();
            Script::new(&format!("local CONCURRENCY_RETRY = {retry}\n{}\n{body}", include_str!("scripts/prelude.lua")))
        };
        Self {
            claim: script(include_str!("scripts/claim.lua")),
            confirm: script(include_str!("scripts/confirm.lua")),
            release: script(include_str!("scripts/release.lua")),
            take: script(include_str!("scripts/take.lua")),
            give_back: script(include_str!("scripts/give_back.lua")),
        }
    }
}

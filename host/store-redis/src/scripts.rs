//! The scripts. They are loaded by the first call that needs them, on each
//! server.

use barmkin_host::limits::CONCURRENCY_RETRY;
use redis::{Cmd, ToRedisArgs, cmd};

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
            Script::new(format!("{}\n{prelude}\n{body}", include_str!("scripts/prelude.lua")))
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

/// A script that servers know by its hash, once they were sent it.
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    pub(crate) fn new(text: String) -> Self {
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    /// A call without keys and arguments.
    pub(crate) fn call(&self) -> Call<'_> {
        Call { script: self, keys: Vec::new(), args: Vec::new() }
    }
}

/// A call of a script. The client's own asks all masters of a cluster to load a
/// script that one lacks, and so would fail where another master is away.
pub(crate) struct Call<'a> {
    script: &'a Script,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
}

impl Call<'_> {
    pub(crate) fn key(&mut self, key: impl ToRedisArgs) -> &mut Self {
        key.write_redis_args(&mut self.keys);
        self
    }

    pub(crate) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        arg.write_redis_args(&mut self.args);
        self
    }

    /// For a server that has the script.
    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// For a server that does not, and has it afterwards.
    pub(crate) fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&*self.keys).arg(&*self.args);
        command
    }
}

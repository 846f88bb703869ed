use super::input::{Established, gather};
use anyhow::{Result, anyhow};
use barmkin_guest::Settings;
use barmkin_guest::native::{HostCalls, configure, run_native};
use barmkin_guest::types::{Decision, Denial, Manifest};
use barmkin_host::Head;
use serde_json::Value;

/// A configured rule.
pub(super) struct NativeRule<S: Settings> {
    rule: S::Rule,
    manifest: Manifest,
}

impl<S: Settings> NativeRule<S> {
    /// Configures it.
    pub(super) fn configure(settings: &Value) -> Result<Self> {
        let configured = configure::<S>(&settings.to_string());
        let (rule, manifest) = configured.map_err(|problems| anyhow!("{problems:?}"))?;
        Ok(Self { rule, manifest })
    }

    /// Decides one request.
    pub(super) fn check(
        &self,
        head: &Head,
        now_unix_ms: u64,
        established: &mut Established,
        host: &dyn HostCalls,
    ) -> Decision {
        let mut input = match gather(&self.manifest, head, now_unix_ms) {
            Ok(input) => input,
            Err(code) => return Decision::Deny(Denial::new(400, code)),
        };
        established.lend(&self.manifest, &mut input);
        let decision = run_native(&self.rule, &input, host);
        established.take_back(input);
        decision
    }
}

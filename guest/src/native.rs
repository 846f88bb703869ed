//! Running rules without WebAssembly.

use crate::configured;
use crate::host::Host;
use crate::log;
use crate::rule::{Rule, Settings};
use crate::types::{Decision, Input, Manifest, SettingProblem};

pub use crate::host::HostCalls;

/// Configures a policy from its settings, a JSON object, as a host would.
///
/// # Errors
/// Everything that is wrong with the settings.
pub fn configure<S: Settings>(settings: &str) -> Result<(S::Rule, Manifest), Vec<SettingProblem>> {
    configured::configure::<S>(settings)
}

/// Decides one request, given as the host gives it to a component: headers and
/// query parameters in the order of the manifest.
pub fn run_native<R: Rule>(rule: &R, input: &Input, host: &dyn HostCalls) -> Decision {
    let decision = configured::check(rule, input, Host(host));
    for line in log::native::take_lines() {
        host.write_log(line.level, &line.message, &line.pairs);
    }
    decision
}

//! A policy inside a component.

use core::mem;
use std::sync::OnceLock;

use crate::configured;
use crate::decision::deny;
use crate::host::Host;
use crate::panic;
use crate::rule::{Problems, Rule, Settings};
use crate::types::{Decision, Input, Manifest, SettingProblem};

/// The rule of a component. It is set by `configure` and part of the image
/// from which every request starts; `check` only reads it.
pub struct Configured<R>(OnceLock<R>);

impl<R: Rule> Configured<R> {
    /// Before `configure`.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only ever a static")]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The component's `configure`.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn configure<S: Settings<Rule = R>>(&self, settings: String) -> Result<Manifest, Vec<SettingProblem>> {
        // The hook is part of the image, too.
        panic::report();
        let (rule, manifest) = configured::configure::<S>(settings)?;
        if self.0.set(rule).is_err() {
            return Err(Problems::one("", "the policy is already configured", "").into_vec());
        }
        #[cfg(feature = "allocator")]
        crate::allocator::settle(&manifest);
        Ok(manifest)
    }

    /// The component's `check`.
    pub fn check(&self, input: Input) -> Decision {
        let Some(rule) = self.0.get() else {
            return deny(500, "not-configured");
        };
        let decision = configured::check(rule, &input, Host::default());
        // The host puts the memory back, or drops the instance: taking it apart
        // piece by piece would be work for nobody.
        mem::forget(input);
        decision
    }
}

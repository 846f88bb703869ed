//! The part of a policy that its author writes.

use serde::de::DeserializeOwned;

use crate::describe::Description;
use crate::extract::Extract;
use crate::types::{Decision, SettingProblem};

/// A rule: what it reads, and how it decides.
///
/// Every `check` finds the instance as `configure` left it. Whatever it would
/// like to remember belongs in a capability.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a rule",
    label = "does not implement `Rule`",
    note = "write `impl Rule for {Self}`, or name what does: `#[policy(rule = Type)]`"
)]
pub trait Rule: Sized {
    /// The extractors of what it reads and uses, usually a tuple.
    type Input<'a>: Extract<'a, Self>;

    /// Decides one request.
    fn check(&self, input: Self::Input<'_>) -> Decision;

    /// Whether it may allow, name the principal and set facts. The operator
    /// must grant the same, or the policy is refused.
    fn vouches(&self) -> bool {
        false
    }

    /// The header fields, in lower case, that it sets, appends to or removes.
    fn sets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Judges the settings beyond what their types say.
    ///
    /// # Errors
    /// Everything that is wrong with them, for the operator.
    fn validate(&self) -> Result<(), Problems> {
        Ok(())
    }
}

/// The settings of a policy. `#[policy]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the settings of a policy",
    label = "not marked with `#[policy]`",
    note = "write `#[policy]` above `struct {Self}`"
)]
pub trait Settings: DeserializeOwned {
    /// The rule that decides: the settings themselves, or what is built from them.
    type Rule: Rule;

    /// Its description of itself.
    const DESCRIPTION: Description = Description::NONE;

    /// Builds the rule, so that no request has to.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, for the operator.
    fn build(self) -> Result<Self::Rule, Problems>;
}

/// The problems with settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problems(Vec<SettingProblem>);

impl Problems {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A single one; the parameters are those of [`Problems::add`].
    #[must_use]
    pub fn one(setting: &str, problem: impl Into<String>, help: impl Into<String>) -> Self {
        let mut problems = Self::new();
        problems.add(setting, problem, help);
        problems
    }

    /// Adds one: where (names and list indices joined by dots, empty for the
    /// whole), what is wrong (lower case, one sentence, no full stop), and
    /// what to do about it (may be empty).
    pub fn add(&mut self, setting: &str, problem: impl Into<String>, help: impl Into<String>) {
        self.0.push(SettingProblem { setting: setting.to_owned(), problem: problem.into(), help: help.into() });
    }

    /// Adds those of another.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The value, if there are none.
    ///
    /// # Errors
    /// The problems themselves, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The problems as the contract has them.
    #[must_use]
    pub fn into_vec(self) -> Vec<SettingProblem> {
        self.0
    }
}

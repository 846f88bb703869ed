use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

use crate::decision::deny;
use crate::describe::DeclaredReason;
use crate::native::{configure, run_native};
use crate::reason::MISSING_PRINCIPAL;
use crate::rule::Settings;
use crate::test::calls::{Calls, Ended};
use crate::test::input::input;
use crate::test::{Line, Request, TestKey, TestQuota, answer, manifest};
use crate::types::{Claim, Decision, DuplicateTreatment, Manifest, Outcome, SettingProblem};

/// A policy, configured, with what an operator grants it.
pub struct Policy<S: Settings> {
    rule: S::Rule,
    pub(super) grants: Grants,
}

/// The grants of the operator, and what became of them.
#[derive(Debug)]
pub(super) struct Grants {
    pub(super) manifest: Manifest,
    pub(super) keys: HashMap<String, TestKey>,
    pub(super) quotas: HashMap<String, TestQuota>,
    pub(super) on_duplicate: HashMap<String, DuplicateTreatment>,
    pub(super) held: RefCell<HashMap<(String, Vec<u8>), Claim>>,
    pub(super) claims: RefCell<Vec<ClaimMade>>,
    pub(super) takes: RefCell<Vec<TakeMade>>,
    pub(super) log: RefCell<Vec<Line>>,
}

/// A claim that a rule has made.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimMade {
    /// The policy's name for the nonce space.
    pub space: String,
    /// The nonce that was claimed; empty for a delivery that nobody has verified.
    pub nonce: Vec<u8>,
    /// Until when at least.
    pub valid_until_unix_ms: u64,
    /// The outcome.
    pub claim: Claim,
}

/// Units that a rule has asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct TakeMade {
    /// The policy's name for the quota.
    pub quota: String,
    /// Whose, where the rule has named somebody.
    pub subject: Option<String>,
    /// How many.
    pub cost: u32,
    /// The outcome.
    pub outcome: Outcome,
}

impl<S: Settings> fmt::Debug for Policy<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Policy").field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl<S: Settings> Policy<S> {
    /// Configures it, from settings in JSON.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, or with the manifest.
    pub fn configure(settings: &str) -> Result<Self, Vec<SettingProblem>> {
        let (rule, manifest) = configure::<S>(settings)?;
        manifest::check(&manifest)?;
        let grants = Grants {
            manifest,
            keys: HashMap::new(),
            quotas: HashMap::new(),
            on_duplicate: HashMap::new(),
            held: RefCell::default(),
            claims: RefCell::default(),
            takes: RefCell::default(),
            log: RefCell::default(),
        };
        Ok(Self { rule, grants })
    }

    /// The needs that it declared.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.grants.manifest
    }

    /// With a key. One that is not granted has no secret in force.
    ///
    /// # Panics
    /// When the policy declares no key of this name.
    #[must_use]
    #[track_caller]
    pub fn with_key(mut self, name: &str, key: TestKey) -> Self {
        assert_declared("key", name, self.grants.manifest.keys.iter().map(|key| &key.name));
        self.grants.keys.insert(name.to_owned(), key);
        self
    }

    /// With a quota. One that is not granted identifies nobody.
    ///
    /// # Panics
    /// When the policy declares no quota of this name.
    #[must_use]
    #[track_caller]
    pub fn with_quota(mut self, name: &str, quota: TestQuota) -> Self {
        assert_declared("quota", name, &self.grants.manifest.quotas);
        self.grants.quotas.insert(name.to_owned(), quota);
        self
    }

    /// With what the operator wants done with duplicates, if not to deny them.
    ///
    /// # Panics
    /// When the policy declares no nonce space of this name.
    #[must_use]
    #[track_caller]
    pub fn with_nonces(mut self, name: &str, on_duplicate: DuplicateTreatment) -> Self {
        assert_declared("nonce space", name, &self.grants.manifest.nonces);
        self.grants.on_duplicate.insert(name.to_owned(), on_duplicate);
        self
    }

    /// With a nonce that a request which is not decided yet holds.
    ///
    /// # Panics
    /// When the policy declares no nonce space of this name.
    #[must_use]
    #[track_caller]
    pub fn with_claim_in_progress(self, space: &str, nonce: &[u8]) -> Self {
        assert_declared("nonce space", space, &self.grants.manifest.nonces);
        let held = (space.to_owned(), nonce.to_vec());
        self.grants.held.borrow_mut().insert(held, Claim::InProgress);
        self
    }

    /// Decides a request as the host would.
    ///
    /// # Panics
    /// Where the policy declares its reasons and denies for another.
    #[track_caller]
    pub fn check(&self, request: &Request) -> Decision {
        let input = match input(&self.grants.manifest, request) {
            Ok(input) => input,
            Err(denial) => return Decision::Deny(denial),
        };
        let calls = Calls::new(&self.grants, request);
        let run = || run_native(&self.rule, &input, &calls);
        match panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(decision) => match answer::violation(&self.grants.manifest, &decision) {
                Some(detail) => violation(&detail),
                None => {
                    assert_reason_declared(S::DESCRIPTION.reasons, &decision);
                    decision
                }
            },
            Err(panic) => match panic.downcast::<Ended>() {
                Ok(ended) => {
                    calls.keep_lines();
                    deny(500, ended.code).detail(ended.detail)
                }
                Err(panic) => panic::resume_unwind(panic),
            },
        }
    }

    /// The claims so far, in order.
    #[must_use]
    pub fn claims(&self) -> Vec<ClaimMade> {
        self.grants.claims.borrow().clone()
    }

    /// The takes that were asked of quotas so far, in order.
    #[must_use]
    pub fn takes(&self) -> Vec<TakeMade> {
        self.grants.takes.borrow().clone()
    }

    /// The lines of the log so far.
    #[must_use]
    pub fn log(&self) -> Vec<Line> {
        self.grants.log.borrow().clone()
    }
}

#[track_caller]
fn assert_reason_declared(reasons: Option<&[DeclaredReason]>, decision: &Decision) {
    let (Some(reasons), Some(code)) = (reasons, decision.code()) else { return };
    let is_declared =
        reasons.iter().map(|declared| declared.reason).chain([MISSING_PRINCIPAL]).any(|it| it.code() == code);
    assert!(is_declared, "the policy denies for `{code}`, which it does not declare: add it to its `reasons!`");
}

fn violation(detail: &str) -> Decision {
    deny(500, "contract-violation").detail(detail)
}

/// A grant under a name that the policy does not have is a slip of the test.
#[track_caller]
fn assert_declared<'n>(kind: &str, name: &str, declared: impl IntoIterator<Item = &'n String>) {
    let declared: Vec<_> = declared.into_iter().collect();
    assert!(declared.iter().any(|known| *known == name), "the policy declares no {kind} `{name}`, only {declared:?}");
}

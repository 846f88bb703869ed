//! One component on a route for everything, with what its cases grant it.

use super::format::{Case, Cases, Key, KeyAlgorithm, Nonces, OnDuplicate, Quota, QuotaKey};
use super::sign::verifying_bytes;
use crate::help::Help;
use anyhow::{Context, Result, anyhow};
use barmkin_config::{BadQuantity, Text, Unit};
use barmkin_host::limits::COMPONENT_BYTES_MAX;
use barmkin_host::{
    Algorithm, Engine, Gate, Gcra, Generation, Grants, KeyRing, Member, NonceSpace, PolicySpec, Route, Services, Spec,
};
use std::collections::BTreeMap;
use std::path::Path;

/// A component that decides alone.
pub(crate) struct Component {
    engine: Engine,
    spec: Spec,
    keys: KeyRing,
    gate: Gate,
}

const POLICY: &str = "policy";

impl Component {
    /// The component at `path`, with the grants of the whole file.
    pub(crate) fn load(path: &Path, cases: &Cases, engine: Engine, services: Services) -> Result<Self> {
        let bytes = barmkin_files::read(path, COMPONENT_BYTES_MAX)
            .with_context(|| crate::input::unreadable(path))
            .help("make it with `barmkin build`, or correct the path")?;
        let mut policy = PolicySpec::new(bytes);
        policy.settings = serde_json::Value::Object(cases.settings.clone());
        policy.grants = Grants {
            vouch: cases.grants.vouch,
            sets: cases.grants.sets.iter().map(|name| name.parse()).collect::<Result<_, _>>().context("`sets`")?,
            ..Grants::default()
        };
        let mut route = Route::new("everything");
        route.chain = vec![Member::Policy(POLICY.to_owned())];
        // One that only restricts lets requests in by abstaining.
        route.public = !cases.grants.vouch;
        let mut spec = Spec { policies: [(POLICY.to_owned(), policy)].into(), routes: vec![route], ..Spec::default() };
        let mut keys = KeyRing::default();
        grant(&mut spec, &mut keys, (&cases.keys, &cases.nonces, &cases.quotas), str::to_owned)?;
        let generation = Generation::build(&engine, &spec, &keys, services)?;
        Ok(Self { engine, spec, keys, gate: Gate::new(generation) })
    }

    /// The gate for cases that give nothing of their own.
    pub(crate) fn shared(&self) -> &Gate {
        &self.gate
    }

    /// The gate for `case`, the one at `index`, where it gives something of its own: the component is
    /// not compiled again.
    pub(crate) fn own(&self, case: &Case, index: usize) -> Result<Option<Gate>> {
        if !case.declares() {
            return Ok(None);
        }
        let (mut spec, mut keys) = (self.spec.clone(), self.keys.clone());
        // The store is shared: names that nobody else has hold nothing.
        let name = |own: &str| format!("{own} of case {index}");
        grant(&mut spec, &mut keys, (&case.keys, &case.nonces, &case.quotas), name)?;
        Ok(Some(Gate::new(self.gate.generation().next(&self.engine, &spec, &keys)?)))
    }
}

type Granted<'c> = (&'c BTreeMap<String, Key>, &'c BTreeMap<String, Nonces>, &'c BTreeMap<String, Quota>);

/// Declares what is given, under names that `called` makes, and grants it.
fn grant(
    spec: &mut Spec,
    ring: &mut KeyRing,
    (keys, nonces, quotas): Granted<'_>,
    called: impl Fn(&str) -> String,
) -> Result<()> {
    let grants = &mut spec.policies.get_mut(POLICY).context("the policy is there")?.grants;
    for (name, key) in keys {
        *ring = std::mem::take(ring).with(called(name), made(key).with_context(|| format!("key `{name}`"))?);
        grants.keys.insert(name.clone(), called(name));
    }
    for (name, declared) in nonces {
        let mut space = NonceSpace { on_duplicate: declared.on_duplicate.map(on_duplicate), ..NonceSpace::default() };
        if let Some(retain) = &declared.retain {
            space.retain = read(retain).with_context(|| format!("nonce space `{name}`"))?;
        }
        spec.nonces.insert(called(name), space);
        grants.nonces.insert(name.clone(), called(name));
    }
    for (name, declared) in quotas {
        let rate = read(&declared.rate).with_context(|| format!("quota `{name}`"))?;
        let rule = Gcra { interval: rate.interval(), limit: declared.burst.unwrap_or(rate.count) }.into();
        let quota =
            barmkin_host::Quota { rule, key: quota_key(declared.key), keep: Default::default(), entries_max: None };
        spec.quotas.insert(called(name), quota);
        grants.quotas.insert(name.clone(), vec![called(name)]);
    }
    Ok(())
}

fn made(declared: &Key) -> Result<barmkin_host::Key> {
    let algorithm = match declared.algorithm {
        KeyAlgorithm::HmacSha1 => Algorithm::HmacSha1,
        KeyAlgorithm::HmacSha256 => Algorithm::HmacSha256,
        KeyAlgorithm::HmacSha512 => Algorithm::HmacSha512,
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
        KeyAlgorithm::KeyedHashSha256 => Algorithm::KeyedHashSha256,
    };
    declared.secrets.iter().try_fold(barmkin_host::Key::new(algorithm), |key, secret| {
        Ok(key.with_secret(&secret.id, &verifying_bytes(declared.algorithm, secret)?, None)?)
    })
}

fn on_duplicate(declared: OnDuplicate) -> barmkin_host::OnDuplicate {
    match declared {
        OnDuplicate::Deny => barmkin_host::OnDuplicate::Deny,
        OnDuplicate::Acknowledge => barmkin_host::OnDuplicate::Acknowledge,
        OnDuplicate::Mark => barmkin_host::OnDuplicate::Mark,
    }
}

fn quota_key(declared: QuotaKey) -> barmkin_host::QuotaKey {
    match declared {
        QuotaKey::Principal => barmkin_host::QuotaKey::Principal,
        QuotaKey::ClientAddress => barmkin_host::QuotaKey::ClientAddress,
        QuotaKey::Route => barmkin_host::QuotaKey::Route,
    }
}

fn read<U: Unit>(text: &Text<U>) -> Result<U::Value> {
    text.read().map_err(|BadQuantity { message, help }| anyhow!("{message}: {help}"))
}

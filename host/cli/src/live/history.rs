//! Generations that served, and what became of attempts to change them.

use barmkin_admin::{Attempt, By, rfc3339};
use barmkin_host::{Algorithm, Digest, Images, Key, KeyError, KeyRing, KeySource, Spec};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Generations to go back to: a day of work on a configuration.
const GENERATIONS_MAX: usize = 16;

/// Bytes of all their components together. The stock ones have 0.5 MB.
const COMPONENTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Generations whose compiled policies are kept, besides the one that serves:
/// going back by one or two compiles nothing. Policies that they have in common
/// are kept once; one of the stock policies takes about a megabyte.
const COMPILED_KEPT: usize = 2;

/// Attempts that are remembered.
const ATTEMPTS_MAX: usize = 64;

/// Bytes kept of why one failed.
const PROBLEM_BYTES_MAX: usize = 4 * 1024;

/// Generations that served, and which of them does. Bytes and digests are
/// kept, and of the last few what was compiled; secrets are not part of it.
pub(super) struct History {
    generations: VecDeque<Past>,
    serving: u64,
    /// The compiled policies of those that served last, the latest first.
    compiled: VecDeque<(u64, Images)>,
    attempts: VecDeque<Value>,
}

/// A generation that served.
#[derive(Clone)]
pub(super) struct Past {
    pub(super) number: u64,
    pub(super) spec: Arc<Spec>,
    pub(super) configuration: Digest,
    /// The algorithms of its keys.
    algorithms: BTreeMap<String, Algorithm>,
    loaded: Value,
}

impl History {
    /// A history that begins with `spec`.
    pub(super) fn begin(spec: &Spec, keys: &KeyRing, now: Duration) -> Self {
        let first = Past::new(1, spec.clone(), keys, json!({ "at": rfc3339(now), "by": "the start" }));
        Self { generations: [first].into(), serving: 1, compiled: VecDeque::new(), attempts: VecDeque::new() }
    }

    /// Keeps what was compiled for the generation that serves.
    pub(super) fn keep(&mut self, images: Images) {
        let serving = self.serving;
        self.compiled.retain(|(number, _)| *number != serving);
        self.compiled.push_front((serving, images));
        self.compiled.truncate(1 + COMPILED_KEPT);
    }

    /// The policies compiled for generation `number`, if they are kept.
    pub(super) fn compiled(&self, number: u64) -> Images {
        let kept = self.compiled.iter().find(|(of, _)| *of == number);
        kept.map(|(_, images)| images.clone()).unwrap_or_default()
    }

    /// The generation that serves.
    pub(super) fn serving(&self) -> &Past {
        let serving = self.generations.iter().find(|past| past.number == self.serving);
        // INVARIANT (serving generation): the one that serves is never let go.
        #[expect(clippy::expect_used, reason = "serving generation")]
        serving.expect("the history has the generation that serves")
    }

    /// `spec` serves from now on.
    pub(super) fn load(&mut self, spec: &Spec, keys: &KeyRing, now: Duration, by: &By) {
        let number = self.generations.back().map_or(1, |last| last.number + 1);
        let loaded = json!({ "at": rfc3339(now), "by": by.to_string() });
        self.generations.push_back(Past::new(number, self.sharing(spec), keys, loaded));
        self.serving = number;
        while self.generations.len() > GENERATIONS_MAX
            || (self.generations.len() > 1 && self.components_bytes() > COMPONENTS_BYTES_MAX)
        {
            self.generations.pop_front();
        }
    }

    /// The generation to go back to: number `to`, or the one before the one
    /// that serves.
    pub(super) fn find(&self, to: Option<u64>) -> Option<&Past> {
        match to {
            Some(number) => self.generations.iter().find(|past| past.number == number),
            None => self.generations.iter().rev().find(|past| past.number < self.serving),
        }
    }

    /// Generation `number` serves again.
    pub(super) fn restore(&mut self, number: u64) {
        self.serving = number;
    }

    /// Remembers what became of an attempt.
    pub(super) fn note(&mut self, attempt: Attempt, by: &By, now: Duration, problem: Option<&str>) {
        if self.attempts.len() == ATTEMPTS_MAX {
            self.attempts.pop_front();
        }
        let problem = problem.map(|problem| {
            problem.get(..problem.floor_char_boundary(PROBLEM_BYTES_MAX)).unwrap_or_default().to_owned()
        });
        let serving = self.serving;
        self.attempts.push_back(json!({
            "at": rfc3339(now),
            "by": by.to_string(),
            "outcome": attempt.as_str(),
            "serving": serving,
            "problem": problem,
        }));
    }

    /// The outcomes of the last attempts, the latest last.
    pub(super) fn attempts(&self) -> Value {
        self.attempts.iter().cloned().collect()
    }

    /// The generations that can be gone back to, and the one that serves.
    pub(super) fn generations(&self) -> Value {
        let generation = |past: &Past| {
            json!({
                "number": past.number,
                "configuration": past.configuration.to_string(),
                "loaded": past.loaded,
                "serving": past.number == self.serving,
            })
        };
        self.generations.iter().map(generation).collect()
    }

    /// `spec` with the bytes of components that are in the history already.
    fn sharing(&self, spec: &Spec) -> Spec {
        let mut spec = spec.clone();
        for policy in spec.policies.values_mut() {
            let kept = self.generations.iter().rev().flat_map(|past| past.spec.policies.values());
            if let Some(same) = kept.map(|kept| &kept.component).find(|kept| **kept == policy.component) {
                policy.component = same.clone();
            }
        }
        spec
    }

    fn components_bytes(&self) -> usize {
        let components = self.generations.iter().flat_map(|past| past.spec.policies.values());
        let distinct: BTreeSet<_> =
            components.map(|policy| (policy.component.as_ptr(), policy.component.len())).collect();
        distinct.into_iter().map(|(_, bytes)| bytes).sum()
    }
}

impl Past {
    fn new(number: u64, spec: Spec, keys: &KeyRing, loaded: Value) -> Self {
        let algorithms = keys.iter().map(|(name, key)| (name.to_owned(), key.algorithm())).collect();
        Self { number, configuration: spec.digest(), spec: Arc::new(spec), algorithms, loaded }
    }

    /// The keys that it gets when it serves again: those of `now`. A removed
    /// key verifies nothing; none of the old secrets comes back.
    pub(super) fn keys<'k>(&'k self, now: &'k KeyRing) -> impl KeySource + 'k {
        KeysOfNow { now, algorithms: &self.algorithms }
    }
}

struct KeysOfNow<'k> {
    now: &'k KeyRing,
    algorithms: &'k BTreeMap<String, Algorithm>,
}

impl KeySource for KeysOfNow<'_> {
    fn key(&self, name: &str) -> Result<Key, KeyError> {
        match (self.now.key(name), self.algorithms.get(name)) {
            (Err(KeyError::Unknown(_)), Some(algorithm)) => Ok(Key::new(*algorithm)),
            (key, _) => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barmkin_host::PolicySpec;

    fn spec(component: &[u8]) -> Spec {
        Spec { policies: [("p".to_owned(), PolicySpec::new(component))].into(), ..Spec::default() }
    }

    fn ring(algorithm: Algorithm, ids: &[&str]) -> KeyRing {
        let key = ids.iter().fold(Key::new(algorithm), |key, id| key.with_secret(id, b"secret", None).unwrap());
        KeyRing::default().with("k", key)
    }

    #[test]
    fn going_back_goes_further_back_each_time_and_loading_begins_anew() {
        let mut history = History::begin(&spec(b"1"), &KeyRing::default(), Duration::ZERO);
        assert!(history.find(None).is_none());
        for component in [b"2", b"3"] {
            history.load(&spec(component), &KeyRing::default(), Duration::ZERO, &By::Signal);
        }
        for expected in [2, 1] {
            let number = history.find(None).unwrap().number;
            assert_eq!(number, expected);
            history.restore(number);
        }
        assert!(history.find(None).is_none());
        assert_eq!(history.find(Some(3)).unwrap().number, 3);
        history.load(&spec(b"4"), &KeyRing::default(), Duration::ZERO, &By::Signal);
        assert_eq!((history.serving().number, history.find(None).unwrap().number), (4, 3));
    }

    #[test]
    fn the_history_is_bounded_in_generations_and_in_bytes() {
        let mut history = History::begin(&spec(b"0"), &KeyRing::default(), Duration::ZERO);
        for number in 0..100_u8 {
            history.load(&spec(&[number]), &KeyRing::default(), Duration::ZERO, &By::FileChange);
            history.note(Attempt::Loaded, &By::FileChange, Duration::ZERO, None);
        }
        assert_eq!(history.generations.len(), GENERATIONS_MAX);
        assert_eq!(history.attempts.len(), ATTEMPTS_MAX);
        let large = vec![7; COMPONENTS_BYTES_MAX / 2];
        for _ in 0..3 {
            history.load(&spec(&large), &KeyRing::default(), Duration::ZERO, &By::FileChange);
        }
        assert_eq!(history.generations.len(), GENERATIONS_MAX, "the same bytes are kept once");
        history.load(&spec(&vec![8; COMPONENTS_BYTES_MAX]), &KeyRing::default(), Duration::ZERO, &By::FileChange);
        assert_eq!(history.generations.len(), 1);
        assert_eq!(history.serving().number, 105);
    }

    #[test]
    fn no_old_secret_comes_back() {
        let then = Past::new(1, spec(b"1"), &ring(Algorithm::HmacSha256, &["old"]), Value::Null);
        let ids = |now: &KeyRing| {
            let key = then.keys(now).key("k").unwrap();
            key.secret_ids().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(ids(&ring(Algorithm::HmacSha256, &["new"])), ["new"]);
        assert_eq!(ids(&KeyRing::default()), Vec::<String>::new());
        assert!(then.keys(&KeyRing::default()).key("unheard-of").is_err());
    }
}

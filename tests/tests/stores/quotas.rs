//! Every way of counting, alone and several at once, against a plain reference.

use crate::claims::cases;
use crate::subjects::{Subject, each};
use barmkin_host::{Draw, Gcra, QuotaRule, Take, Window};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::time::Duration;

/// A model so plain that it is right: all takes, ever.
struct Reference {
    rule: QuotaRule,
    takes: Vec<(u64, u64)>,
    /// Of a steady rate: milliseconds until it is full, and since when.
    level: u64,
    seen: u64,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap()
}

impl Reference {
    fn new(rule: QuotaRule) -> Self {
        Self { rule, takes: Vec::new(), level: 0, seen: 0 }
    }

    fn pass(&mut self, now: u64) {
        self.level = self.level.saturating_sub(now - self.seen);
        self.seen = now;
    }

    fn counts(&self, at: u64, now: u64) -> bool {
        match self.rule {
            QuotaRule::Gcra(_) => false,
            // From `START_MS`, windows of these lengths begin where they do from 1970.
            QuotaRule::FixedWindow(window) => {
                let start = |time| (crate::subjects::START_MS + time) / millis(window.length);
                start(at) == start(now)
            }
            QuotaRule::SlidingWindow(window) | QuotaRule::Concurrency(window) => at + millis(window.length) > now,
        }
    }

    fn used(&self, now: u64) -> u64 {
        self.takes.iter().filter(|(at, _)| self.counts(*at, now)).map(|(_, cost)| cost).sum()
    }

    fn fits(&self, now: u64, cost: u64) -> bool {
        match self.rule {
            QuotaRule::Gcra(rate) => self.level + cost * millis(rate.interval) <= rate.limit * millis(rate.interval),
            rule => self.used(now) + cost <= rule.limit(),
        }
    }

    fn remaining(&self, now: u64) -> u64 {
        match self.rule {
            QuotaRule::Gcra(rate) => (rate.limit * millis(rate.interval) - self.level) / millis(rate.interval),
            rule => rule.limit() - self.used(now),
        }
    }

    fn add(&mut self, now: u64, cost: u64) {
        match self.rule {
            QuotaRule::Gcra(rate) => self.level += cost * millis(rate.interval),
            _ => self.takes.push((now, cost)),
        }
    }

    /// Gives units back, in the words of the rule.
    fn give_back(&mut self, now: u64, at: u64, cost: u64) {
        if let QuotaRule::Gcra(rate) = self.rule {
            let back = (cost * millis(rate.interval)).saturating_sub(now - at);
            self.level = self.level.saturating_sub(back);
        } else if let Some(index) = self.takes.iter().position(|take| *take == (at, cost)) {
            self.takes.remove(index);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait { ms: u64 },
    Take { cost: u32 },
    GiveBack { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..1_500u64).prop_map(|ms| Step::Wait { ms }),
        5 => (0..6u32).prop_map(|cost| Step::Take { cost }),
        2 => (0..64usize).prop_map(|which| Step::GiveBack { which }),
    ]
}

fn rule() -> impl Strategy<Value = QuotaRule> {
    (0..4, 1..1_000u64, 1..20u64).prop_map(|(kind, ms, limit)| {
        let window = Window { limit, length: Duration::from_millis(4 * ms) };
        match kind {
            0 => QuotaRule::Gcra(Gcra { interval: Duration::from_millis(ms), limit }),
            1 => QuotaRule::FixedWindow(window),
            2 => QuotaRule::SlidingWindow(window),
            _ => QuotaRule::Concurrency(window),
        }
    })
}

#[test]
fn quotas_count_as_the_reference_does() {
    each("the reference of quotas", |kind| {
        let cases_of = (prop::collection::vec(rule(), 1..4), prop::collection::vec(step(), 1..60));
        TestRunner::new(cases(kind))
            .run(&cases_of, |(rules, steps)| follow(&Subject::new(kind), &rules, steps))
            .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    });
}

fn follow(store: &Subject, rules: &[QuotaRule], steps: Vec<Step>) -> Result<(), TestCaseError> {
    let draws: Vec<Draw> =
        rules.iter().enumerate().map(|(index, rule)| Draw { quota: format!("q{index}").into(), rule: *rule }).collect();
    let mut references: Vec<Reference> = rules.iter().copied().map(Reference::new).collect();
    let mut taken: Vec<(u64, Take, u32)> = Vec::new();
    for step in steps {
        let now = store.now_ms();
        references.iter_mut().for_each(|reference| reference.pass(now));
        match step {
            Step::Wait { ms } => store.wait(ms),
            Step::Take { cost } => {
                let units = u64::from(cost);
                let fits = references.iter().all(|reference| reference.fits(now, units));
                let take = store.take("somebody", &draws, cost);
                prop_assert_eq!(take.admitted, fits, "{:?} at {}", take, now);
                if fits && cost > 0 {
                    references.iter_mut().for_each(|reference| reference.add(now, units));
                    taken.push((now, take, cost));
                }
                let remaining = references.iter().map(|reference| reference.remaining(now)).min();
                prop_assert_eq!(Some(take.remaining), remaining, "{:?} at {}", take, now);
                check_retry(store, &draws, rules, &take, cost)?;
            }
            Step::GiveBack { which } if !taken.is_empty() => {
                let (at, take, cost) = taken.swap_remove(which % taken.len());
                for (draw, reference) in draws.iter().zip(&mut references) {
                    store.give_back("somebody", draw, cost, take.at);
                    reference.give_back(now, at, cost.into());
                }
            }
            Step::GiveBack { .. } => {}
        }
    }
    // Once it is full, it is full, and no sooner.
    let look = store.take("somebody", &draws, 0);
    store.wait(millis(look.reset_after));
    let full = store.take("somebody", &draws, 0);
    prop_assert_eq!(Some(full.remaining), rules.iter().map(QuotaRule::limit).min(), "{:?}, then {:?}", look, full);
    Ok(())
}

/// It says when to come back exactly if that can help.
fn check_retry(
    store: &Subject,
    draws: &[Draw],
    rules: &[QuotaRule],
    take: &Take,
    cost: u32,
) -> Result<(), TestCaseError> {
    let possible = rules.iter().all(|rule| u64::from(cost) <= rule.limit());
    prop_assert_eq!(take.retry_after.is_some(), !take.admitted && possible, "{:?}", take);
    let exact = !rules.iter().any(QuotaRule::is_concurrency);
    if let Some(retry) = take.retry_after.filter(|_| exact && draws.len() == 1) {
        prop_assert!(!retry.is_zero(), "{:?} of {} at {}", take, cost, store.now_ms());
    }
    Ok(())
}

#[test]
fn a_late_give_back_admits_nothing_extra() {
    each("late give-backs", |kind| {
        let late = (0..10_000u64, 1..10u32);
        TestRunner::new(cases(kind))
            .run(&late, |(wait, cost)| {
                let store = Subject::new(kind);
                let rule = QuotaRule::Gcra(Gcra { interval: Duration::from_millis(500), limit: 10 });
                let draws = [Draw { quota: "q".into(), rule }];
                let first = store.take("a", &draws, cost);
                store.wait(wait);
                store.give_back("a", &draws[0], cost, first.at);
                prop_assert_eq!(store.take("a", &draws, 0).remaining, 10);
                prop_assert!(store.take("a", &draws, 10).admitted);
                prop_assert!(!store.take("a", &draws, 1).admitted);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    });
}

#[test]
fn what_is_tried_again_when_it_says_so_is_admitted() {
    each("retries", |kind| {
        let window = Window { limit: 3, length: Duration::from_millis(700) };
        let rate = Gcra { interval: Duration::from_millis(100), limit: 3 };
        for rule in [QuotaRule::Gcra(rate), QuotaRule::FixedWindow(window), QuotaRule::SlidingWindow(window)] {
            let store = Subject::new(kind);
            let draws = [Draw { quota: "q".into(), rule }];
            for wait in [10, 20] {
                assert!(store.take("a", &draws, 1).admitted);
                store.wait(wait);
            }
            let refused = store.take("a", &draws, 3);
            let retry = millis(refused.retry_after.unwrap());
            store.wait(retry - 1);
            assert!(!store.take("a", &draws, 3).admitted, "{kind:?} {rule:?}: too late by a millisecond: {refused:?}");
            store.wait(1);
            assert!(store.take("a", &draws, 3).admitted, "{kind:?} {rule:?}: {refused:?}");
        }
    });
}

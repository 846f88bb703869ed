use crate::clock::thread_cpu;
use crate::question::{Question, Request};
use anyhow::{Context, Result, ensure};
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

/// How many of a subject run in a row: enough for the clock, and few enough
/// for what was prepared to stay in the caches.
pub const BATCH: u32 = 64;

/// Somebody who was prepared: whether a request is allowed.
pub type Decide = Box<dyn FnMut(&Request) -> Result<bool>>;

/// Something that is timed.
pub struct Subject {
    key: &'static str,
    run: Box<dyn FnMut(u32) -> Duration>,
}

impl Subject {
    /// `work`, on what `prepare` makes, which the clock does not see. Whatever
    /// `work` returns is dropped within its time, as a request's end is part of
    /// the request.
    pub fn new<I: 'static, O>(
        key: &'static str,
        mut prepare: impl FnMut() -> I + 'static,
        mut work: impl FnMut(I) -> O + 'static,
    ) -> Self {
        let mut inputs = Vec::new();
        Self::timed(key, move |count| {
            inputs.extend((0..count).map(|_| prepare()));
            let began = thread_cpu();
            for input in inputs.drain(..) {
                drop(black_box(work(black_box(input))));
            }
            thread_cpu().saturating_sub(began)
        })
    }

    /// The decisions of `decide`.
    ///
    /// # Errors
    /// When it decides a request of `question` wrongly: that is not worth
    /// timing.
    pub fn deciding(key: &'static str, question: &Question, mut decide: Decide) -> Result<Self> {
        for (requests, expected) in [(&question.allowed, true), (&question.denied, false)] {
            for request in requests {
                let allowed = decide(request).with_context(|| format!("`{key}` on {}", request.0))?;
                ensure!(allowed == expected, "`{key}` decides wrongly: {}", request.0);
            }
        }
        let requests: Vec<_> = question.allowed.iter().cloned().map(Rc::new).collect();
        let mut next = 0;
        let ask = move || {
            next = (next + 1) % requests.len().max(1);
            requests.get(next).cloned()
        };
        Ok(Self::new(key, ask, move |request| request.map(|request| decide(&request))))
    }

    /// A subject that times itself: `run` takes the number of decisions.
    pub fn timed(key: &'static str, run: impl FnMut(u32) -> Duration + 'static) -> Self {
        Self { key, run: Box::new(run) }
    }

    /// Its key in the summary.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// Makes `count` decisions, in batches, and returns how long all took.
    pub fn run(&mut self, count: u32) -> Duration {
        let batches = (0..count / BATCH).map(|_| BATCH).chain([count % BATCH]);
        batches.filter(|count| *count > 0).map(|count| (self.run)(count)).sum()
    }
}

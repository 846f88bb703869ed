//! Goes back to an earlier generation, with the current keys.

use super::{Live, Turn};
use barmkin_admin::{Answered, Attempt, By, Outcome};
use barmkin_host::{Clock, SystemClock};
use serde_json::json;

impl Live {
    /// Has an earlier generation serve again, as was asked at `turn`. What is
    /// being loaded meanwhile replaces nothing, unless it was asked for later.
    pub(super) fn roll_back(&self, to: Option<u64>, by: &By, turn: Turn) -> Answered {
        let (past, compiled, keys) = {
            let state = self.state();
            let Some(past) = state.history.find(to).cloned() else {
                let problem = match to {
                    Some(number) => format!("there is no generation {number} in the history"),
                    None => "there is no earlier generation in the history".to_owned(),
                };
                tracing::warn!(%by, problem, "nothing was rolled back");
                return Answered { outcome: Outcome::NoSuchGeneration, body: json!({ "problem": problem }) };
            };
            let compiled = state.history.compiled(past.number);
            (past, compiled, state.config.keys().clone())
        };
        let built = self.gate.generation().next_with(&self.engine, &past.spec, &past.keys(&keys), &compiled);
        // A secret that was removed a moment ago must not serve again.
        self.withdraw();
        let mut state = self.state();
        let built = built.map_err(|errors| errors.to_string()).and_then(|built| {
            if state.history.find(Some(past.number)).is_none() {
                return Err(format!("generation {} has left the history meanwhile", past.number));
            }
            // Other keys may be in force by now.
            let granted = built.with_keys(&self.engine, &past.keys(state.config.keys()));
            Ok((granted.map_err(|errors| errors.to_string())?, built.compiled()))
        });
        match built {
            Ok((generation, compiled)) => {
                state.history.restore(past.number);
                state.history.keep(generation.images());
                state.turns.rolled_back = state.turns.rolled_back.max(Some(turn));
                let on_disk = state.config.spec().digest();
                state.left = (on_disk != past.configuration).then_some(on_disk);
                self.swap(generation);
                self.end(&mut state, Attempt::RolledBack, compiled, by)
            }
            Err(problem) => {
                state.history.note(Attempt::Refused, by, SystemClock.now(), Some(&problem));
                self.show(&state);
                tracing::error!(%by, problem, to = past.number, "nothing was rolled back");
                Answered { outcome: Outcome::Failed, body: json!({ "problem": problem }) }
            }
        }
    }
}

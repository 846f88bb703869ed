//! Takes what is on disk: read, built and proven while what serves goes on
//! serving.

use super::watch::Watch;
use super::{Live, Refused, State, Turn, warn};
use barmkin_admin::{Answered, Attempt, By, Outcome, rfc3339};
use barmkin_config::{Config, Files, LoadOptions, Report};
use barmkin_host::{Clock, Generation, SystemClock};
use serde_json::json;

/// The configuration that was on disk, and its files.
pub(super) type Read = (Result<Config, Report>, Files);

/// How what is on disk is to be taken.
enum Plan {
    /// It serves already.
    Nothing,
    /// Only its keys count: the rest was rolled back from.
    Keys,
    /// All of it.
    Whole,
}

/// Why what is on disk does not serve.
enum NotTaken {
    /// It cannot be used.
    Problem(String),
    /// A rollback was asked for later.
    Overtaken,
}

impl Live {
    /// Takes what is on disk, which was asked for at `turn`.
    pub(super) fn reload(&self, by: &By, turn: Turn, watch: &mut Watch) -> Answered {
        self.set_loading(Some((rfc3339(SystemClock.now()), by.to_string())));
        let read = self.read(watch);
        let answered = self.take_or_refuse(read, by, turn);
        self.set_loading(None);
        answered
    }

    /// Reads what is on disk.
    pub(super) fn read(&self, watch: &mut Watch) -> Read {
        let (config, files) = Config::read(&self.path, &LoadOptions::at(SystemClock.now()));
        // What serves may be put back where it was: it stays watched.
        let served = self.state().files.clone();
        let mut watched = files.watched();
        watched.extend(&served.watched());
        watch.follow(watched);
        (config, files)
    }

    /// Takes what was read, if it can be used.
    pub(super) fn take_or_refuse(&self, (config, files): Read, by: &By, turn: Turn) -> Answered {
        let contents = files.digest();
        let taken = match self.known_problem(by, contents) {
            Some(problem) => Err(problem),
            None => config.map_err(|report| report.to_string()).and_then(|config| self.take(config, files, by, turn)),
        };
        taken.unwrap_or_else(|problem| self.refuse(Refused { contents, problem }, by))
    }

    fn set_loading(&self, loading: Option<(String, String)>) {
        let mut state = self.state();
        state.loading = loading;
        self.show(&state);
    }

    /// The problem of what is on disk, if it was tried and has not changed
    /// since.
    fn known_problem(&self, by: &By, contents: [u8; 32]) -> Option<String> {
        let state = self.state();
        let refused = state.refused.as_ref().filter(|refused| *by == By::FileChange && refused.contents == contents);
        refused.map(|refused| refused.problem.clone())
    }

    /// Builds and proves `config`, and swaps it in.
    fn take(&self, config: Config, files: Files, by: &By, turn: Turn) -> Result<Answered, String> {
        let previous = self.gate.generation();
        let built = {
            let mut state = self.state();
            match plan(&state, &config, &files, by)? {
                Plan::Nothing => {
                    state.reads += 1;
                    return Ok(self.end(&mut state, Attempt::Unchanged, 0, by));
                }
                Plan::Keys => None,
                Plan::Whole => {
                    drop(state);
                    let built = config.build_after(&self.engine, &previous);
                    Some(built.map_err(|report| report.to_string())?)
                }
            }
        };
        match self.put_in_place(built, config, files, by, turn) {
            Ok(answered) => Ok(answered),
            Err(NotTaken::Problem(problem)) => Err(problem),
            Err(NotTaken::Overtaken) => Ok(self.overtaken(by)),
        }
    }

    /// Has `built` serve; of what was rolled back from, only the keys.
    fn put_in_place(
        &self,
        built: Option<Generation>,
        mut config: Config,
        files: Files,
        by: &By,
        turn: Turn,
    ) -> Result<Answered, NotTaken> {
        let is_rotated = config.store() != self.state().config.store();
        if is_rotated {
            self.credentials.renew(config.store()).map_err(NotTaken::Problem)?;
        }
        let mut built = built;
        let mut is_less = false;
        let mut state = loop {
            let withdrawals = self.state().withdrawals;
            // It may have taken a while: secrets may have gone since they were
            // read, and must not come back for a moment.
            let withdrawn = config.withdraw();
            is_less |= !withdrawn.is_empty();
            let regranted = built.as_ref().filter(|_| !withdrawn.is_empty());
            let regranted = regranted.map(|built| built.with_keys(&self.engine, config.keys())).transpose();
            built = regranted.map_err(|errors| NotTaken::Problem(errors.to_string()))?.or(built);
            let state = self.state();
            if state.withdrawals == withdrawals {
                break state;
            }
        };
        let is_overtaken = state.turns.rolled_back.is_some_and(|rolled_back| rolled_back > turn);
        let was_whole = built.is_some();
        let whole = built.filter(|_| !is_overtaken);
        let is_whole = whole.is_some();
        let generation = match whole {
            Some(generation) => generation,
            None => {
                let keys = state.history.serving().keys(config.keys());
                let regranted = self.gate.generation().with_keys(&self.engine, &keys);
                regranted.map_err(|errors| NotTaken::Problem(errors.to_string()))?
            }
        };
        let compiled = generation.compiled();
        let on_disk = config.spec().digest();
        if is_whole {
            state.left = None;
            if on_disk != state.history.serving().configuration {
                state.history.load(config.spec(), config.keys(), SystemClock.now(), by);
            }
            state.history.keep(generation.images());
        } else {
            state.left = (on_disk != state.history.serving().configuration).then_some(on_disk);
        }
        warn(&config);
        state.config = config;
        state.files = files;
        // INVARIANT (withdrawn since): the files were read before it was built.
        state.is_less = is_less;
        state.reads += 1;
        let previous = self.gate.generation();
        self.swap(generation);
        let answered = if was_whole && is_overtaken {
            state.refused = None;
            self.show(&state);
            Err(NotTaken::Overtaken)
        } else {
            Ok(self.end(&mut state, Attempt::Loaded, compiled, by))
        };
        drop(state);
        // It may be the last of it, and then takes its instances down.
        drop(previous);
        answered
    }

    /// Says that what is on disk does not serve, since an operator went back
    /// after it was asked for.
    fn overtaken(&self, by: &By) -> Answered {
        let problem = "an operator went back to an earlier generation after this was asked for: ask again to have it";
        let mut state = self.state();
        state.history.note(Attempt::Refused, by, SystemClock.now(), Some(problem));
        self.show(&state);
        tracing::warn!(%by, problem, "what is on disk does not serve");
        Answered { outcome: Outcome::Failed, body: json!({ "outcome": "overtaken", "problem": problem }) }
    }

    /// Says that what is on disk cannot be used, and withdraws what is gone.
    fn refuse(&self, refused: Refused, by: &By) -> Answered {
        let withdrawn = self.withdraw();
        let problem = refused.problem.clone();
        let mut state = self.state();
        let is_news = state.refused.as_ref().is_none_or(|before| before.problem != refused.problem);
        state.refused = Some(refused);
        let is_told = is_news || *by != By::FileChange || !withdrawn.is_empty();
        if is_told {
            state.history.note(Attempt::Refused, by, SystemClock.now(), Some(&problem));
            self.reloads.ended(Attempt::Refused);
        }
        // A client that has read the log and asks finds it so.
        self.show(&state);
        drop(state);
        if is_told {
            if withdrawn.is_empty() {
                tracing::error!(%by, problem, "what is on disk cannot be used: what served goes on serving");
            } else {
                tracing::error!(
                    %by, problem, ?withdrawn,
                    "what is on disk cannot be used: what served goes on serving, without the secrets that are gone"
                );
            }
        }
        let body = json!({
            "outcome": Attempt::Refused.as_str(),
            "problem": problem,
            "withdrawn": withdrawn,
            "generation": self.gate.generation().digest().to_string(),
        });
        Answered { outcome: Outcome::Failed, body }
    }
}

fn plan(state: &State, config: &Config, files: &Files, by: &By) -> Result<Plan, String> {
    let by_itself = *by == By::FileChange;
    let is_the_same = files.digest() == state.files.digest();
    // INVARIANT (withdrawn since).
    let serves = is_the_same && !state.is_less;
    if serves && state.refused.is_none() && (by_itself || state.left.is_none()) {
        return Ok(Plan::Nothing);
    }
    let differences = state.config.fixed().differences(config.fixed());
    if !differences.is_empty() {
        return Err(format!(
            "{} differ from what was read at the start\n  help: restart to change them, or put them back",
            differences.join(", ")
        ));
    }
    let is_left = by_itself && state.left == Some(config.spec().digest());
    Ok(if is_left { Plan::Keys } else { Plan::Whole })
}

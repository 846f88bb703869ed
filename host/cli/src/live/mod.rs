//! The generation that serves, and how it changes while it does.
//!
//! Three threads change it, so that none waits for what another compiles:
//! one loads what is on disk ([`loader`]), one withdraws secrets that are gone
//! ([`withdrawer`]), one carries out what operators order ([`orders`]). They
//! share a [`State`], whose lock is held only while one of them looks at it or
//! puts a finished generation in its place. Reading files and compiling happen
//! before; whatever changed meanwhile is looked at again under the lock.

mod history;
mod load;
mod loader;
mod nonces;
mod operate;
mod orders;
mod roll_back;
mod watch;
mod withdrawer;

#[cfg(test)]
mod interleaved;

pub(crate) use loader::compile_in_the_background;
pub(crate) use operate::Operate;
pub(crate) use orders::Orders;

use crate::load as loading;
use crate::store::Credentials;
use anyhow::{Result, bail};
use barmkin_admin::{Answered, Attempt, By, Outcome, Reloads, rfc3339};
use barmkin_config::{Config, Files, Fixed, Gone, LoadOptions, StoreConfig};
use barmkin_host::{Clock, Digest, Engine, Gate, Generation, Metrics, Services, Store, SystemClock};
use history::History;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The generation that serves, and how it came to.
pub(crate) struct Live {
    path: PathBuf,
    engine: Engine,
    gate: Arc<Gate>,
    state: Mutex<State>,
    reloads: Reloads,
    view: View,
    credentials: Credentials,
}

/// The state that the threads share.
struct State {
    /// The last configuration on disk that could be used. Its keys are those in force.
    config: Config,
    /// The files it was read from, or should have been.
    files: Files,
    history: History,
    /// The configuration on disk, if it was rolled back from: it does not come
    /// back by itself.
    left: Option<Digest>,
    /// The configuration on disk, if it cannot be used.
    refused: Option<Refused>,
    /// When each was ordered of what may change what serves.
    turns: Turns,
    /// Since when something is loaded, and by whom.
    loading: Option<(String, String)>,
    /// Whether something was withdrawn from `config` since `files` were read.
    //
    // INVARIANT (withdrawn since): what serves is what is on disk, less what was
    // withdrawn since that was read. So what is on disk serves already only if it
    // is what was read and nothing was withdrawn since: a secret that is put back
    // as it was makes no difference in the files, and has to be taken again.
    is_less: bool,
    /// How often secrets were withdrawn, and what is on disk was taken or found
    /// to serve already: a look at the files from before that is out of date.
    withdrawals: u64,
    reads: u64,
}

/// The order in which changes were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn(u64);

/// Hands out turns.
#[derive(Default)]
struct Turns {
    last: u64,
    /// The turn of the last rollback that was carried out.
    rolled_back: Option<Turn>,
}

impl Turns {
    fn next(&mut self) -> Turn {
        self.last += 1;
        Turn(self.last)
    }
}

/// The part of it that `/status` shows.
#[derive(Clone, Default)]
pub(crate) struct View(Arc<Mutex<Value>>);

impl View {
    pub(crate) fn get(&self) -> Value {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A configuration on disk that cannot be used.
struct Refused {
    /// The files, by their contents.
    contents: [u8; 32],
    problem: String,
}

/// The secrets that were gone when the files were looked at.
struct Looked {
    gone: Gone,
    /// [`State::reads`] before that.
    reads: u64,
}

/// A configuration that can be used as far as that is known before it is built, and
/// the files it was read from.
pub(crate) struct Found {
    path: PathBuf,
    config: Config,
    files: Files,
}

impl Found {
    /// Reads `path`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let (config, files) = Config::read(path, &LoadOptions::at(SystemClock.now()));
        let config = config?;
        warn(&config);
        if config.listeners().is_empty() {
            bail!("`{}` declares no listener\n  help: add a `[listen.NAME]`", path.display());
        }
        Ok(Self { path: path.to_owned(), config, files })
    }

    /// The part that a reload cannot change.
    pub(crate) fn fixed(&self) -> &Fixed {
        self.config.fixed()
    }
}

impl Live {
    /// Builds what was found, and has a gate by it.
    pub(crate) fn load(
        found: Found,
        open_store: impl FnOnce(&StoreConfig) -> Result<(Store, Credentials)>,
        (metrics, for_authors): (Arc<dyn Metrics>, bool),
        reloads: Reloads,
    ) -> Result<Self> {
        let Found { path, config, files } = found;
        let now = SystemClock.now();
        let (store, credentials) = open_store(config.store())?;
        let engine = loading::serving_engine(&config, &store)?;
        let services = Services { metrics, for_authors, ..Services::new(store) };
        let generation = config.build(&engine, services)?;
        tracing::info!(
            generation = %generation.digest(),
            configuration = %generation.configuration(),
            compiled = generation.compiled(),
            "loaded"
        );
        reloads.serves_since(now);
        let limits = config.fixed().limits;
        let mut history = History::begin(config.spec(), config.keys(), now);
        history.keep(generation.images());
        let state = State {
            config,
            files,
            history,
            left: None,
            refused: None,
            turns: Turns::default(),
            loading: None,
            is_less: false,
            withdrawals: 0,
            reads: 0,
        };
        let live = Self {
            path,
            engine,
            gate: Arc::new(Gate::with_limits(generation, limits)),
            state: Mutex::new(state),
            reloads,
            view: View::default(),
            credentials,
        };
        live.show(&live.state());
        Ok(live)
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn view(&self) -> View {
        self.view.clone()
    }

    /// Held for as long as it takes to look, or to put in place what is ready.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of a change that is asked for now.
    fn turn(&self) -> Turn {
        self.state().turns.next()
    }

    /// Withdraws the secrets that are gone from what serves, and says which.
    fn withdraw(&self) -> Vec<String> {
        loop {
            if let Some(withdrawn) = self.withdraw_gone(&self.look()) {
                return withdrawn;
            }
        }
    }

    /// Which secrets are gone.
    fn look(&self) -> Looked {
        let (whereabouts, reads) = {
            let state = self.state();
            (state.config.whereabouts(), state.reads)
        };
        Looked { gone: whereabouts.look(), reads }
    }

    /// Withdraws what was found to be gone, and says which secrets that is;
    /// `None` if the files were read meanwhile: what was gone may be back, and
    /// the loader, which saw it there, does not read it again.
    fn withdraw_gone(&self, looked: &Looked) -> Option<Vec<String>> {
        if looked.gone.is_empty() {
            return Some(Vec::new());
        }
        let mut state = self.state();
        if state.reads != looked.reads {
            return None;
        }
        let withdrawn: Vec<String> = state.config.withdraw_gone(&looked.gone).iter().map(ToString::to_string).collect();
        if !withdrawn.is_empty() {
            // INVARIANT (withdrawn since).
            state.is_less = true;
            state.withdrawals += 1;
            self.grant_again(&state, &withdrawn);
            self.show(&state);
        }
        Some(withdrawn)
    }

    /// Grants what serves the keys in force, which are fewer.
    fn grant_again(&self, state: &State, withdrawn: &[String]) {
        let keys = state.history.serving().keys(state.config.keys());
        match self.gate.generation().with_keys(&self.engine, &keys) {
            Ok(generation) => {
                self.swap(generation);
                withdrawn.iter().for_each(|secret| tracing::warn!("withdrawn: {secret}"));
                for (key, _) in state.config.keys().iter().filter(|(_, key)| key.secret_ids().next().is_none()) {
                    tracing::error!(key, "a key has no secret left: everything that is signed with it is refused");
                }
                self.reloads.withdrew(withdrawn.len());
            }
            // It was built with more keys before: fewer cannot fail.
            Err(problem) => tracing::error!(%problem, "secrets could not be withdrawn: restart"),
        }
    }

    fn swap(&self, generation: Generation) {
        self.gate.swap(generation);
        self.reloads.serves_since(SystemClock.now());
    }

    /// Says what serves now.
    fn end(&self, state: &mut State, attempt: Attempt, compiled: usize, by: &By) -> Answered {
        let generation = self.gate.generation();
        if attempt != Attempt::RolledBack {
            state.refused = None;
        }
        let number = state.history.serving().number;
        let is_news = attempt != Attempt::Unchanged || *by != By::FileChange;
        if is_news {
            self.reloads.ended(attempt);
            state.history.note(attempt, by, SystemClock.now(), None);
        }
        self.show(state);
        if is_news {
            tracing::info!(
                %by,
                number,
                generation = %generation.digest(),
                configuration = %generation.configuration(),
                compiled,
                "{}",
                attempt.as_str()
            );
        }
        let body = json!({
            "outcome": attempt.as_str(),
            "number": number,
            "generation": generation.digest().to_string(),
            "configuration": generation.configuration().to_string(),
            "compiled": compiled,
        });
        Answered { outcome: Outcome::Done, body }
    }

    /// Brings up to date what `/status` shows.
    fn show(&self, state: &State) {
        let generation = self.gate.generation();
        let keys: serde_json::Map<_, _> = state
            .config
            .keys()
            .iter()
            .map(|(name, key)| (name.to_owned(), key.secret_ids().collect::<Vec<_>>().into()))
            .collect();
        let shown = json!({
            "generation": {
                "number": state.history.serving().number,
                "digest": generation.digest().to_string(),
                "configuration": generation.configuration().to_string(),
                "rolled-back-from": state.left.map(|left| left.to_string()),
            },
            "keys": keys,
            "loading": state.loading.as_ref().map(|(since, by)| json!({ "since": since, "by": by })),
            "problem": state.refused.as_ref().map(|refused| &refused.problem),
            "history": state.history.generations(),
            "attempts": state.history.attempts(),
            "as-of": rfc3339(SystemClock.now()),
        });
        *self.view.0.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

fn warn(config: &Config) {
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
}

//! What serves, and how it changes while it does.
//!
//! One thread of low priority reads, builds and proves what is on disk, and
//! swaps it in; requests go on meanwhile. What cannot be used replaces
//! nothing, but secrets that are gone are withdrawn all the same.

mod history;
mod operate;
mod orders;
mod watch;

pub(crate) use operate::{Counts, Operate};
pub(crate) use orders::{Orders, compile_in_the_background};

use crate::load;
use anyhow::{Result, bail};
use barmkin_admin::{Answered, Attempt, By, Outcome, Reloads, rfc3339};
use barmkin_config::{Config, LoadOptions, StoreConfig, Watched};
use barmkin_host::{Clock, Digest, Engine, Gate, Generation, KeySource, Metrics, Services, Spec, Store, SystemClock};
use history::History;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use watch::Watch;

/// What serves, and how it came to.
pub(crate) struct Live {
    path: PathBuf,
    engine: Engine,
    gate: Arc<Gate>,
    /// What was last on disk and could be used. Its keys are those in force.
    config: Config,
    /// The files it was read from, by their contents.
    seen: [u8; 32],
    watched: Watched,
    history: History,
    /// The configuration on disk, if it was rolled back from: it does not come
    /// back by itself.
    left: Option<Digest>,
    /// What is on disk, if it cannot be used.
    refused: Option<Refused>,
    reloads: Reloads,
    view: View,
}

/// What `/status` shows of it.
#[derive(Clone, Default)]
pub(crate) struct View(Arc<Mutex<Value>>);

impl View {
    pub(crate) fn get(&self) -> Value {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is on disk and cannot be used.
struct Refused {
    /// The files, by their contents.
    contents: [u8; 32],
    problem: String,
}

/// How a change of what serves ended.
enum Change {
    Took { attempt: Attempt, compiled: usize },
    Nothing,
}

impl Live {
    /// Loads `path`, and has a gate by it.
    pub(crate) fn load(
        path: &Path,
        open_store: impl FnOnce(&StoreConfig) -> Result<Store>,
        metrics: Arc<dyn Metrics>,
        reloads: Reloads,
    ) -> Result<Self> {
        let now = SystemClock.now();
        let (config, files) = Config::read(path, &LoadOptions::at(now));
        let config = config?;
        warn(&config);
        if config.listeners().is_empty() {
            bail!("`{}` declares no listener: add a `[listen.NAME]`", path.display());
        }
        let store = open_store(config.store())?;
        let engine = load::serving_engine(&config, &store)?;
        let services = Services { metrics, ..Services::new(store) };
        let generation = config.build(&engine, services)?;
        tracing::info!(
            generation = %generation.digest(),
            configuration = %generation.configuration(),
            compiled = generation.compiled(),
            "loaded"
        );
        reloads.serves_since(now);
        let mut live = Self {
            path: path.to_owned(),
            engine,
            gate: Arc::new(Gate::new(generation)),
            seen: files.digest(),
            watched: files.watched(),
            history: History::begin(config.spec(), config.keys(), now),
            config,
            left: None,
            refused: None,
            reloads,
            view: View::default(),
        };
        live.show();
        Ok(live)
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn view(&self) -> View {
        self.view.clone()
    }

    /// Takes what is on disk.
    fn reload(&mut self, by: &By, watch: &mut Watch) -> Answered {
        let (config, files) = Config::read(&self.path, &LoadOptions::at(SystemClock.now()));
        let digest = files.digest();
        // What serves may be put back where it was: it stays watched.
        let mut watched = files.watched();
        watched.extend(&self.watched);
        watch.follow(watched);
        // What was tried, and has not changed since.
        let refused = self.refused.as_ref().filter(|refused| *by == By::FileChange && refused.contents == digest);
        let taken = match (config, refused.map(|refused| refused.problem.clone())) {
            (_, Some(problem)) => Err(problem),
            (Ok(config), None) => self.take(config, digest, by),
            (Err(report), None) => Err(report.to_string()),
        };
        match taken {
            Ok(change) => {
                self.watched = files.watched();
                self.end(change, by)
            }
            Err(problem) => self.refuse(Refused { contents: digest, problem }, by),
        }
    }

    /// Builds and proves `config`, and swaps it in.
    fn take(&mut self, config: Config, digest: [u8; 32], by: &By) -> Result<Change, String> {
        let by_itself = *by == By::FileChange;
        if digest == self.seen && self.refused.is_none() && (by_itself || self.left.is_none()) {
            return Ok(Change::Nothing);
        }
        let differences = self.config.fixed().differences(config.fixed());
        if !differences.is_empty() {
            return Err(format!(
                "{} differ from what was read at the start\n  help: restart to change them, or put them back",
                differences.join(", ")
            ));
        }
        let previous = self.gate.generation();
        let is_left = by_itself && self.left == Some(config.spec().digest());
        let generation = if is_left {
            // Only its keys count: the rest was rolled back from.
            let serving = self.history.serving();
            previous.next(&self.engine, &serving.spec, &serving.keys(config.keys())).map_err(|error| error.to_string())
        } else {
            config.build_after(&self.engine, &previous).map_err(|report| report.to_string())
        }?;
        let compiled = generation.compiled();
        if !is_left {
            self.left = None;
            if config.spec().digest() != self.history.serving().configuration {
                self.history.load(config.spec(), config.keys(), SystemClock.now(), by);
            }
        }
        warn(&config);
        self.config = config;
        self.seen = digest;
        self.swap(generation);
        Ok(Change::Took { attempt: Attempt::Loaded, compiled })
    }

    /// Says that what is on disk cannot be used, and withdraws what is gone.
    fn refuse(&mut self, refused: Refused, by: &By) -> Answered {
        let is_news = self.refused.as_ref().is_none_or(|before| before.problem != refused.problem);
        let withdrawn = self.withdraw();
        let problem = refused.problem.clone();
        self.refused = Some(refused);
        let is_told = is_news || *by != By::FileChange || !withdrawn.is_empty();
        if is_told {
            self.history.note(Attempt::Refused, by, SystemClock.now(), Some(&problem));
            self.reloads.ended(Attempt::Refused);
        }
        // Whoever reads the log and asks finds it so.
        self.show();
        if is_told {
            tracing::error!(%by, problem, "what is on disk cannot be used: what served goes on serving");
        }
        let body = json!({
            "outcome": Attempt::Refused.as_str(),
            "problem": problem,
            "withdrawn": withdrawn,
            "generation": self.gate.generation().digest().to_string(),
        });
        Answered { outcome: Outcome::Failed, body }
    }

    /// Goes back to an earlier generation, with the keys of now.
    fn roll_back(&mut self, to: Option<u64>, by: &By) -> Answered {
        let Some(past) = self.history.find(to).cloned() else {
            let problem = match to {
                Some(number) => format!("there is no generation {number} in the history"),
                None => "there is no earlier generation in the history".to_owned(),
            };
            tracing::warn!(%by, problem, "nothing was rolled back");
            return Answered { outcome: Outcome::NoSuchGeneration, body: json!({ "problem": problem }) };
        };
        // A secret that was removed a moment ago must not serve again.
        self.withdraw();
        let regranted = self.regrant(&past.spec, &past.keys(self.config.keys()));
        match regranted {
            Ok(compiled) => {
                self.history.restore(past.number);
                let on_disk = self.config.spec().digest();
                self.left = (on_disk != past.configuration).then_some(on_disk);
                self.end(Change::Took { attempt: Attempt::RolledBack, compiled }, by)
            }
            Err(problem) => {
                self.history.note(Attempt::Refused, by, SystemClock.now(), Some(&problem));
                self.show();
                tracing::error!(%by, problem, to = past.number, "nothing was rolled back");
                Answered { outcome: Outcome::Failed, body: json!({ "problem": problem }) }
            }
        }
    }

    /// Withdraws the secrets that are gone from what serves.
    fn withdraw(&mut self) -> Vec<String> {
        let withdrawn: Vec<String> = self.config.withdraw().iter().map(ToString::to_string).collect();
        if withdrawn.is_empty() {
            return withdrawn;
        }
        let serving = self.history.serving().clone();
        match self.regrant(&serving.spec, &serving.keys(self.config.keys())) {
            Ok(_) => {
                withdrawn.iter().for_each(|secret| tracing::warn!("withdrawn: {secret}"));
                self.reloads.withdrew(withdrawn.len());
            }
            // It was built with more keys before: fewer cannot fail.
            Err(problem) => tracing::error!(problem, "secrets could not be withdrawn: restart"),
        }
        withdrawn
    }

    fn regrant(&self, spec: &Spec, keys: &dyn KeySource) -> Result<usize, String> {
        let next = self.gate.generation().next(&self.engine, spec, keys).map_err(|errors| errors.to_string())?;
        let compiled = next.compiled();
        self.swap(next);
        Ok(compiled)
    }

    fn swap(&self, generation: Generation) {
        self.gate.swap(generation);
        self.reloads.serves_since(SystemClock.now());
    }

    /// Says what serves now.
    fn end(&mut self, change: Change, by: &By) -> Answered {
        let generation = self.gate.generation();
        let (attempt, compiled) = match change {
            Change::Took { attempt, compiled } => (attempt, compiled),
            Change::Nothing => (Attempt::Unchanged, 0),
        };
        if attempt != Attempt::RolledBack {
            self.refused = None;
        }
        let number = self.history.serving().number;
        let is_news = attempt != Attempt::Unchanged || *by != By::FileChange;
        if is_news {
            self.reloads.ended(attempt);
            self.history.note(attempt, by, SystemClock.now(), None);
        }
        self.show();
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
    fn show(&mut self) {
        let generation = self.gate.generation();
        let keys: serde_json::Map<_, _> = self
            .config
            .keys()
            .iter()
            .map(|(name, key)| (name.to_owned(), key.secret_ids().collect::<Vec<_>>().into()))
            .collect();
        let shown = json!({
            "generation": {
                "number": self.history.serving().number,
                "digest": generation.digest().to_string(),
                "configuration": generation.configuration().to_string(),
                "rolled-back-from": self.left.map(|left| left.to_string()),
            },
            "keys": keys,
            "problem": self.refused.as_ref().map(|refused| &refused.problem),
            "history": self.history.generations(),
            "attempts": self.history.attempts(),
            "as-of": rfc3339(SystemClock.now()),
        });
        *self.view.0.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

fn warn(config: &Config) {
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
}

//! `barmkin test`: decides cases, and compares.

use crate::load;
use crate::request::Written;
use anyhow::{Context, Result, bail};
use barmkin_config::Secrets;
use barmkin_host::limits::COMPONENT_BYTES_MAX;
use barmkin_host::{
    FixedClock, Gate, Generation, Grants, KeyRing, Member, MemoryStore, PolicySpec, Route, Services, Spec, Verdict,
};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Decides the cases of a file, and compares.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file with the cases (TOML), or a folder with a `cases.toml`.
    #[arg(default_value = ".")]
    cases: PathBuf,
}

/// A file of cases: against a configuration, or against one component.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Cases {
    #[serde(default)]
    configuration: Option<PathBuf>,
    #[serde(default)]
    component: Option<PathBuf>,
    #[serde(default)]
    settings: Option<serde_json::Value>,
    #[serde(default)]
    grants: ComponentGrants,
    cases: Vec<Case>,
}

/// What a component alone can be granted: the rest takes a configuration.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ComponentGrants {
    #[serde(default)]
    vouch: bool,
    #[serde(default)]
    sets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Case {
    name: String,
    /// When it is; now unless given.
    #[serde(default)]
    now: Option<jiff::Timestamp>,
    request: Written,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Expected {
    verdict: ExpectedVerdict,
    /// The reason of a deny. It must be given: a deny for another reason is
    /// another rule at work.
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    principal: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExpectedVerdict {
    Allow,
    Deny,
}

/// Bytes of a file of cases: bodies of tests stand in it.
const CASES_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let file = if args.cases.is_dir() { args.cases.join("cases.toml") } else { args.cases.clone() };
    let text = barmkin_files::read_text(&file, CASES_BYTES_MAX)
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    let cases: Cases = toml::from_str(&text).with_context(|| format!("`{}` is no file of cases", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let clock = Arc::new(FixedClock::default());
    let gate = Gate::new(generation(&cases, folder, clock.clone())?);
    let (mut passed, mut failed) = (0, 0);
    for case in cases.cases {
        let now = case.now.unwrap_or_else(jiff::Timestamp::now);
        clock.set_unix_ms(u64::try_from(now.as_millisecond()).context("a case is before 1970")?);
        let name = case.name;
        let (head, body) = case.request.into_parts().with_context(|| format!("case `{name}`"))?;
        match case.expect.compare(&gate.check_now(head, body)?) {
            Ok(()) => passed += 1,
            Err(difference) => {
                failed += 1;
                println!("case `{name}` in {}: {difference}", file.display());
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn generation(cases: &Cases, folder: &Path, clock: Arc<FixedClock>) -> Result<Generation> {
    let engine = load::engine(None)?;
    match (&cases.configuration, &cases.component) {
        (Some(file), None) => {
            let config = load::config(&folder.join(file), Secrets::Read)?;
            let services = Services { clock, ..load::services(&config) };
            load::generation(&config, &engine, services)
        }
        (None, Some(component)) => {
            let spec = alone(&folder.join(component), cases)?;
            let services = Services { clock, ..Services::new(MemoryStore::default()) };
            Ok(Generation::build(&engine, &spec, &KeyRing::default(), services)?)
        }
        _ => bail!("say what to test: either `configuration` or `component`"),
    }
}

/// One component on a route for everything.
fn alone(component: &Path, cases: &Cases) -> Result<Spec> {
    let bytes = barmkin_files::read(component, COMPONENT_BYTES_MAX)
        .with_context(|| format!("cannot read `{}` (`barmkin build` makes it)", component.display()))?;
    let mut policy = PolicySpec::new(bytes);
    policy.settings = cases.settings.clone().unwrap_or_else(|| serde_json::json!({}));
    policy.grants = Grants {
        vouch: cases.grants.vouch,
        sets: cases.grants.sets.iter().map(|name| name.parse()).collect::<Result<_, _>>().context("`sets`")?,
        ..Grants::default()
    };
    let mut route = Route::new("everything");
    route.chain = vec![Member::Policy("policy".to_owned())];
    // One that only restricts is content when it abstains.
    route.public = !cases.grants.vouch;
    Ok(Spec { policies: [("policy".to_owned(), policy)].into(), routes: vec![route], ..Spec::default() })
}

impl Expected {
    fn compare(&self, verdict: &Verdict) -> Result<(), String> {
        let reason = verdict.reason().map(|reason| reason.as_str());
        let found = match reason {
            None => "allow".to_owned(),
            Some(reason) => format!("deny `{reason}`"),
        };
        let expected = match (self.verdict, &self.reason) {
            (ExpectedVerdict::Allow, _) => "allow".to_owned(),
            (ExpectedVerdict::Deny, Some(reason)) => format!("deny `{reason}`"),
            (ExpectedVerdict::Deny, None) => return Err("a case that expects deny must say the `reason`".to_owned()),
        };
        if found != expected {
            return Err(format!("expected {expected}, got {found}{}", because(verdict)));
        }
        let principal = match verdict {
            Verdict::Allow(permit) => permit.principal().map(|principal| principal.id.as_str()),
            Verdict::Deny(_) => None,
        };
        match &self.principal {
            Some(expected) if principal != Some(expected) => Err(format!(
                "expected principal `{expected}`, got {}",
                principal.map_or("none".to_owned(), |id| format!("`{id}`"))
            )),
            _ => Ok(()),
        }
    }
}

fn because(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Deny(denial) if !denial.detail().is_empty() => format!(" because {}", denial.detail()),
        _ => String::new(),
    }
}

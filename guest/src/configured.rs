//! The two moments of a policy's life, wherever it runs.

use barmkin_by_name::ByName;
use serde_path_to_error::{Path, Segment};

use crate::extract::{Extract, Needs, Request};
use crate::host::Host;
use crate::rule::{Problems, Rule, Settings};
use crate::types::{Decision, Input, Manifest, SettingProblem};

/// Reads settings and declares what the rule needs.
pub(crate) fn configure<S: Settings>(text: impl AsRef<str>) -> Result<(S::Rule, Manifest), Vec<SettingProblem>> {
    let settings: S = read(text.as_ref()).map_err(Problems::into_vec)?;
    // What is built takes its place.
    drop(text);
    let rule = settings.build().map_err(Problems::into_vec)?;
    rule.validate().map_err(Problems::into_vec)?;
    let mut needs = Needs::new(rule.sets(), rule.vouches());
    <S::Rule as Rule>::Input::declare(&rule, &mut needs);
    Ok((rule, needs.into_manifest()?))
}

/// Decides one request.
pub(crate) fn check<R: Rule>(rule: &R, input: &Input, host: Host<'_>) -> Decision {
    match R::Input::extract(rule, &mut Request::new(input, host)) {
        Ok(input) => rule.check(input),
        Err(denial) => Decision::Deny(denial),
    }
}

fn read<S: Settings>(text: &str) -> Result<S, Problems> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer)
        .map(|ByName(settings)| settings)
        .map_err(|error| Problems::one(&setting_of(error.path()), message_of(error.inner()), ""))
}

/// Names and list indices, joined by dots.
fn setting_of(path: &Path) -> String {
    let steps = path.iter().filter_map(|step| match step {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    });
    steps.collect::<Vec<_>>().join(".")
}

/// Serde's message, without a position in the JSON, which nobody has written.
fn message_of(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => message,
    }
}

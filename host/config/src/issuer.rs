//! To issue API keys takes the pepper, as the policy will have it.

use crate::config::LoadOptions;
use crate::document::Document;
use crate::load::{self, Loaded};
use crate::report::Report;
use crate::resolve::{self, Context};
use crate::source::{FileId, Spot};
use barmkin_host::Key;
use std::path::Path;

/// The name by which the stock policy `api-key` knows its pepper.
const PEPPER: &str = "pepper";

/// The policy and the key with which API keys are issued.
#[derive(Debug)]
pub struct Issuer {
    /// The policy that will know the keys.
    pub policy: String,
    /// The key under which it hashes them.
    pub pepper: Key,
}

impl Issuer {
    /// Reads from `path` what `policy` hashes API keys with, whatever else is
    /// wrong there. Unless it is named, it is the one policy that has a pepper.
    ///
    /// # Errors
    /// When there is none, there are several, or its pepper cannot be used.
    pub fn load(path: &Path, options: &LoadOptions, policy: Option<&str>) -> Result<Self, Report> {
        let Loaded { mut sources, document, mut findings, mut files, .. } = load::load(path);
        let mut context = Context { sources: &mut sources, options, findings: &mut findings, files: &mut files };
        if let Some((policy, key)) = find(&document, policy, &mut context) {
            let pepper = resolve::key(key, &document.keys, &mut context);
            if let Some(pepper) = pepper.filter(|pepper| pepper.hash_to_keep(&[]).is_some()) {
                return Ok(Self { policy: policy.to_owned(), pepper });
            }
            let message = format!("key `{key}`, the pepper of policy `{policy}`, cannot hash keys");
            let help = "give it `algorithm = \"keyed-hash-sha256\"` and a secret that can be read";
            context
                .findings
                .error(document.keys.get(key).map_or(Spot::File(FileId::MAIN), |key| (&key.site).into()), message)
                .help(help);
        }
        let report = findings.finish(&sources).err();
        Err(report.unwrap_or(Report { findings: Vec::new() }))
    }
}

/// The policy, and the key that it is granted as its pepper.
fn find<'d>(document: &'d Document, named: Option<&str>, context: &mut Context<'_>) -> Option<(&'d str, &'d str)> {
    let peppered = document.policies.iter().filter_map(|(name, policy)| {
        let key = policy.value.grants.keys.get(PEPPER)?;
        named.is_none_or(|named| named == name).then_some((name.as_str(), key.as_str()))
    });
    let found: Vec<_> = peppered.collect();
    let (message, help) = match (found.as_slice(), named) {
        ([only], _) => return Some(*only),
        ([], Some(named)) => (format!("there is no policy `{named}` with a pepper"), "grant it one: `keys = { pepper = \"..\" }`".to_owned()),
        ([], None) => (
            "no policy has a pepper".to_owned(),
            "declare one with `component = \"stock:api-key\"` and `grants = { keys = { pepper = \"..\" }, vouch = true }`".to_owned(),
        ),
        (several, _) => {
            let names: Vec<_> = several.iter().map(|(name, _)| format!("`{name}`")).collect();
            ("several policies have a pepper".to_owned(), format!("name one with `--policy`: {}", names.join(", ")))
        }
    };
    context.findings.error(Spot::File(FileId::MAIN), message).help(help);
    None
}

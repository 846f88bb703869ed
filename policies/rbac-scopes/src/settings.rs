use std::collections::BTreeMap;

use barmkin_guest::prelude::*;
use serde::Deserialize;

use crate::RbacScopes;
use crate::path::Pattern;
use crate::reason::REASONS;
use crate::roles::{RoleSetting, Roles};
use crate::scopes::{Needed, Scope, Scopes};
use crate::tree::{Clash, Tree};

/// Lets a caller do what its roles and scopes allow. It stands behind the policy that
/// says who calls; the rule with the most specific path decides, and what no rule
/// speaks of is denied.
#[policy(rule = RbacScopes, reasons = REASONS, example = "../example.toml")]
pub struct Settings {
    /// Roles by their names. A caller has the scopes that it came with, and those of
    /// its roles.
    #[serde(default)]
    roles: BTreeMap<String, RoleSetting>,
    /// The scopes that requests need.
    rules: Vec<RuleSetting>,
    /// Whether having what is needed lets a request in, for which the policy needs the
    /// grant `vouch`. Defaults to false: another policy of the chain has to let it in.
    #[serde(default)]
    vouch: bool,
}

/// The scopes that requests with these methods and paths need. Without scopes, any
/// principal will do.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RuleSetting {
    /// In upper case. Defaults to all of them. GET is for HEAD, too, unless
    /// another rule for the same path names HEAD.
    #[serde(default)]
    methods: Box<[String]>,
    /// Text, `*` or `{name}` for one segment, and `**` for all the rest. Text
    /// may be percent-encoded: `%2A` is an asterisk.
    path: String,
    /// Scopes of which the caller needs all.
    #[serde(default)]
    scopes: Box<[String]>,
    /// Scopes of which the caller needs one.
    #[serde(default)]
    any_scope: Box<[String]>,
}

impl TryFrom<Settings> for RbacScopes {
    type Error = Problems;

    fn try_from(settings: Settings) -> Result<Self, Problems> {
        let mut scopes = Scopes::default();
        let roles = Roles::expand(&settings.roles, &mut scopes)?;
        let rules = rules(settings.rules, &mut scopes)?;
        Ok(Self { roles, rules, vouch: settings.vouch })
    }
}

fn rules(settings: Vec<RuleSetting>, scopes: &mut Scopes) -> Result<Tree<Needed>, Problems> {
    let mut tree = Tree::new();
    let mut problems = Problems::new();
    for (index, rule) in settings.into_iter().enumerate() {
        if let Err(more) = insert(&mut tree, index, rule, scopes) {
            problems.extend(more);
        }
    }
    problems.or(tree)
}

fn insert(tree: &mut Tree<Needed>, index: usize, rule: RuleSetting, scopes: &mut Scopes) -> Result<(), Problems> {
    let at = |name| format!("rules.{index}.{name}");
    if let Some(scope) = rule.scopes.iter().chain(&rule.any_scope).find(|it| !Scopes::is_token(it)) {
        let problem = format!("`{scope}` is not a scope");
        return Err(Problems::one(&at("scopes"), problem, "scopes have no spaces and no quotes"));
    }
    if let Some(method) = rule.methods.iter().find(|method| !is_method(method)) {
        let problem = format!("`{method}` is not a method");
        return Err(Problems::one(&at("methods"), problem, "write methods in upper case"));
    }
    let pattern = Pattern::parse(&rule.path).map_err(|(problem, help)| Problems::one(&at("path"), problem, help))?;
    let mut known = |names: Box<[String]>| names.into_iter().map(|name| Scope::new(name, scopes)).collect();
    let needed = Needed { all_of: known(rule.scopes), any_of: known(rule.any_scope) };
    tree.insert(index, &pattern, rule.methods, needed).map_err(|clash| match clash {
        Clash::Tie(other) => Problems::one(
            &at("path"),
            format!("`{}` ties with `rules.{other}`", rule.path),
            "join the two rules, or give them different methods",
        ),
        Clash::Case(known, text) => Problems::one(
            &at("path"),
            format!("`{text}` and `{known}` differ only in case"),
            "many backends would not tell them apart: use one of them",
        ),
    })
}

/// Every method in use is upper case, and one that is not is a slip.
fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

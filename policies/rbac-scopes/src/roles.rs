//! Roles, and the scopes they come to with all that they inherit.

use std::collections::BTreeMap;

use barmkin_guest::{Problems, Schema};
use serde::Deserialize;

use crate::scopes::{ScopeSet, Scopes};

/// A role.
#[derive(Debug, Default, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RoleSetting {
    /// Roles whose scopes it has too.
    #[serde(default)]
    pub(crate) inherits: Vec<String>,
    /// Scopes that it has.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
}

/// The scopes of each role, in the order of their names.
#[derive(Debug)]
pub(crate) struct Roles(Vec<(String, ScopeSet)>);

impl Roles {
    /// The scopes of a role; none of one that the settings do not know.
    pub(crate) fn scopes(&self, role: &str) -> Option<&ScopeSet> {
        let found = self.0.binary_search_by(|(name, _)| name.as_str().cmp(role));
        found.ok().and_then(|index| self.0.get(index)).map(|(_, scopes)| scopes)
    }

    pub(crate) fn expand(settings: &BTreeMap<String, RoleSetting>, scopes: &mut Scopes) -> Result<Self, Problems> {
        let mut expansion = Expansion { settings, scopes, done: BTreeMap::new(), problems: Problems::new() };
        for name in settings.keys() {
            expansion.expand(name, &mut Vec::new());
        }
        let Expansion { done, problems, .. } = expansion;
        problems.or(Self(done.into_iter().map(|(name, set)| (name.to_owned(), set)).collect()))
    }
}

struct Expansion<'a> {
    settings: &'a BTreeMap<String, RoleSetting>,
    scopes: &'a mut Scopes,
    done: BTreeMap<&'a str, ScopeSet>,
    problems: Problems,
}

impl<'a> Expansion<'a> {
    /// `heirs` are the roles that led here, each inheriting from the next.
    fn expand(&mut self, name: &'a str, heirs: &mut Vec<&'a str>) -> ScopeSet {
        if let Some(done) = self.done.get(name) {
            return done.clone();
        }
        let Some(role) = self.settings.get(name) else {
            return self.unknown(name, heirs);
        };
        if heirs.contains(&name) {
            return self.circle(name, heirs);
        }
        let mut set = ScopeSet::default();
        for scope in &role.scopes {
            set.insert(self.scopes.bit(scope));
        }
        heirs.push(name);
        for inherited in &role.inherits {
            set.add(&self.expand(inherited, heirs));
        }
        heirs.pop();
        self.done.insert(name, set.clone());
        set
    }

    fn unknown(&mut self, name: &str, heirs: &[&str]) -> ScopeSet {
        let heir = heirs.last().copied().unwrap_or_default();
        self.problems.add(
            &format!("roles.{heir}.inherits"),
            format!("there is no role `{name}`"),
            "define it, or leave it out",
        );
        ScopeSet::default()
    }

    fn circle(&mut self, name: &str, heirs: &[&str]) -> ScopeSet {
        let heir = heirs.last().copied().unwrap_or_default();
        self.problems.add(
            &format!("roles.{heir}.inherits"),
            format!("`{name}` inherits from itself"),
            "take one of the roles out of the circle",
        );
        ScopeSet::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the definition: what can be reached from a role, it has.
        #[test]
        fn a_role_has_what_it_can_reach(edges in proptest::collection::vec((0..12_usize, 0..12_usize), 0..30)) {
            let name = |index: usize| format!("role-{index}");
            let mut settings: BTreeMap<_, _> = (0..12)
                .map(|index| {
                    let scopes = vec![format!("scope-{index}")];
                    (name(index), RoleSetting { inherits: Vec::new(), scopes })
                })
                .collect();
            let mut reaches = [[false; 12]; 12];
            for (index, row) in reaches.iter_mut().enumerate() {
                row[index] = true;
            }
            // Only towards higher numbers: no circles.
            for (from, to) in edges.into_iter().filter(|(from, to)| from < to) {
                settings.get_mut(&name(from)).unwrap().inherits.push(name(to));
                reaches[from][to] = true;
            }
            for via in 0..12 {
                for from in 0..12 {
                    for to in 0..12 {
                        reaches[from][to] |= reaches[from][via] && reaches[via][to];
                    }
                }
            }
            let mut scopes = Scopes::default();
            let roles = Roles::expand(&settings, &mut scopes).unwrap();
            for (from, row) in reaches.iter().enumerate() {
                let set = roles.scopes(&name(from)).unwrap();
                for (to, reached) in row.iter().enumerate() {
                    prop_assert_eq!(set.contains(scopes.bit(&format!("scope-{to}"))), *reached);
                }
            }
        }
    }

    #[test]
    fn circles_and_unknown_roles_are_problems() {
        let role = |inherits: &[&str]| RoleSetting {
            inherits: inherits.iter().map(|name| (*name).to_owned()).collect(),
            scopes: Vec::new(),
        };
        let problems = |settings: BTreeMap<String, RoleSetting>| {
            let problems = Roles::expand(&settings, &mut Scopes::default()).unwrap_err();
            problems.into_vec().into_iter().map(|it| it.problem).collect::<Vec<_>>()
        };
        let circle = [("a", role(&["b"])), ("b", role(&["a"]))];
        let circle = circle.map(|(name, role)| (name.to_owned(), role));
        assert_eq!(problems(circle.into()), ["`a` inherits from itself"]);
        let unknown = [("a".to_owned(), role(&["ghost"]))];
        assert_eq!(problems(unknown.into()), ["there is no role `ghost`"]);
    }
}

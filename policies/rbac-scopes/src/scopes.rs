//! Scopes, as bits: which there are, which somebody holds, and which a rule
//! needs.

use std::collections::BTreeMap;

use barmkin_guest::types::Principal;

use crate::roles::Roles;

/// The scopes that settings speak of, each with a bit of its own.
#[derive(Debug, Default)]
pub(crate) struct Scopes(BTreeMap<String, usize>);

impl Scopes {
    pub(crate) fn bit(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    /// Whether it can be sent in a challenge as it is: a `scope-token` of
    /// RFC 6749, section 3.3.
    pub(crate) fn is_token(name: &str) -> bool {
        let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        !name.is_empty() && name.bytes().all(fits)
    }
}

/// A set of scopes, by their bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopeSet(Vec<u64>);

const WORD_BITS: usize = u64::BITS as usize;

impl ScopeSet {
    pub(crate) fn insert(&mut self, bit: usize) {
        let word = bit / WORD_BITS;
        self.reach(word + 1);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (bit % WORD_BITS);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.reach(other.0.len());
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Makes it this many `words` long, if it is shorter, and takes no more memory
    /// than that.
    fn reach(&mut self, words: usize) {
        if let Some(missing) = words.checked_sub(self.0.len()) {
            self.0.reserve_exact(missing);
            self.0.resize(words, 0);
        }
    }

    pub(crate) fn contains(&self, bit: usize) -> bool {
        self.0.get(bit / WORD_BITS).is_some_and(|word| word & (1 << (bit % WORD_BITS)) != 0)
    }
}

/// A scope that a rule needs.
#[derive(Debug)]
pub(crate) struct Scope {
    name: String,
    bit: usize,
}

impl Scope {
    pub(crate) fn new(name: String, scopes: &mut Scopes) -> Self {
        Self { bit: scopes.bit(&name), name }
    }

    fn is_held_by(&self, principal: &Principal, granted: &[&ScopeSet]) -> bool {
        granted.iter().any(|set| set.contains(self.bit)) || principal.scopes.contains(&self.name)
    }
}

/// The scopes that a rule needs.
#[derive(Debug)]
pub(crate) struct Needed {
    pub(crate) all_of: Box<[Scope]>,
    /// Empty where there is no choice.
    pub(crate) any_of: Box<[Scope]>,
}

impl Needed {
    /// The challenge to a principal with too few scopes (RFC 6750, section
    /// 3.1).
    pub(crate) fn challenge(&self) -> String {
        // Of a choice the first is named: a client must not ask for all.
        let named = self.all_of.iter().chain(self.any_of.first()).map(|scope| scope.name.as_str());
        let scope = named.collect::<Vec<_>>().join(" ");
        format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")
    }

    /// The message to the operator: the scopes that are needed, and those that
    /// the principal has.
    pub(crate) fn shortfall(&self, principal: &Principal, roles: &Roles) -> String {
        let names = |scopes: &[Scope]| scopes.iter().map(|scope| format!("`{}`", scope.name)).collect::<Vec<_>>();
        let mut needed = names(&self.all_of);
        if !self.any_of.is_empty() {
            needed.push(format!("one of {}", names(&self.any_of).join(", ")));
        }
        let mut held: Vec<_> = principal
            .roles
            .iter()
            .map(|role| match roles.scopes(role) {
                Some(_) => format!("role `{role}`"),
                None => format!("role `{role}`, which is not defined"),
            })
            .collect();
        held.extend(principal.scopes.iter().map(|scope| format!("scope `{scope}`")));
        let held = if held.is_empty() { "no role and no scope".to_owned() } else { held.join(", ") };
        format!("{} needed; `{}` has {held}", needed.join(" and "), principal.id)
    }

    pub(crate) fn is_held_by(&self, principal: &Principal, roles: &Roles) -> bool {
        let granted: Vec<_> = principal.roles.iter().filter_map(|role| roles.scopes(role)).collect();
        let held = |scope: &Scope| scope.is_held_by(principal, &granted);
        self.all_of.iter().all(held) && (self.any_of.is_empty() || self.any_of.iter().any(held))
    }
}

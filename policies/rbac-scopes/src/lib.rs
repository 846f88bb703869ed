//! The stock policy `rbac-scopes`: roles to scopes to methods and paths.
//!
//! A principal holds the scopes it came with, and those of its roles. The rule
//! with the most specific path decides which of them a request needs; what no
//! rule speaks of is denied. All that can be worked out when the policy is
//! configured is: a request is matched, and a few bits are looked at.

mod path;
mod reason;
mod roles;
mod scopes;
mod settings;
mod tree;

use barmkin_guest::prelude::*;

use reason::{AMBIGUOUS_PATH, INSUFFICIENT_SCOPE, NO_RULE};
use roles::Roles;
use scopes::Needed;
pub use settings::Settings;
use tree::{Reading, Tree};

/// Roles, and what they may do.
pub struct RbacScopes {
    roles: Roles,
    rules: Tree<Needed>,
    vouch: bool,
}

impl Rule for RbacScopes {
    type Input<'a> = (&'a Principal, Method<'a>, Path<'a>);

    fn check(&self, (principal, method, path): Self::Input<'_>) -> Decision {
        let exact = self.rules.find(&method, &path, Reading::Exact);
        let folded = self.rules.find(&method, &path, Reading::CaseFolded);
        // A backend that does not tell cases apart would serve what another
        // rule guards.
        if exact.map(|(rule, _)| rule) != folded.map(|(rule, _)| rule) {
            return AMBIGUOUS_PATH.deny().detail("in another case the path is subject to another rule");
        }
        let Some((_, needed)) = exact else {
            return NO_RULE.deny().detail(format!("no rule is for {} {}", &*method, &*path));
        };
        if !needed.is_held_by(principal, &self.roles) {
            return INSUFFICIENT_SCOPE
                .deny()
                .detail(needed.shortfall(principal, &self.roles))
                .header("www-authenticate", needed.challenge());
        }
        if self.vouch { vouch() } else { abstain() }
    }

    fn vouches(&self) -> bool {
        self.vouch
    }
}

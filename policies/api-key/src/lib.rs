//! The stock policy `api-key`: callers by their keys.
//!
//! Only keyed hashes of the keys are in the settings. The host makes the hash
//! of the key that a request carries, under a secret (the *pepper*) that never
//! enters this sandbox: who reads the configuration can neither use a key nor
//! find one by guessing.

mod credential;
mod places;
mod reason;
mod settings;
mod table;
mod time;

use barmkin_guest::prelude::*;
use barmkin_guest::types::Cardinality;

use places::Places;
use reason::{NO_USABLE_KEY, UNKNOWN_API_KEY};
pub use settings::Settings;
use table::{Entry, Table};

name!(
    /// The key under which keys are hashed.
    pub Pepper = "pepper"
);

/// Callers by their keys.
pub struct ApiKeys {
    places: Places,
    table: Table,
}

impl NamesHeaders for ApiKeys {
    fn header_names(&self) -> impl Iterator<Item = (&str, Cardinality)> {
        self.places.headers()
    }
}

impl NamesQueryParameters for ApiKeys {
    fn query_parameter_names(&self) -> impl Iterator<Item = &str> {
        self.places.query_parameters()
    }
}

impl Rule for ApiKeys {
    type Input<'a> = (Now, NamedHeaders<'a>, NamedQueryParameters<'a>, Key<'a, Pepper, KeyedHashSha256>);

    fn check(&self, (now, headers, parameters, pepper): Self::Input<'_>) -> Decision {
        let key = match self.places.key(|index| headers.all(index), |index| parameters.get(index)) {
            Ok(key) => key,
            Err(reason) => return self.refuse(reason),
        };
        let hashes = pepper.keyed_hash(key.as_bytes());
        if hashes.is_empty() {
            // No secret is in force: that is the operator's to mend, not the caller's.
            return NO_USABLE_KEY.deny().header("retry-after", "30");
        }
        let Some(entry) = hashes.iter().find_map(|hash| self.table.get(hash)) else {
            return self.refuse(UNKNOWN_API_KEY);
        };
        if let Some(reason) = entry.refused_at(now.unix_ms()) {
            return self.refuse(reason).detail(format!("key `{}` of `{}`", entry.id, entry.principal));
        }
        allow(principal(entry, now))
    }

    fn vouches(&self) -> bool {
        true
    }
}

impl ApiKeys {
    fn refuse(&self, reason: Reason) -> Decision {
        let challenges = self.places.challenges();
        challenges.fold(reason.deny(), |denial, challenge| denial.header("www-authenticate", challenge))
    }
}

fn principal(entry: &Entry, now: Now) -> Principal {
    let mut principal = Principal::service(&entry.principal).by("api-key");
    principal.tenant.clone_from(&entry.tenant);
    principal.roles.clone_from(&entry.roles);
    principal.scopes.clone_from(&entry.scopes);
    principal.attributes.clone_from(&entry.attributes);
    principal.authenticated_at_unix_ms = Some(now.unix_ms());
    principal
}

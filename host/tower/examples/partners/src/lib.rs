//! The policy of the example `embedded`.

use barmkin_guest::prelude::*;

name!(Partner = "x-partner");

/// Lets listed partners in.
#[policy]
struct Partners {
    allowed: Vec<String>,
}

impl Rule for Partners {
    // Using an input is declaring it: nothing else crosses into the sandbox.
    type Input<'a> = Header<'a, Partner>;

    fn check(&self, partner: Self::Input<'_>) -> Decision {
        match partner.get() {
            Some(id) if self.allowed.iter().any(|allowed| allowed == id) => allow(Principal::service(id)),
            _ => deny(403, "unknown-partner"),
        }
    }

    fn vouches(&self) -> bool {
        true
    }
}

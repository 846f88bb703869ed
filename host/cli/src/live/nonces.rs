//! Nonces, as operators see and repair them.

use barmkin_admin::{Answered, By, Nonces, Outcome};
use barmkin_host::{Generation, Listed};
use serde_json::{Value, json};

/// Nonces that are shown of a space.
const LISTED_MAX: usize = 1_000;

/// Looks into a nonce space of `generation`, or frees a nonce of it.
pub(super) async fn answer(generation: &Generation, wanted: Nonces, by: &By) -> Answered {
    let (Nonces::List { space } | Nonces::Forget { space, .. }) = &wanted;
    if !generation.has_nonce_space(space) {
        return not_done(Outcome::NoSuchNonce, format!("there is no nonce space `{}`", space.escape_debug()));
    }
    let store = generation.store();
    match wanted {
        Nonces::List { space } => match store.list(&space, LISTED_MAX).await {
            Ok(listed) => {
                let nonces: Vec<_> = listed.iter().map(shown).collect();
                let is_all = nonces.len() < LISTED_MAX;
                done(json!({ "space": space, "nonces": nonces, "all": is_all }))
            }
            Err(error) => not_done(Outcome::Failed, error.to_string()),
        },
        Nonces::Forget { space, digest } => match store.forget(&space, &digest).await {
            Ok(true) => {
                let digest = hex::encode(digest);
                tracing::info!(%by, space, delivery = digest, "a nonce was forgotten: what has it is let in once more");
                done(json!({ "outcome": "forgotten", "space": space, "digest": digest }))
            }
            Ok(false) => not_done(Outcome::NoSuchNonce, format!("`{space}` has no such nonce")),
            Err(error) => not_done(Outcome::Failed, error.to_string()),
        },
    }
}

fn shown(listed: &Listed) -> Value {
    let Listed { digest, expires_in, held_for } = listed;
    json!({
        "digest": hex::encode(digest),
        "state": if held_for.is_some() { "in-progress" } else { "used" },
        "expires-in-seconds": expires_in.as_secs(),
    })
}

fn done(body: Value) -> Answered {
    Answered { outcome: Outcome::Done, body }
}

fn not_done(outcome: Outcome, problem: String) -> Answered {
    Answered { outcome, body: json!({ "outcome": "not-done", "problem": problem }) }
}

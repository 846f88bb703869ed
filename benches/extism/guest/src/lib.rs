//! The decision of the bench: a role of the caller must have the method, and
//! the beginning of the path.

use extism_pdk::{FnResult, Json, plugin_fn};
use serde::Deserialize;

/// Name, method, and what its paths begin with.
static ROLES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/roles.rs"));

/// The fields of the request that it reads; serde passes over the rest.
#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    claims: Claims,
}

#[derive(Deserialize)]
struct Claims {
    roles: Vec<String>,
}

#[plugin_fn]
pub fn check(Json(request): Json<Request>) -> FnResult<&'static str> {
    let allowed = ROLES.iter().any(|(name, method, below)| {
        request.claims.roles.iter().any(|held| held == name)
            && request.method == *method
            && request.path.starts_with(below)
    });
    Ok(if allowed { "allow" } else { "deny" })
}

//! May somebody with these claims do this? Fifty roles, each with a method and
//! a part of the paths.

use serde::{Deserialize, Serialize};
use serde_json::json;

/// How many roles there are.
const ROLES: usize = 50;

/// The rules, and requests to decide by them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Who may do what.
    pub roles: Vec<Role>,
    /// Requests that are allowed, one for each role.
    pub allowed: Vec<Request>,
    /// Requests that are denied: as the ones above, from somebody else.
    pub denied: Vec<Request>,
}

/// A role, and what it may do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The method.
    pub method: String,
    /// Paths that begin with this, which ends in a slash.
    pub below: String,
}

/// A request as JSON text: an object with its `method`, its `path`, its twenty
/// `headers`, an object too, and the `claims` of its caller, verified already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request(pub String);

impl Question {
    /// Fifty roles, and a request to allow and one to deny for each.
    #[must_use]
    pub fn of_fifty_roles() -> Self {
        let roles = (0..ROLES).map(|n| Role {
            name: format!("role-{n}"),
            method: if n % 2 == 0 { "GET" } else { "POST" }.to_owned(),
            below: format!("/v1/area-{n}/"),
        });
        let roles: Vec<_> = roles.collect();
        let others = roles.iter().cycle().skip(1);
        let allowed = roles.iter().map(|role| Request::new(role, &role.name)).collect();
        let denied = roles.iter().zip(others).map(|(role, other)| Request::new(role, &other.name)).collect();
        Self { roles, allowed, denied }
    }
}

impl Request {
    fn new(role: &Role, held: &str) -> Self {
        let headers: serde_json::Map<_, _> =
            HEADERS.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let request = json!({
            "method": role.method,
            "path": format!("{}items/7", role.below),
            "headers": headers,
            "claims": {
                "sub": "b2c5a7a2-6a3e-4b52-9a6f-0d1c51d1e6aa",
                "iss": "https://id.example.com/",
                "aud": "https://api.example.com/",
                "exp": 1_795_482_000,
                "iat": 1_795_478_400,
                "tenant": "acme",
                "roles": ["reader", held],
            },
        });
        Self(request.to_string())
    }
}

/// The fields that a browser sends through a proxy to an API.
const HEADERS: [(&str, &str); 20] = [
    ("host", "api.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    ("accept", "application/json, text/plain, */*"),
    ("accept-language", "en-GB,en;q=0.7,de;q=0.3"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://app.example.com/orders"),
    ("origin", "https://app.example.com"),
    ("connection", "keep-alive"),
    ("cookie", "session=6f1ed002ab5595859014ebf0951522d9; theme=dark; consent=2026-03"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-site"),
    ("priority", "u=4"),
    ("pragma", "no-cache"),
    ("cache-control", "no-cache"),
    ("x-request-id", "7f8c1c1e-40a5-4bb1-8a1e-4c1d8f6a7a55"),
    ("x-forwarded-for", "192.0.2.17"),
    ("x-forwarded-proto", "https"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("x-client-version", "2026.11.3"),
];

//! Paths that the proxies or backends behind them rewrite, and claims of other
//! paths and methods.

use super::attacks::Expect::{Arrives, Judged, Never};
use super::attacks::{Case, attack, case, get};
use super::front::Front;

/// Spellings of what anonymous clients may not have.
const GUARDED: [&str; 24] = [
    "/admin",
    "/admin/",
    "//admin",
    "/./admin",
    "/public/../admin",
    "/public/%2e%2e/admin",
    "/public/%2E%2e%2fadmin",
    "/public%2f..%2fadmin",
    "/public/..;/admin",
    "/%61dmin",
    "/%2561dmin",
    "/ADMIN",
    "/admin%2f",
    "/admin;x=1",
    "/public\\..\\admin",
    "/public/..%5cadmin",
    "/admin%00",
    "/admin/%09",
    "/admin?/public",
    "/v1/items",
    "/v1//items",
    "/%76%31/items",
    "/public/../../v1/items",
    "///v1/items",
];

/// Fields in which somebody might say that another path or method was meant.
const CLAIMS: [&str; 14] = [
    "X-Original-URI: /public\r\n",
    "X-Original-URL: /public\r\n",
    "X-Original-URL: http://api.example.com/public\r\n",
    "X-Forwarded-Uri: /public\r\n",
    "X-Forwarded-Uri: /public\r\nX-Forwarded-Uri: /public\r\n",
    "X-Original-URI: /public\r\nX-Forwarded-Uri: /public\r\nX-Original-URL: /public\r\n",
    "X-Rewrite-URL: /public\r\n",
    "X_Original_Uri: /public\r\n",
    "X_Forwarded_Uri: /public\r\n",
    "X-Envoy-Original-Path: /public\r\n",
    "X-Auth-Request-Redirect: /public\r\n",
    "X-Forwarded-Prefix: /public\r\n",
    "Forwarded: for=127.0.0.1;proto=https;host=api.example.com\r\n",
    "X-Accel-Redirect: /public\r\n",
];

#[test]
fn no_spelling_of_a_path_passes() {
    let mut cases: Vec<Case> = GUARDED.iter().map(|target| case(*target, Never, get(target, ""))).collect();
    cases.push(case("a fragment", Judged, get("/public#/../admin", "")));
    cases.push(case("dots in the query", Judged, get("/public?/../admin", "")));
    cases.push(case("an ordinary path", Arrives, get("/public/a%20b?x=%zz", "")));
    attack(&Front::ALL, &cases);
}

#[test]
fn a_clients_own_claims_decide_nothing() {
    let mut cases: Vec<Case> =
        CLAIMS.iter().map(|claim| case(format!("/admin, {claim}"), Never, get("/admin", claim))).collect();
    for claim in ["X-Forwarded-Method: GET\r\n", "X-Original-Method: GET\r\n", "X-HTTP-Method: GET\r\n"] {
        let request = get("/v1/items", &format!("x-api-key: reader-key\r\n{claim}")).replacen("GET", "DELETE", 1);
        cases.push(case(format!("DELETE, {claim}"), Never, request));
    }
    // Nor do they keep an honest client out, behind whatever it sits. Failed
    // before through nginx and Caddy, where they came along with the call.
    for claim in ["X-Forwarded-Uri: /elsewhere\r\n", "X-Original-URI: /elsewhere\r\n", "X-Original-Method: POST\r\n"] {
        cases.push(case(format!("/public, {claim}"), Arrives, get("/public", claim)));
    }
    attack(&Front::ALL, &cases);
}

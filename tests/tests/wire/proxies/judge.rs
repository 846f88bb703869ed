//! Rules for everything that arrives at the origin, from any sender.

use super::origin::Arrived;
use percent_encoding::percent_decode_str;

/// Why `arrived` must not have: the rules let anonymous clients to
/// `api.example.com` outside `/admin` and `/v1`, `reader` to `/v1`, and nobody
/// who attacks here to `/admin`.
pub(super) fn fault(arrived: &Arrived) -> Option<String> {
    let Arrived::Request { line, fields } = arrived else {
        return None;
    };
    let values = |name: &str| -> Vec<&str> {
        fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    };
    let target = line.split(' ').nth(1).unwrap_or_default();
    let host = values("host");
    let [host] = host[..] else { return Some(format!("{} hosts", host.len())) };
    let name = host.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    if name != "api.example.com" {
        return Some(format!("it arrived for host `{host}`, which has no route"));
    }
    let principal = values("barmkin-principal");
    let spellings = fields.iter().filter(|(field, _)| field.replace('_', "-") == "barmkin-principal").count();
    if spellings > 1 || spellings != principal.len() || principal.iter().any(|principal| *principal != "reader") {
        return Some(format!("principals {principal:?} in {spellings} fields"));
    }
    if !target.starts_with('/') {
        return Some(format!("target `{target}` is not a path"));
    }
    let path = read_loosely(target);
    let is_below = |folder: &str| path == folder || path.starts_with(&format!("{folder}/"));
    if is_below("/admin") || (is_below("/v1") && principal.is_empty()) {
        return Some(format!("`{target}` arrived as {principal:?}"));
    }
    // The gate's own, or Envoy's, which it trusts.
    let ids = values("x-request-id");
    if ids.len() != 1
        || !matches!(ids[0].len(), 32 | 36)
        || !ids[0].bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    {
        return Some(format!("request ids {ids:?} are a client's"));
    }
    let options: Vec<_> = values("connection").iter().flat_map(|value| value.split(',')).map(str::trim).collect();
    let plain =
        |option: &&str| ["close", "keep-alive", "upgrade"].iter().any(|known| option.eq_ignore_ascii_case(known));
    if !options.iter().all(plain) {
        return Some(format!("connection options {options:?} take fields away behind the proxy"));
    }
    let upgrades = values("upgrade");
    let websocket = upgrades.len() == 1 && upgrades[0].eq_ignore_ascii_case("websocket");
    if !(upgrades.is_empty() || websocket) || !values("http2-settings").is_empty() {
        return Some(format!("it asks for a change to {upgrades:?}"));
    }
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    if lengths.len() > 1
        || !codings.iter().all(|coding| *coding == "chunked")
        || !(lengths.is_empty() || codings.is_empty())
    {
        return Some(format!("framed by {lengths:?} and {codings:?}"));
    }
    None
}

/// The path as the most lenient backend reads it.
fn read_loosely(target: &str) -> String {
    let mut path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
    for _ in 0..3 {
        path = percent_decode_str(&path).decode_utf8_lossy().replace('\\', "/");
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()) {
        match segment.trim_matches(['\0', '\t']) {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/")).to_lowercase()
}

#[test]
fn the_judge_sees_what_it_must() {
    let request = |line: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("host", "api.example.com"), ("x-request-id", "0123456789abcdef0123456789abcdef")];
        fields.extend(more);
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fault(&Arrived::Request { line: line.to_owned(), fields })
    };
    assert_eq!(request("GET /public HTTP/1.1", &[]), None);
    assert_eq!(request("GET /v1/items HTTP/1.1", &[("barmkin-principal", "reader")]), None);
    for path in ["/admin", "//ADMIN/x", "/x/%2e%2e/admin", "/%2561dmin", "/x\\..\\admin;y/", "/v1/items"] {
        assert!(request(&format!("GET {path} HTTP/1.1"), &[]).is_some(), "{path}");
    }
    for field in [
        ("barmkin-principal", "admin"),
        ("barmkin-principal", ""),
        ("barmkin_principal", "reader"),
        ("host", "x"),
        ("upgrade", "h2c"),
        ("connection", "barmkin-principal"),
        ("transfer-encoding", "gzip, chunked"),
    ] {
        assert!(request("GET /public HTTP/1.1", &[field]).is_some(), "{field:?}");
    }
}

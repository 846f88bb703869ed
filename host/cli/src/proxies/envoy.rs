//! Envoy, over gRPC or HTTP.

use super::template::Values;
use super::{CLAIMS, Gate, Printing};
use barmkin_config::ListenerKind;

pub(super) fn print(values: Values, gate: &Gate<'_>, args: &Printing) -> String {
    let (body_bytes, client_certificate, by_grpc) = match &gate.listener.kind {
        ListenerKind::ExtAuthz { body_bytes_max, client_certificate } => (*body_bytes_max, *client_certificate, true),
        _ => (None, false, false),
    };
    let present = |present: bool| present.then(String::new);
    let patterns: Vec<_> = gate.fields.iter().map(|field| format!("{{ exact: {field} }}")).collect();
    let values = values
        .when("grpc", present(by_grpc))
        .when("http", present(!by_grpc))
        .when("client_certificate", present(client_certificate))
        .when("body_bytes", body_bytes.map(|bytes| bytes.to_string()))
        .text("claims", CLAIMS.join(", "))
        .text("patterns", patterns.join(", "))
        .text("upstream_address", socket(&args.upstream.to_string()));
    values.fill(include_str!("../../templates/proxies/envoy.yaml.in"))
}

/// A `host:port` as Envoy writes it.
pub(super) fn socket(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    format!("{{ socket_address: {{ address: \"{host}\", port_value: {port} }} }}")
}

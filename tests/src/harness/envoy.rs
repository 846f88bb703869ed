//! A real Envoy that asks the gate by ext_authz.

use super::net::{free_address, wait_until};
use super::process::Process;
use super::raw::Request;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A running Envoy.
pub struct Envoy {
    process: Process,
    address: SocketAddr,
}

impl Envoy {
    /// Bytes of body that it hands to the gate; past them it answers 413.
    pub const BODY_BYTES_MAX: u32 = 64 * 1024;

    /// Starts `program` in front of `upstream`, with `gate` deciding: an
    /// address, or the path of a Unix socket.
    pub fn start(program: &Path, gate: &Gate<'_>, upstream: SocketAddr) -> Self {
        let (address, admin) = (free_address(), free_address());
        let mut process = Process::start(|folder| {
            let file = folder.join("envoy.json");
            let bootstrap = bootstrap(address, admin, gate, upstream);
            std::fs::write(&file, bootstrap.to_string()).expect("a file for its configuration");
            let mut command = Command::new(program);
            command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "-c"]).arg(file);
            command
        });
        let is_live = || Request::new("GET", "/ready", "admin").send(admin).is_ok_and(|answer| answer.status == 200);
        let ready = wait_until(is_live, || process.is_alive());
        process.expect("Envoy", ready);
        Self { process, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

/// Where the gate is.
pub enum Gate<'a> {
    /// On a port.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(&'a Path),
    /// On a port, asked by HTTP and not by gRPC: without bodies.
    Http(SocketAddr),
}

fn bootstrap(address: SocketAddr, admin: SocketAddr, gate: &Gate<'_>, upstream: SocketAddr) -> Value {
    let http2 = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        },
    });
    let (at, options, service) = match gate {
        Gate::Tcp(address) => (socket(*address), http2, by_grpc()),
        Gate::Unix(path) => (json!({ "pipe": { "path": path } }), http2, by_grpc()),
        Gate::Http(address) => (socket(*address), json!({}), by_http()),
    };
    json!({
        "admin": { "address": socket(admin) },
        "static_resources": {
            "listeners": [{
                "name": "in",
                "address": socket(address),
                "filter_chains": [{ "filters": [connection_manager(&service)] }],
            }],
            "clusters": [
                cluster("gate", &at, options),
                cluster("upstream", &socket(upstream), json!({})),
            ],
        },
    })
}

/// The HTTP side: what a listener that is guarded by the gate should have.
fn connection_manager(ext_authz: &Value) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in",
            "route_config": {
                "virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }],
                }],
            },
            "http_filters": [
                {
                    "name": "envoy.filters.http.ext_authz",
                    "typed_config": ext_authz,
                },
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    },
                },
            ],
        },
    })
}

/// As the documentation of `barmkin-envoy` has it.
fn by_grpc() -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "grpc_service": { "envoy_grpc": { "cluster_name": "gate" }, "timeout": "5s" },
        "failure_mode_allow": false,
        "encode_raw_headers": true,
        "with_request_body": {
            "max_request_bytes": Envoy::BODY_BYTES_MAX,
            "allow_partial_message": false,
            "pack_as_bytes": true,
        },
    })
}

/// As the documentation of `barmkin-forward-auth` has it.
fn by_http() -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "failure_mode_allow": false,
        "http_service": {
            "server_uri": { "uri": "http://gate", "cluster": "gate", "timeout": "5s" },
            "authorization_response": {
                "allowed_upstream_headers": {
                    "patterns": [{ "exact": "barmkin-principal" }, { "exact": "x-request-id" }],
                },
            },
        },
        "allowed_headers": { "patterns": [{ "safe_regex": { "regex": ".*" } }] },
    })
}

fn cluster(name: &str, address: &Value, options: Value) -> Value {
    json!({
        "name": name,
        "connect_timeout": "5s",
        "typed_extension_protocol_options": options,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } })
}

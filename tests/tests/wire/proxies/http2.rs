//! The same in HTTP/2, where hosts and methods are fields of their own.

use super::front::Front;
use super::judge;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};
use std::net::SocketAddr;

/// A request, as pseudo-fields and fields; whether it must arrive.
struct Case {
    name: &'static str,
    method: &'static str,
    uri: &'static str,
    fields: &'static [(&'static str, &'static str)],
    arrives: Option<bool>,
}

const API: &str = "http://api.example.com/public";

const CASES: [Case; 20] = [
    Case { name: "a plain request", method: "GET", uri: API, fields: &[], arrives: Some(true) },
    Case { name: "another host", method: "GET", uri: API, fields: &[("host", "admin.example.com")], arrives: None },
    Case {
        name: "another authority",
        method: "GET",
        uri: "http://admin.example.com/public",
        fields: &[("host", "api.example.com")],
        arrives: Some(false),
    },
    Case {
        name: "a list of hosts",
        method: "GET",
        uri: API,
        fields: &[("host", "admin.example.com,api.example.com")],
        arrives: None,
    },
    Case {
        name: "two hosts",
        method: "GET",
        uri: API,
        fields: &[("host", "api.example.com"), ("host", "admin.example.com")],
        arrives: None,
    },
    Case {
        name: "a method in lower case",
        method: "get",
        uri: "http://api.example.com/admin",
        fields: &[],
        arrives: Some(false),
    },
    Case { name: "a method in mixed case", method: "Post", uri: API, fields: &[], arrives: None },
    Case {
        name: "what is guarded",
        method: "GET",
        uri: "http://api.example.com/admin",
        fields: &[],
        arrives: Some(false),
    },
    Case {
        name: "dots",
        method: "GET",
        uri: "http://api.example.com/public/../admin",
        fields: &[],
        arrives: Some(false),
    },
    Case {
        name: "two slashes",
        method: "GET",
        uri: "http://api.example.com//admin",
        fields: &[],
        arrives: Some(false),
    },
    Case {
        name: "an encoded slash",
        method: "GET",
        uri: "http://api.example.com/public%2f..%2fadmin",
        fields: &[],
        arrives: Some(false),
    },
    Case { name: "another scheme", method: "GET", uri: "https://api.example.com/public", fields: &[], arrives: None },
    Case {
        name: "a principal",
        method: "GET",
        uri: API,
        fields: &[("barmkin-principal", "admin")],
        arrives: Some(true),
    },
    Case {
        name: "two principals",
        method: "GET",
        uri: API,
        fields: &[("barmkin-principal", "a"), ("barmkin-principal", "b")],
        arrives: Some(true),
    },
    Case {
        name: "a principal with an underscore",
        method: "GET",
        uri: API,
        fields: &[("barmkin_principal", "admin")],
        arrives: None,
    },
    Case {
        name: "a key",
        method: "GET",
        uri: "http://api.example.com/v1/items",
        fields: &[("x-api-key", "reader-key"), ("barmkin-principal", "admin")],
        arrives: Some(true),
    },
    Case {
        name: "a claim of another path",
        method: "GET",
        uri: "http://api.example.com/admin",
        fields: &[("x-forwarded-uri", "/public"), ("x-original-uri", "/public")],
        arrives: Some(false),
    },
    Case {
        name: "a claim of another host",
        method: "GET",
        uri: "http://admin.example.com/public",
        fields: &[("x-forwarded-host", "api.example.com")],
        arrives: Some(false),
    },
    Case { name: "a body length", method: "GET", uri: API, fields: &[("content-length", "5")], arrives: None },
    Case { name: "a request id", method: "GET", uri: API, fields: &[("x-request-id", "forged")], arrives: Some(true) },
];

#[test]
fn http2_is_judged_alike() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut faults = Vec::new();
    for front in [Front::NginxHttp2, Front::Caddy, Front::Haproxy, Front::Envoy, Front::EnvoyHttp] {
        let Some(setup) = front.start() else { continue };
        for case in &CASES {
            let status = runtime.block_on(send(setup.address, case));
            let arrived = setup.origin.take();
            let fault = arrived.iter().find_map(judge::fault);
            let unexpected = case
                .arrives
                .is_some_and(|arrives| arrives != (arrived.len() == 1))
                .then(|| format!("{status:?}: {arrived:?}"));
            faults.extend(fault.or(unexpected).map(|fault| format!("{front:?}, `{}`: {fault}", case.name)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Sends it on a connection of its own; gives the status, if there is one.
async fn send(address: SocketAddr, case: &Case) -> Option<u16> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(case.method.as_bytes()).unwrap();
    *request.uri_mut() = case.uri.parse::<Uri>().unwrap();
    *request.version_mut() = Version::HTTP_2;
    for (name, value) in case.fields {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let answer = async {
        let (response, _) = sender.ready().await.ok()?.send_request(request, true).ok()?;
        Some(response.await.ok()?.status().as_u16())
    };
    let status = tokio::time::timeout(std::time::Duration::from_secs(10), answer).await.ok().flatten();
    connection.abort();
    status
}

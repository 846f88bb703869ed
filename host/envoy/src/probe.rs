//! Asks an `ext_authz` service as Envoy would: for tests and measurements.

use envoy_types::ext_authz::v3::pb::{CheckRequest, CheckResponse, HeaderValue};
use envoy_types::pb::envoy::config::core::v3::HeaderMap;
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::google::protobuf::value::Kind;
use std::io;
use std::net::SocketAddr;
use tonic::transport::{Channel, Endpoint};

/// A connection to an `ext_authz` service. Clones share it.
#[derive(Clone, Debug)]
pub struct Probe(AuthorizationClient<Channel>);

/// The answer of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Probed {
    /// The generation that decided.
    pub generation: String,
    /// The reason of a deny; `None` for an allow.
    pub reason: Option<String>,
    /// Who is asking, if somebody is.
    pub principal: Option<String>,
}

impl Probe {
    /// Connects to a service.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let endpoint = Endpoint::try_from(format!("http://{address}")).map_err(io::Error::other)?;
        Ok(Self(AuthorizationClient::new(endpoint.connect().await.map_err(io::Error::other)?)))
    }

    /// Asks about a GET of `path` with `fields`.
    ///
    /// # Errors
    /// When there is no answer, or one that says neither who decided nor what.
    pub async fn get(&self, path: &str, fields: &[(&str, &str)]) -> io::Result<Probed> {
        let field = |(key, value): &(&str, &str)| HeaderValue {
            key: (*key).to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..HeaderValue::default()
        };
        let http = HttpRequest {
            method: "GET".into(),
            path: path.into(),
            host: "probe.test".into(),
            scheme: "https".into(),
            header_map: Some(HeaderMap { headers: fields.iter().map(field).collect() }),
            ..HttpRequest::default()
        };
        let request = Request { http: Some(http), ..Request::default() };
        let attributes = AttributeContext { request: Some(request), ..AttributeContext::default() };
        let request = CheckRequest { attributes: Some(attributes) };
        let response = self.0.clone().check(request).await.map_err(io::Error::other)?.into_inner();
        probed(&response).ok_or_else(|| io::Error::other(format!("this is no verdict: {response:?}")))
    }
}

fn probed(response: &CheckResponse) -> Option<Probed> {
    let text = |name: &str| match response.dynamic_metadata.as_ref()?.fields.get(name)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.clone()),
        _ => None,
    };
    let (allowed, reason) = (response.status.as_ref()?.code == 0, text("reason"));
    (allowed == reason.is_none()).then_some(())?;
    Some(Probed { generation: text("generation")?, reason, principal: text("principal") })
}

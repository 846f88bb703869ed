//! How proxies ask, and what they can pass on.

use http::{HeaderName, StatusCode};

/// How a proxy asks, and what it can pass on.
///
/// The examples remove or overwrite one field that the gate sets,
/// `x-principal`; each needs a line for every field that the operator's gate
/// sets (`barmkin check` lists them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx's `auth_request`. It passes on 401 and 403 only and answers 500
    /// for any other; so every other deny comes as 403.
    ///
    /// ```nginx
    /// location / {
    ///     auth_request /_gate;
    ///     auth_request_set $gate_principal $upstream_http_x_principal;
    ///     proxy_set_header x-principal $gate_principal;
    ///     proxy_pass http://127.0.0.1:3000;
    /// }
    /// location = /_gate {
    ///     internal;
    ///     proxy_pass http://127.0.0.1:9003;
    ///     proxy_pass_request_body off;
    ///     proxy_set_header content-length "";
    ///     proxy_set_header x-original-method $request_method;
    ///     proxy_set_header x-original-uri $request_uri;
    ///     proxy_set_header x-forwarded-proto $scheme;
    ///     proxy_set_header x-forwarded-host $http_host;
    ///     proxy_set_header x-forwarded-for $remote_addr;
    /// }
    /// ```
    Nginx,
    /// Caddy's `forward_auth`, which sets the fields by itself.
    ///
    /// ```text
    /// route {
    ///     forward_auth 127.0.0.1:9003 {
    ///         uri /
    ///         copy_headers x-principal
    ///     }
    ///     reverse_proxy 127.0.0.1:3000
    /// }
    /// ```
    ///
    /// Versions of Caddy that copy only fields with a value need
    /// `request_header -x-principal` before `forward_auth`.
    Caddy,
    /// Traefik's `ForwardAuth`, which sets the fields by itself. It removes
    /// every field of `authResponseHeaders` before it copies, so that what is
    /// to be removed is left out of the answer.
    ///
    /// ```yaml
    /// middlewares:
    ///   gate:
    ///     forwardAuth:
    ///       address: http://127.0.0.1:9003/
    ///       authResponseHeaders: [x-principal]
    /// ```
    Traefik,
    /// HAProxy with the Lua actions of `haproxy-auth-request`. What the
    /// endpoint needs is set on the request before the action; the last line
    /// refuses when the endpoint cannot be reached. The action joins the values
    /// of a field that comes twice, so that the gate cannot tell.
    ///
    /// ```text
    /// http-request del-header x-principal
    /// http-request set-header x-forwarded-method %[method]
    /// http-request set-header x-forwarded-uri %[pathq]
    /// http-request set-header x-forwarded-proto https
    /// http-request set-header x-forwarded-host %[req.hdr(host)]
    /// http-request set-header x-forwarded-for %[src]
    /// http-request lua.auth-intercept gate / GET * x-principal *
    /// http-request deny if !{ var(txn.auth_response_successful) -m bool }
    /// ```
    Haproxy,
    /// Envoy's `ext_authz` with an `http_service`. It sends the request's own
    /// method, host and path. Only 200 allows, so that a deny which
    /// acknowledges comes as 202; a status from 500 on would count as a
    /// failure of this endpoint, and comes as 403. gRPC mode carries bodies:
    /// prefer it.
    ///
    /// ```yaml
    /// http_service:
    ///   server_uri: {uri: http://127.0.0.1:9003, cluster: gate, timeout: 1s}
    ///   path_prefix: /gate
    ///   authorization_response:
    ///     allowed_upstream_headers: {patterns: [{exact: x-principal}]}
    /// allowed_headers: {patterns: [{safe_regex: {regex: ".*"}}]}
    /// ```
    EnvoyHttp {
        /// As `path_prefix` above; empty when there is none.
        path_prefix: String,
    },
}

/// Where a call says what the request was about.
pub(crate) enum Carriage<'a> {
    /// In fields, beside `x-forwarded-host`.
    Fields { method: HeaderName, target: HeaderName },
    /// In its own line and `host`.
    RequestLine { path_prefix: &'a str },
}

/// How an answer says that a field must not reach the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// With an empty value, which the proxy copies over the client's.
    EmptyValue,
    /// With nothing: the proxy removes it first.
    Absence,
    /// By name, in a field for that.
    Named(HeaderName),
}

impl Dialect {
    pub(crate) fn carriage(&self) -> Carriage<'_> {
        let (method, target) = match self {
            Self::Nginx => ("x-original-method", "x-original-uri"),
            Self::Caddy | Self::Traefik | Self::Haproxy => ("x-forwarded-method", "x-forwarded-uri"),
            Self::EnvoyHttp { path_prefix } => return Carriage::RequestLine { path_prefix },
        };
        Carriage::Fields { method: HeaderName::from_static(method), target: HeaderName::from_static(target) }
    }

    pub(crate) fn removal(&self) -> Removal {
        match self {
            Self::Nginx | Self::Caddy | Self::Haproxy => Removal::EmptyValue,
            Self::Traefik => Removal::Absence,
            Self::EnvoyHttp { .. } => Removal::Named(HeaderName::from_static("x-envoy-auth-headers-to-remove")),
        }
    }

    /// The status that makes the proxy refuse, as near to `denied` as it can
    /// pass on.
    ///
    /// INVARIANT (a deny is no allow): never one that this proxy takes for an
    /// allow.
    pub(crate) fn refusing(&self, denied: StatusCode) -> StatusCode {
        match self {
            Self::Nginx if matches!(denied, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => denied,
            Self::Nginx => StatusCode::FORBIDDEN,
            Self::Caddy | Self::Traefik | Self::Haproxy if denied.as_u16() < 300 => StatusCode::FORBIDDEN,
            Self::EnvoyHttp { .. } if denied == StatusCode::OK => StatusCode::ACCEPTED,
            Self::EnvoyHttp { .. } if denied.is_server_error() => StatusCode::FORBIDDEN,
            Self::Caddy | Self::Traefik | Self::Haproxy | Self::EnvoyHttp { .. } => denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;
    use http::StatusCode;

    #[test]
    fn no_deny_has_a_status_that_allows() {
        let envoy = Dialect::EnvoyHttp { path_prefix: String::new() };
        for code in 200..600 {
            let denied = StatusCode::from_u16(code).unwrap();
            for dialect in [Dialect::Nginx, Dialect::Caddy, Dialect::Traefik, Dialect::Haproxy] {
                assert!(!dialect.refusing(denied).is_success(), "{dialect:?} {denied}");
            }
            assert!(matches!(Dialect::Nginx.refusing(denied).as_u16(), 401 | 403));
            assert_ne!(envoy.refusing(denied), StatusCode::OK);
            assert!(!envoy.refusing(denied).is_server_error());
        }
        assert_eq!(Dialect::Caddy.refusing(StatusCode::TOO_MANY_REQUESTS), StatusCode::TOO_MANY_REQUESTS);
    }
}

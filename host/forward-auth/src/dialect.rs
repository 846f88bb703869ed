//! How proxies ask, and what they can pass on.

use http::{HeaderName, StatusCode};

/// How a proxy asks, and what it can pass on.
///
/// `docs/proxies/` has a configuration for each, which `barmkin check --for`
/// prints with the names and addresses of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx's `auth_request`, also as ingress-nginx writes it. It passes on
    /// 401 and 403 only and answers 500 for any other, so every other deny
    /// comes as 403, with its own status in `barmkin-status` for the lines that
    /// answer the client.
    Nginx,
    /// Caddy's `forward_auth`, which sets the fields by itself.
    Caddy,
    /// Traefik's `ForwardAuth`, which sets the fields by itself. It removes
    /// every field of `authResponseHeaders` before it copies, so what is to be
    /// removed is left out of the answer.
    Traefik,
    /// HAProxy with a Lua action, which `barmkin check --for haproxy-lua` prints.
    Haproxy,
    /// Envoy's `ext_authz` with an `http_service`. It sends the request's own
    /// method, host and path. Only 200 allows, so a deny that acknowledges
    /// comes as 202; a status from 500 on would count as a failure of this
    /// endpoint, and comes as 403. gRPC mode carries bodies: prefer it.
    EnvoyHttp {
        /// As `path_prefix` of the `http_service`; empty when there is none.
        path_prefix: String,
    },
}

/// Where a call says what the request was about.
pub(crate) enum Carriage<'a> {
    /// In fields, beside `x-forwarded-proto` and `x-forwarded-host`.
    Fields {
        method: HeaderName,
        target: HeaderName,
        /// Whether `x-original-url` may say scheme, host and target at once.
        url: bool,
    },
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
        Carriage::Fields {
            method: HeaderName::from_static(method),
            target: HeaderName::from_static(target),
            url: *self == Self::Nginx,
        }
    }

    pub(crate) fn removal(&self) -> Removal {
        match self {
            Self::Nginx | Self::Caddy | Self::Haproxy => Removal::EmptyValue,
            Self::Traefik => Removal::Absence,
            Self::EnvoyHttp { .. } => Removal::Named(HeaderName::from_static("x-envoy-auth-headers-to-remove")),
        }
    }

    /// The line of the proxy's configuration that makes a call say `field`.
    pub(crate) fn line_that_sends(&self, field: &HeaderName) -> String {
        let value = match (self, field.as_str()) {
            (Self::Nginx, "x-original-method") => "$request_method",
            (Self::Nginx, "x-original-uri") => "$request_uri",
            (Self::Nginx, "x-forwarded-proto") => "$scheme",
            (Self::Nginx, "x-forwarded-host") => "$host",
            (Self::Haproxy, "x-forwarded-method") => "%[method]",
            (Self::Haproxy, "x-forwarded-uri") => "%[pathq]",
            (Self::Haproxy, "x-forwarded-host") => "%[req.fhdr(host)]",
            (Self::Haproxy, "x-forwarded-proto") => "http",
            (Self::Caddy, _) => return format!("`forward_auth` sets `{field}` by itself"),
            (Self::Traefik, _) => return format!("the `forwardAuth` middleware sets `{field}` by itself"),
            _ => return format!("`{field}` is Envoy's to set"),
        };
        match self {
            Self::Nginx => format!("`proxy_set_header {field} {value};`"),
            _ => format!("`http-request set-header {field} {value}`"),
        }
    }

    /// The line of the proxy's configuration that removes a client's `field`
    /// before the gate is asked.
    pub(crate) fn line_that_removes(&self, field: &HeaderName) -> String {
        match self {
            Self::Nginx => format!(
                "`proxy_set_header {field} \"\";` where the gate is asked, and \
                 `proxy_set_header {field} $a_variable;` where the request is passed on"
            ),
            Self::Caddy => format!("`request_header -{field}` before `forward_auth`"),
            Self::Traefik => {
                format!("`{field}: \"\"` in `customRequestHeaders` of a `headers` middleware before `forwardAuth`")
            }
            Self::Haproxy => format!("`http-request del-header {field}` before the action"),
            Self::EnvoyHttp { .. } => format!("`{field}` is removed by name"),
        }
    }

    /// The name by which `barmkin check --for` prints this proxy's
    /// configuration, if it does.
    pub(crate) fn printed_for(&self) -> Option<&'static str> {
        match self {
            Self::Nginx => Some("nginx"),
            Self::Caddy => Some("caddy"),
            Self::Haproxy => Some("haproxy"),
            Self::EnvoyHttp { .. } => Some("envoy"),
            Self::Traefik => None,
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

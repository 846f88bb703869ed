//! The answer to the client when an allowed request comes to nothing.

use crate::patience::BodyError;
use barmkin_host::{REASON_FIELD, REQUEST_ID_FIELD};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use std::error::Error;
use std::io;

/// Why an allowed request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The upstream takes no connections.
    Unreachable,
    /// The upstream did not take a connection, or begin a response, in time.
    Late,
    /// The upstream's response cannot be used.
    Broken,
    /// The client asks for a protocol that it may not change to.
    UpgradeRefused,
    /// The client did not send all of its body.
    BodyTruncated,
    /// The upstream's HTTP/2 takes no request with as many fields.
    FieldsTooLarge,
    /// There are as many tunnels and event streams as there may be.
    NoPlace,
}

impl Failure {
    /// Of a request that was sent, or a part of it.
    pub(crate) fn of(error: &hyper::Error) -> Self {
        let mut causes = std::iter::successors(error.source(), |&error| error.source());
        if causes.any(|error| error.is::<BodyError>()) { Self::BodyTruncated } else { Self::Broken }
    }

    /// Of one for which there is no connection.
    pub(crate) fn of_dialing(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { Self::Late } else { Self::Unreachable }
    }

    /// A problem document (RFC 9457), as the gate's own denials.
    pub(crate) fn response(self, request_id: Option<HeaderValue>) -> Response<Bytes> {
        let (status, reason) = match self {
            Self::Unreachable => (StatusCode::BAD_GATEWAY, "upstream-unreachable"),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "upstream-timeout"),
            Self::Broken => (StatusCode::BAD_GATEWAY, "upstream-failed"),
            Self::UpgradeRefused => (StatusCode::FORBIDDEN, "upgrade-refused"),
            Self::BodyTruncated => (StatusCode::BAD_REQUEST, "body-truncated"),
            Self::FieldsTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large"),
            Self::NoPlace => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        };
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "reason": reason,
            "request-id": request_id.as_ref().and_then(|id| id.to_str().ok()),
        });
        let mut response = Response::new(Bytes::from(problem.to_string()));
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(REASON_FIELD, HeaderValue::from_static(reason));
        if let Some(id) = request_id {
            fields.insert(REQUEST_ID_FIELD, id);
        }
        response
    }
}

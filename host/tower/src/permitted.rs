//! The facts that a handler learns about the request it may serve.

use barmkin_host::{Digest, Permit, Principal, RequestId};
use std::sync::Arc;

/// A request was permitted, and this is what the gate knows about it.
///
/// Found among the extensions of every request behind the layer; only the
/// layer can make one. With feature `axum` it is an extractor, which answers
/// 500 where the layer is missing.
#[derive(Clone, Debug)]
pub struct Permitted(Arc<Known>);

#[derive(Debug)]
struct Known {
    principal: Option<Principal>,
    route: Box<str>,
    upstream: Option<Box<str>>,
    request_id: RequestId,
    generation: Digest,
}

impl Permitted {
    pub(crate) fn of(permit: &Permit) -> Self {
        Self(Arc::new(Known {
            principal: permit.principal().cloned(),
            route: permit.route().into(),
            upstream: permit.upstream().map(Into::into),
            request_id: permit.request_id().clone(),
            generation: permit.generation(),
        }))
    }

    /// Who is asking, if a policy said so.
    pub fn principal(&self) -> Option<&Principal> {
        self.0.principal.as_ref()
    }

    /// The gate's route that matched.
    pub fn route(&self) -> &str {
        &self.0.route
    }

    /// The upstream that the route names.
    pub fn upstream(&self) -> Option<&str> {
        self.0.upstream.as_deref()
    }

    /// Names the request in logs.
    pub fn request_id(&self) -> &RequestId {
        &self.0.request_id
    }

    /// The generation that decided.
    pub fn generation(&self) -> Digest {
        self.0.generation
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum::extract::FromRequestParts<S> for Permitted {
    type Rejection = (http::StatusCode, &'static str);

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        let missing = (http::StatusCode::INTERNAL_SERVER_ERROR, "this route is not behind the gate");
        parts.extensions.get().cloned().ok_or(missing)
    }
}

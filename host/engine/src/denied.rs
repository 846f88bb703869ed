//! A deny on its way from a policy, or a law of the host, to the client.

use crate::cors::{self, Cors};
use crate::generation::Generation;
use crate::policy::{Policy, PolicyDenial};
use crate::reason::{HostReason, Reason};
use crate::request::{Form, Head, RequestId};
use crate::routes::BuiltRoute;
use crate::verdict::{Denial, Step};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

/// A deny, before it knows its request.
pub(crate) struct Denied {
    status: StatusCode,
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    policy: Option<Arc<str>>,
}

impl Denied {
    pub(crate) fn host(reason: HostReason, detail: String) -> Self {
        let headers = match reason {
            HostReason::Overloaded
            | HostReason::StoreUnavailable
            | HostReason::DeadlineExceeded
            | HostReason::Quarantined => {
                vec![(http::header::RETRY_AFTER, HeaderValue::from_static("1"))]
            }
            _ => Vec::new(),
        };
        Self { status: reason.status(), reason: reason.into(), detail, headers, policy: None }
    }

    pub(crate) fn nobody_vouched() -> Self {
        Self::host(HostReason::NobodyVouched, String::new())
    }

    pub(crate) fn policy(denial: PolicyDenial) -> Self {
        let PolicyDenial { status, code, detail, headers } = denial;
        Self { status, reason: Reason::Policy(code), detail, headers, policy: None }
    }

    pub(crate) fn by(mut self, policy: &Policy) -> Self {
        self.policy = Some(policy.name.clone());
        self
    }

    /// A client that could authenticate in several ways learns all of them
    /// (RFC 9110 section 11.6.1).
    pub(crate) fn with_challenges_of(mut self, other: Self) -> Self {
        if self.status == StatusCode::UNAUTHORIZED && other.status == StatusCode::UNAUTHORIZED {
            self.headers.extend(other.headers.into_iter().filter(|(name, _)| *name == WWW_AUTHENTICATE));
        }
        self
    }

    /// The same, for pages of other origins too.
    pub(crate) fn with_cors(mut self, cors: Option<&Cors>, head: &Head) -> Self {
        let Some(cors) = cors else { return self };
        // The operator says who may read it, and no policy.
        self.headers.retain(|(name, _)| !cors::is_own(name));
        self.headers.extend(cors.fields(&head.headers));
        self
    }

    pub(crate) fn into_denial(
        self,
        generation: &Generation,
        request_id: RequestId,
        route: Option<&BuiltRoute>,
        form: Form,
        steps: Vec<Step>,
    ) -> Denial {
        Denial {
            status: self.status,
            reason: self.reason,
            detail: self.detail,
            headers: self.headers,
            request_id,
            route: route.map(|route| route.name.clone()),
            policy: self.policy,
            generation: generation.digest(),
            documentation: generation.documentation.clone(),
            own_form: generation.denial_form.clone(),
            form,
            steps,
        }
    }
}

//! The gRPC service.

use crate::charged::NoRoom;
use crate::incoming::{Asking, Caller};
use crate::options::Options;
use crate::request;
use crate::response;
use barmkin_host::{Body, Gate, Intake, Sees, Settlement, Verdict};
use envoy_types::ext_authz::v3::pb::{Authorization, CheckRequest, CheckResponse};
use http_body_util::BodyExt;
use std::sync::{Arc, Mutex, PoisonError};
use tonic::{Request, Response, Status};

/// Answers Envoy's checks. For servers that carry other services too; others
/// use [`serve`](crate::serve).
#[derive(Clone)]
pub struct Authorizer {
    gate: Arc<Gate>,
    options: Arc<Options>,
}

impl Authorizer {
    /// Answers by `gate`.
    pub fn new(gate: Arc<Gate>, options: Options) -> Self {
        Self { gate, options: Arc::new(options) }
    }

    /// Charges a body that has come with its check, while it waits for the
    /// verdict.
    fn hold(&self, intake: &Intake, body: Body) -> Body {
        match body {
            Body::Whole(bytes) if !bytes.is_empty() => {
                self.gate.body_room(intake).hold(bytes.into()).map_or(Body::NoRoom, Body::Whole)
            }
            body => body,
        }
    }
}

#[tonic::async_trait]
impl Authorization for Authorizer {
    /// INVARIANT (no gRPC errors): a check that cannot be read is denied.
    async fn check(&self, check: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        if check.extensions().get::<NoRoom>().is_some() {
            return Ok(Response::new(response::overloaded()));
        }
        let asking = check.extensions().get::<Caller>().map(Caller::asks);
        let mut settlement = None;
        let answer = match request::read(check.into_inner(), &self.options) {
            Ok((mut head, body)) => {
                if asking.is_some() {
                    head.client.sees = Sees::Sent;
                }
                let intake = self.gate.intake(head);
                let body = self.hold(&intake, body);
                match self.gate.decide(intake, body).await {
                    Verdict::Allow(permit) => {
                        let (answer, waits) = response::allow(permit);
                        settlement = Some(waits);
                        answer
                    }
                    Verdict::Deny(denial) => response::deny(&denial),
                }
            }
            Err(unreadable) => {
                if self.gate.admits_log_line() {
                    tracing::warn!(%unreadable, "a check was refused");
                }
                response::refuse()
            }
        };
        let mut response = Response::new(answer);
        if let Some(asking) = asking {
            response.extensions_mut().insert(Unsent(Arc::new((asking, Mutex::new(settlement)))));
        }
        Ok(response)
    }
}

/// Held until the answer is sent: among the extensions of the response until
/// its body has it.
#[derive(Clone)]
struct Unsent(Arc<(Asking, Mutex<Option<Settlement>>)>);

/// Has the check that `answer` answers be under way until its body is gone, and
/// what was allowed let in when all of it is on its way: an answer that Envoy
/// waits for no longer lets nothing in.
pub(crate) fn until_it_is_sent(mut answer: http::Response<tonic::body::Body>) -> http::Response<tonic::body::Body> {
    let Some(Unsent(unsent)) = answer.extensions_mut().remove() else { return answer };
    answer.map(|body| {
        tonic::body::Body::new(body.map_frame(move |frame| {
            let (_under_way, settlement) = &*unsent;
            if frame.is_trailers()
                && let Some(settlement) = settlement.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                drop(settlement.sent());
            }
            frame
        }))
    })
}

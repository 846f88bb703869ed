//! `grpc.health.v1`, for balancers and for Envoy's own health checks.

use crate::incoming::Caller;
use barmkin_shares::{Client, Holding, Shares};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Watches at once. Each balancer has one; the one that has most of them gives way to
/// others, as with connections.
const WATCHES_MAX: usize = 64;

/// Bytes of a question, which has the name of a service in it.
const QUESTION_BYTES_MAX: usize = 1024;

/// The services that can be asked about: the server as a whole, and the only one that
/// it has.
const SERVICES: [&str; 2] = ["", "envoy.service.auth.v3.Authorization"];

/// Answers how the server is, by `ready`, until `stopping`.
pub(crate) fn server(
    ready: Option<watch::Receiver<bool>>,
    stopping: watch::Receiver<bool>,
) -> HealthServer<impl Health> {
    let ready = ready.unwrap_or_else(|| watch::channel(true).1);
    let watches = Shares::new(WATCHES_MAX);
    HealthServer::new(Answers { ready, stopping, watches }).max_decoding_message_size(QUESTION_BYTES_MAX)
}

struct Answers {
    ready: watch::Receiver<bool>,
    stopping: watch::Receiver<bool>,
    watches: Arc<Shares<Client>>,
}

#[tonic::async_trait]
impl Health for Answers {
    async fn check(&self, asked: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !SERVICES.contains(&asked.get_ref().service.as_str()) {
            return Err(Status::not_found("there is no such service here"));
        }
        Ok(Response::new(status(*self.ready.borrow())))
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, asked: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let by = asked.extensions().get::<Caller>().map(|caller| [Client::from(caller.address())]);
        let place = self.watches.take(by, 1).ok_or_else(|| Status::resource_exhausted("there are too many watches"))?;
        // It does nothing until something changes.
        place.rest();
        let is_known = SERVICES.contains(&asked.get_ref().service.as_str());
        let (told, answers) = mpsc::channel(1);
        tokio::spawn(tell(self.ready.clone(), self.stopping.clone(), is_known, place, told));
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

/// Tells `told` how it is and whenever that changes, until nobody listens, the server
/// stops, or others need the place.
async fn tell(
    mut ready: watch::Receiver<bool>,
    mut stopping: watch::Receiver<bool>,
    is_known: bool,
    place: Holding<Client>,
    told: mpsc::Sender<Result<HealthCheckResponse, Status>>,
) {
    let telling = async {
        loop {
            let is_ready = *ready.borrow_and_update();
            let now = if is_known { status(is_ready) } else { of(ServingStatus::ServiceUnknown) };
            if told.send(Ok(now)).await.is_err() {
                return;
            }
            if !is_known || ready.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = telling => {}
        () = told.closed() => {}
        _ = stopping.wait_for(|stops| *stops) => {}
        () = place.evicted() => {
            // It may not have room for that: then it ends without.
            let _ = told.try_send(Err(Status::unavailable("others need the place: ask again later")));
        }
    }
}

fn status(is_ready: bool) -> HealthCheckResponse {
    of(if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing })
}

fn of(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

//! Where Envoy reaches the service.

use crate::charged::Charging;
use crate::check::Authorizer;
use crate::health;
use crate::incoming;
use crate::options::Options;
use barmkin_host::Gate;
use barmkin_tls::Socket;
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tonic::transport::Server;

/// Bytes that a check may need besides a body. Envoy lets through 8 MiB of headers
/// at most; a check past the limit would be a gRPC error and no verdict.
const MESSAGE_OVERHEAD_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of the header of a call, which says next to nothing: what Envoy asks
/// about stands in its body.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Streams of a connection that were reset before they were looked at, and that
/// were reset for a fault of the client's: past them the connection is closed.
const RESETS_MAX: usize = 64;

/// For checks that are under way when the service is told to stop: longer
/// than Envoy waits for any.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves on `socket` until `shutdown`, then lets checks that are under way end. A
/// port must be reached by Envoys alone, or ask for certificates; a Unix socket is for
/// an Envoy on this machine.
///
/// `grpc.health.v1` is answered there, too: `NOT_SERVING` while
/// [`ready`](Options::ready) says so.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    socket: impl Into<Socket>,
    gate: Arc<Gate>,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let message_bytes_max = options.body_bytes_max.unwrap_or(0).saturating_add(MESSAGE_OVERHEAD_BYTES);
    let bounds = options.bounds.clone();
    let (stop, mut stopping) = watch::channel(false);
    let health = health::server(options.ready.clone(), stopping.clone());
    let service =
        AuthorizationServer::new(Authorizer::new(gate.clone(), options)).max_decoding_message_size(message_bytes_max);
    let serving = Server::builder()
        .timeout(bounds.check)
        .max_concurrent_streams(bounds.streams_max)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(RESETS_MAX))
        .http2_keepalive_interval(Some(bounds.ping))
        .http2_keepalive_timeout(Some(bounds.ping / 2))
        .add_service(Charging { service, gate })
        .add_service(health)
        .serve_with_incoming_shutdown(incoming::accept(socket.into(), bounds), async {
            shutdown.await;
            stop.send_replace(true);
        });
    let cut_off = async {
        if stopping.wait_for(|stops| *stops).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = serving => ended.map_err(io::Error::other),
        () = cut_off => {
            tracing::warn!("checks did not end in time and were cut off");
            Ok(())
        }
    }
}

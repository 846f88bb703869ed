//! What follows an upgrade: bytes, both ways, that nobody looks at.

use barmkin_tower::server::Place;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Joins a client and the upstream, who both agreed to change the protocol,
/// until one of them ends or the server has stopped.
pub(crate) fn join(client: OnUpgrade, upstream: OnUpgrade, mut place: Place) {
    tokio::spawn(async move {
        let tunnel = async {
            let (client, upstream) = tokio::try_join!(client, upstream)?;
            pipe(client, upstream).await
        };
        let ended = tokio::select! {
            ended = tunnel => ended,
            () = place.stopped() => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a tunnel ended early");
        }
    });
}

async fn pipe(client: Upgraded, upstream: Upgraded) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await?;
    Ok(())
}

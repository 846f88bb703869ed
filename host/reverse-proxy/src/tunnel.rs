//! Bytes, both ways, that nobody looks at: they follow an upgrade.

use barmkin_tower::Lasting;
use barmkin_tower::server::Place;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::time::sleep;

/// Joins a client and the upstream, who both agreed to change the protocol,
/// until one of them ends, nothing has moved for `idle`, others need its place,
/// or the server has stopped.
pub(crate) fn join(client: OnUpgrade, upstream: OnUpgrade, mut place: Place, lasting: Option<Lasting>, idle: Duration) {
    tokio::spawn(async move {
        let _lasting = lasting;
        let tunnel = async {
            let (client, upstream) = tokio::try_join!(client, upstream)?;
            pipe(client, upstream).await
        };
        let watched = place.clone();
        let ended = tokio::select! {
            ended = tunnel => ended,
            () = watched.evicted() => return tracing::debug!("a tunnel had to give way"),
            () = quiet(&watched, idle) => return tracing::debug!("a tunnel was idle for too long"),
            () = place.stopped() => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a tunnel ended early");
        }
    });
}

/// Waits until nothing has moved for `idle`.
async fn quiet(place: &Place, idle: Duration) {
    while let Some(left) = idle.checked_sub(place.quiet_for()).filter(|left| !left.is_zero()) {
        sleep(left).await;
    }
}

async fn pipe(client: Upgraded, upstream: Upgraded) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await?;
    Ok(())
}

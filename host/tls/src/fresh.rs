//! Files that are read again when they change.

use crate::error::TlsError;
use std::time::Duration;

/// How often the files are looked at: a CA that is taken away must not vouch for
/// longer than a secret that is.
pub const REREAD_AFTER: Duration = Duration::from_secs(1);

/// Calls `reload` now and then, until it is dropped. `files` names them in the log.
pub(crate) async fn keep(files: &str, reload: impl Fn() -> Result<bool, TlsError> + Clone + Send + 'static) {
    let mut told = None;
    loop {
        tokio::time::sleep(REREAD_AFTER).await;
        match tokio::task::spawn_blocking(reload.clone()).await {
            Ok(Ok(true)) => tracing::info!(files, "the certificates have changed and are used"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                let error = format!("{error}: {}", error.help());
                // Once for each thing that is wrong.
                if told.as_ref() != Some(&error) {
                    tracing::error!(files, error, "the certificates cannot be read again: the old ones are used");
                    told = Some(error);
                }
                continue;
            }
            Err(_) => {}
        }
        told = None;
    }
}

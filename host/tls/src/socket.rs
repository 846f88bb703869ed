//! A socket that listens, and what is spoken on it.

use crate::server::ServerTls;
use crate::stream::Stream;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// A socket that listens, with TLS or without.
pub struct Socket {
    /// The socket.
    pub listener: TcpListener,
    /// None where bytes go as they are.
    pub tls: Option<Arc<ServerTls>>,
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }
}

impl Socket {
    /// Shakes hands with a client, if that is what is done here. Not a part
    /// of accepting: one that is slow must not keep others waiting.
    ///
    /// # Errors
    /// As [`ServerTls::accept`].
    pub async fn begin(tls: Option<&ServerTls>, stream: TcpStream) -> io::Result<Stream> {
        // Answers are small: without this they wait for the acknowledgement of
        // the one before. It is no failure when the peer is gone already.
        let _ = stream.set_nodelay(true);
        match tls {
            None => Ok(Stream::from(stream)),
            Some(tls) => tls.accept(stream).await,
        }
    }

    /// Takes over what changes in the certificate's files, until it is
    /// dropped.
    pub async fn keep_fresh(tls: Option<Arc<ServerTls>>) {
        match tls {
            None => std::future::pending().await,
            Some(tls) => tls.keep_fresh().await,
        }
    }
}

//! A socket that listens, and what is spoken on it.

use crate::accepted::Accepted;
use crate::listener::Listener;
use crate::proxy_protocol;
use crate::server::{HANDSHAKE_MAX, ServerTls};
use crate::stream::Stream;
use ipnet::IpNet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};

/// A socket that listens, with TLS or without.
pub struct Socket {
    /// The socket.
    pub listener: Listener,
    /// How connections begin.
    pub opening: Opening,
}

/// How connections begin, before anything is asked by them.
#[derive(Clone)]
pub struct Opening {
    /// None where bytes go as they are.
    pub tls: Option<Arc<ServerTls>>,
    /// Balancers that say by the PROXY protocol where a connection comes from.
    /// Where there are any, nobody else may connect.
    pub balancers: Arc<[IpNet]>,
    /// For all of it: a header of the PROXY protocol, and a handshake.
    pub within: Duration,
}

impl Default for Opening {
    fn default() -> Self {
        Self { tls: None, balancers: Arc::default(), within: HANDSHAKE_MAX }
    }
}

impl From<Listener> for Socket {
    fn from(listener: Listener) -> Self {
        Self { listener, opening: Opening::default() }
    }
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Listener::from(listener).into()
    }
}

impl From<UnixListener> for Socket {
    fn from(listener: UnixListener) -> Self {
        Listener::from(listener).into()
    }
}

impl Socket {
    /// The same, with TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Arc<ServerTls>) -> Self {
        self.opening.tls = Some(tls);
        self
    }
}

impl Opening {
    /// Whether `peer` says where its connections come from.
    pub fn is_balancer(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.balancers.iter().any(|net| net.contains(&peer))
    }

    /// Learns where a connection comes from, and shakes hands with its client,
    /// if that is what is done here. Not a part of accepting: one that is slow
    /// must not keep others waiting.
    ///
    /// `told` hears where it comes from as soon as a balancer has said so:
    /// handshakes that are never finished are held by clients, and must count as
    /// theirs.
    ///
    /// # Errors
    /// When it is not done in time, or as [`ServerTls::accept`], or when only
    /// balancers may connect and this is none.
    pub async fn begin(
        &self,
        stream: impl Into<Accepted>,
        peer: SocketAddr,
        told: impl FnOnce(SocketAddr),
    ) -> io::Result<(Stream, SocketAddr)> {
        let begun = tokio::time::timeout(self.within, self.begin_in_time(stream.into(), peer, told)).await;
        begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn begin_in_time(
        &self,
        mut stream: Accepted,
        peer: SocketAddr,
        told: impl FnOnce(SocketAddr),
    ) -> io::Result<(Stream, SocketAddr)> {
        stream.send_at_once();
        let mut from = peer;
        if !self.balancers.is_empty() {
            if !self.is_balancer(peer.ip()) {
                let only = "only what `proxy-protocol` lists may connect";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, only));
            }
            if let Some(said) = proxy_protocol::read(&mut stream).await? {
                from = said;
                told(said);
            }
        }
        match &self.tls {
            None => Ok((Stream::from(stream), from)),
            Some(tls) => Ok((tls.accept(stream).await?, from)),
        }
    }

    /// Takes over what changes in the certificate's files, until it is
    /// dropped.
    pub async fn keep_fresh(&self) {
        match &self.tls {
            None => std::future::pending().await,
            Some(tls) => tls.keep_fresh().await,
        }
    }
}

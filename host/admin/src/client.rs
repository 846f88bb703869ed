//! Asks a running gate: the other end of [`serve`](crate::serve).

use barmkin_tls::ClientTls;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Bytes of an answer: the metrics of a large configuration are a few MB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The answer of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body of the answer.
    pub body: Bytes,
}

/// A gate could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is none at that address, or it may not be asked by this user.
    #[error("no gate can be reached at `{address}`")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// It did not answer.
    #[error("the gate did not answer")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends a request without a body to the gate at `address`, which is `unix:`
/// and a path, or `host:port` where bytes go as they are.
///
/// # Errors
/// [`AskError`], when there is no answer.
pub async fn ask(address: &str, method: Method, target: &str) -> Result<Answer, AskError> {
    let connect = |source| AskError::Connect { address: address.to_owned(), source };
    match address.strip_prefix("unix:") {
        Some(path) => {
            let stream = UnixStream::connect(Path::new(path)).await.map_err(connect)?;
            exchange(stream, "localhost", method, target).await
        }
        None => exchange(TcpStream::connect(address).await.map_err(connect)?, address, method, target).await,
    }
    .map_err(AskError::Answer)
}

/// As [`ask`], over TLS. The gate must prove that it is the host of `address`,
/// which is `host:port`.
///
/// # Errors
/// [`AskError`], when there is no answer: also when the gate does not accept
/// this client's certificate.
pub async fn ask_by_tls(address: &str, tls: &ClientTls, method: Method, target: &str) -> Result<Answer, AskError> {
    let connect = |source| AskError::Connect { address: address.to_owned(), source };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect(address).await.map_err(connect)?;
    let stream = tls.connect(host, stream).await.map_err(connect)?;
    exchange(stream, address, method, target).await.map_err(AskError::Answer)
}

async fn exchange<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    host: &str,
    method: Method,
    target: &str,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let request = Request::builder().method(method).uri(target).header(http::header::HOST, host);
    let request = request.body(Empty::<Bytes>::new())?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok(Answer { status: head.status, body })
    };
    // The connection ends after the answer; until then it carries it.
    tokio::pin!(exchange, connection);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}

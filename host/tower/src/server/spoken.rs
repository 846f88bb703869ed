//! The protocol of a connection: HTTP/1.1, HTTP/2, or whichever of them it begins
//! with.

use super::Bounds;
use super::streams::StreamExecutor;
use barmkin_host::limits::{HEADERS_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};
use barmkin_tls::Stream;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes of a request over HTTP/2 that are held until its body is taken. A
/// connection holds as many for each of its requests, so that none that is slow
/// keeps the others waiting.
const STREAM_BYTES: u32 = 64 * 1024;

/// Bytes of an answer that are held until the client has room for them.
const SEND_BYTES: usize = 64 * 1024;

/// Streams of a connection that were reset for a fault of the client's, and whose
/// resets it has not read: past them the connection is closed.
const RESETS_MAX: usize = 64;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    One,
    Two,
    /// Whichever it begins with.
    Either,
}

type Failed = Box<dyn Error + Send + Sync>;

/// A connection that is served.
pub(super) trait Served: Send {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Failed>>;

    /// Ends it after what is under way.
    fn graceful_shutdown(self: Pin<&mut Self>);
}

macro_rules! served {
    ($connection:ty) => {
        impl<I, S, B> Served for $connection
        where
            I: Read + Write + Unpin + Send + 'static,
            S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
                + Send
                + 'static,
            B: Body<Data = Bytes> + Send + 'static,
            B::Error: Into<Failed>,
        {
            fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Failed>> {
                Future::poll(self, context).map_err(Into::into)
            }

            fn graceful_shutdown(self: Pin<&mut Self>) {
                self.graceful_shutdown();
            }
        }
    };
}

served!(http1::UpgradeableConnection<I, S>);
served!(http2::Connection<I, S, StreamExecutor>);
served!(auto::UpgradeableConnection<'static, I, S, StreamExecutor>);

impl Spoken {
    /// The protocol of `stream`.
    pub(super) fn on(stream: &Stream, bounds: &Bounds) -> Self {
        if stream.speaks_http2() {
            Self::Two
        } else if bounds.cleartext_http2 && !stream.is_tls() {
            Self::Either
        } else {
            Self::One
        }
    }

    /// Serves `service` on `io`.
    pub(super) fn serve<I, S, B>(self, io: I, service: S, bounds: &Bounds) -> Pin<Box<dyn Served>>
    where
        I: Read + Write + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
            + Send
            + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Failed>,
    {
        let executor = StreamExecutor { stall: bounds.stall };
        let header_bytes = u32::try_from(HEADER_LIST_BYTES).unwrap_or(u32::MAX);
        let connection_bytes = STREAM_BYTES.saturating_mul(bounds.streams_max).min(WINDOW_MAX);
        match self {
            Self::One => Box::pin(http1().serve_connection(io, service).with_upgrades()),
            Self::Two => {
                let mut http = http2::Builder::new(executor);
                http.max_concurrent_streams(bounds.streams_max)
                    .initial_stream_window_size(STREAM_BYTES)
                    .initial_connection_window_size(connection_bytes)
                    .max_header_list_size(header_bytes)
                    .max_local_error_reset_streams(RESETS_MAX)
                    .max_send_buf_size(SEND_BYTES);
                Box::pin(http.serve_connection(io, service))
            }
            Self::Either => {
                let mut http = auto::Builder::new(executor);
                http.http1().header_read_timeout(None).max_headers(HEADERS_MAX + 1).max_buf_size(BUFFER_BYTES_MAX);
                http.http2()
                    .max_concurrent_streams(bounds.streams_max)
                    .initial_stream_window_size(STREAM_BYTES)
                    .initial_connection_window_size(connection_bytes)
                    .max_header_list_size(header_bytes)
                    .max_local_error_reset_streams(RESETS_MAX)
                    .max_send_buf_size(SEND_BYTES);
                Box::pin(http.serve_connection_with_upgrades(io, service).into_owned())
            }
        }
    }
}

/// The largest window that there is (RFC 9113, section 6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// As HTTP/2 counts them, with 32 for each field; past the gate's limits, so that the
/// gate names the reason.
const HEADER_LIST_BYTES: usize = HEADERS_BYTES_MAX + TARGET_BYTES_MAX + 32 * (HEADERS_MAX + 8) + 4 * 1024;

/// Bytes of HTTP/1.1 that are read ahead, and written.
const BUFFER_BYTES_MAX: usize = 2 * (HEADERS_BYTES_MAX + TARGET_BYTES_MAX);

pub(super) fn http1() -> http1::Builder {
    let mut http = http1::Builder::new();
    // The time for a header is this server's: hyper's includes the rest before
    // it.
    http.header_read_timeout(None)
        // One past the gate's limits, so that the gate names the reason.
        .max_headers(HEADERS_MAX + 1)
        .max_buf_size(BUFFER_BYTES_MAX);
    http
}

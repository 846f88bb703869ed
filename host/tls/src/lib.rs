//! Sockets that listen, ports and Unix sockets: TLS for them, for commands that ask
//! them, and for the connections to upstreams, by rustls (TLS 1.2 and 1.3, and the suites
//! that rustls has, which are the safe ones); the PROXY protocol; an end to answers that
//! nobody reads; and what is done when accepting fails.
//!
//! Certificate, key and the CAs of others are files, and are read again when they
//! change: new connections get what is new, those that are open go on. What
//! cannot be used is not taken over: what was good goes on, and the operator
//! is told.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use barmkin_tls::{HTTP1, LeastVersion, ServerFiles, ServerTls};
//!
//! let files = ServerFiles {
//!     certificate: "gate.pem".into(),
//!     key: "gate.key".into(),
//!     clients: None,
//!     least_version: LeastVersion::default(),
//! };
//! let tls = ServerTls::load(files, HTTP1)?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
//! let (stream, _) = listener.accept().await?;
//! let stream = tls.accept(stream).await?;
//! println!("by {:?}", stream.client_name());
//! # Ok(()) }
//! ```
//!
//! Architecture invariant: this crate knows neither the gate nor HTTP.

mod accepted;
mod client;
mod error;
mod files;
mod fresh;
mod listener;
mod name;
mod pin;
mod proxy_protocol;
mod server;
mod shortage;
mod socket;
mod stream;
mod upstream;
mod version;
mod watched;

pub use accepted::{Accepted, THIS_MACHINE};
pub use client::ClientTls;
pub use error::TlsError;
pub use files::{ClientFiles, Clients, ServerFiles};
pub use fresh::REREAD_AFTER;
pub use listener::{Listener, Reserved, UnixSocket};
pub use pin::{BadPin, Pin};
pub use server::{HANDSHAKE_MAX, HTTP, HTTP1, HTTP2, Protocols, ServerTls};
pub use shortage::{RELIEVED, Shortage};
pub use socket::{Opening, Socket};
pub use stream::Stream;
pub use upstream::{Trust, UpstreamFiles, UpstreamTls};
pub use version::LeastVersion;
pub use watched::{Watch, Watched};

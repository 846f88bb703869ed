//! An Envoy on another machine, which proves who it is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../tls/tests/support/mod.rs"]
mod certificates;
#[path = "../../tower/tests/gate/mod.rs"]
mod gate;

use barmkin_envoy::{Options, Socket, serve};
use barmkin_tls::{HTTP2, ServerTls};
use certificates::{Ca, Folder, Identity, client};
use envoy_types::ext_authz::v3::pb::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;

/// The code of what the service answers to a check about nothing.
async fn check(address: SocketAddr, ca: &Ca, identity: Option<&Identity>) -> Option<i32> {
    let mut config = client(ca, identity, &rustls::version::TLS13);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let dial = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            Ok::<_, io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(dial).await.ok()?;
    let answer = AuthorizationClient::new(channel).check(CheckRequest::default()).await.ok()?;
    answer.into_inner().status.map(|status| status.code)
}

#[tokio::test]
async fn only_an_envoy_with_a_certificate_is_answered() {
    let (ca, envoys, folder) = (Ca::new(), Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), Some((&envoys, true))), HTTP2).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let socket = Socket::from(listener).with_tls(tls);
    let server = tokio::spawn(serve(socket, gate::gate(), Options::default(), async { drop(stopped.await) }));
    // One that says nothing keeps nobody waiting.
    let _silent = TcpStream::connect(address).await.unwrap();
    let envoy = envoys.issue(&["envoy"], &[]);
    // PERMISSION_DENIED: it has answered.
    assert_eq!(check(address, &ca, Some(&envoy)).await, Some(7));
    assert_eq!(check(address, &ca, None).await, None);
    assert_eq!(check(address, &ca, Some(&Ca::new().issue(&["envoy"], &[]))).await, None);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

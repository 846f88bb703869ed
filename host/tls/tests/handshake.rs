//! Real handshakes: who gets in, as whom, and what becomes of those who are in
//! when the certificate changes.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod support;

use barmkin_tls::{HTTP1, LeastVersion, Opening, ServerFiles, ServerTls, Stream};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use std::io;
use std::sync::Arc;
use support::{Ca, Folder, Identity, VERSIONS, client, first_certificate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Both ends of a connection, once both are content.
async fn connect(tls: &ServerTls, client: ClientConfig) -> io::Result<(Stream, TlsStream<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let dial = async {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        // A client of TLS 1.3 is told only afterwards that it may not come.
        stream.write_all(b"ping").await?;
        stream.flush().await?;
        Ok::<_, io::Error>(stream)
    };
    let answer = async {
        let (stream, _) = listener.accept().await?;
        let mut stream = tls.accept(stream).await?;
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).await?;
        stream.write_all(&ping).await?;
        stream.flush().await?;
        Ok::<_, io::Error>(stream)
    };
    let (server, client) = tokio::join!(answer, dial);
    let (server, mut client) = (server?, client?);
    client.read_exact(&mut [0; 4]).await?;
    Ok((server, client))
}

async fn name(tls: &ServerTls, client: ClientConfig) -> io::Result<Option<String>> {
    let (server, _client) = connect(tls, client).await?;
    assert!(server.is_tls());
    Ok(server.client_name())
}

#[tokio::test]
async fn both_versions_are_spoken() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), None), HTTP1).unwrap();
    for (version, expected) in VERSIONS {
        let (_server, client) = connect(&tls, client(&ca, None, version)).await.unwrap();
        let (_, connection) = client.get_ref();
        assert_eq!(connection.protocol_version(), Some(expected));
    }
}

#[tokio::test]
async fn versions_below_the_least_are_not_spoken() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let files = ServerFiles { least_version: LeastVersion::Tls13, ..folder.files(&ca.server(), None) };
    let tls = ServerTls::load(files, HTTP1).unwrap();
    assert!(connect(&tls, client(&ca, None, &TLS13)).await.is_ok());
    assert!(connect(&tls, client(&ca, None, &TLS12)).await.is_err());
}

#[tokio::test]
async fn what_is_spoken_inside_is_agreed_on() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), None), HTTP1).unwrap();
    let offering = |protocols: &[&[u8]]| {
        let mut client = client(&ca, None, &TLS13);
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        client
    };
    let (_server, client) = connect(&tls, offering(&[b"h2", b"http/1.1"])).await.unwrap();
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(connect(&tls, offering(&[b"h2"])).await.is_err());
}

#[tokio::test]
async fn clients_are_who_their_certificate_says() {
    let (ca, clients, stranger, folder) = (Ca::new(), Ca::new(), Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), Some((&clients, true))), HTTP1).unwrap();
    for (version, _) in VERSIONS {
        let of = |identity: Option<&Identity>| client(&ca, identity, version);
        let both = clients.issue(&["app.example.com"], &["spiffe://example/app"]);
        assert_eq!(name(&tls, of(Some(&both))).await.unwrap().as_deref(), Some("spiffe://example/app"));
        let dns = clients.issue(&["app.example.com", "other.example.com"], &[]);
        assert_eq!(name(&tls, of(Some(&dns))).await.unwrap().as_deref(), Some("app.example.com"));
        // Verified, but nobody.
        assert_eq!(name(&tls, of(Some(&clients.issue(&[], &[])))).await.unwrap(), None);
        assert!(name(&tls, of(None)).await.is_err(), "without a certificate");
        let forged = stranger.issue(&[], &["spiffe://example/app"]);
        assert!(name(&tls, of(Some(&forged))).await.is_err(), "of another CA");
        assert!(name(&tls, of(Some(&ca.server()))).await.is_err(), "of the server's CA");
    }
}

#[tokio::test]
async fn a_certificate_can_be_optional_but_not_wrong() {
    let (ca, clients, stranger, folder) = (Ca::new(), Ca::new(), Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), Some((&clients, false))), HTTP1).unwrap();
    for (version, _) in VERSIONS {
        assert_eq!(name(&tls, client(&ca, None, version)).await.unwrap(), None);
        let known = clients.issue(&["app"], &[]);
        assert_eq!(name(&tls, client(&ca, Some(&known), version)).await.unwrap().as_deref(), Some("app"));
        let forged = stranger.issue(&["app"], &[]);
        assert!(name(&tls, client(&ca, Some(&forged), version)).await.is_err());
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let files = folder.files(&ca.server(), None);
    let tls = ServerTls::load(files.clone(), HTTP1).unwrap();
    let (mut server, mut open) = connect(&tls, client(&ca, None, &TLS13)).await.unwrap();
    let shown = |client: &TlsStream<TcpStream>| client.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    let first = first_certificate(&files.certificate);
    assert_eq!(shown(&open), first);
    assert!(!tls.reload().unwrap());

    folder.files(&ca.server(), None);
    assert!(tls.reload().unwrap());
    let (_server, next) = connect(&tls, client(&ca, None, &TLS13)).await.unwrap();
    let second = first_certificate(&files.certificate);
    assert_ne!(second, first);
    assert_eq!(shown(&next), second);

    open.write_all(b"more").await.unwrap();
    let mut more = [0; 4];
    server.read_exact(&mut more).await.unwrap();
    assert_eq!(&more, b"more");
}

#[tokio::test]
async fn clients_of_a_ca_that_is_gone_do_not_come_back() {
    let (ca, before, after, folder) = (Ca::new(), Ca::new(), Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), Some((&before, true))), HTTP1).unwrap();
    let known = before.issue(&["app"], &[]);
    for (version, _) in VERSIONS {
        // One client, which remembers its session.
        folder.files(&ca.server(), Some((&before, true)));
        tls.reload().unwrap();
        let config = client(&ca, Some(&known), version);
        assert!(name(&tls, config.clone()).await.is_ok());
        assert!(name(&tls, config.clone()).await.is_ok(), "a session that is resumed");
        folder.files(&ca.server(), Some((&after, true)));
        assert!(tls.reload().unwrap());
        assert!(name(&tls, config).await.is_err(), "{version:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_not_taken_over() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let good = ca.server();
    let files = folder.files(&good, None);
    let tls = ServerTls::load(files.clone(), HTTP1).unwrap();
    // Half of a rotation: the new certificate, and the old key.
    folder.write("gate.pem", &ca.server().certificate, 0o644);
    assert!(tls.reload().is_err());
    assert!(tls.reload().is_err(), "it is said each time it is asked");
    folder.write("gate.pem", "", 0o644);
    assert!(tls.reload().is_err());
    assert!(connect(&tls, client(&ca, None, &TLS13)).await.is_ok());
    folder.files(&good, None);
    assert!(!tls.reload().unwrap());
}

#[tokio::test(start_paused = true)]
async fn changes_are_noticed_without_being_told() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let files = folder.files(&ca.server(), None);
    let tls = ServerTls::load(files.clone(), HTTP1).unwrap();
    folder.files(&ca.server(), None);
    let _ = tokio::time::timeout(2 * barmkin_tls::REREAD_AFTER, tls.keep_fresh()).await;
    assert!(!tls.reload().unwrap(), "it is in use already");
}

/// Time passes here when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn who_does_not_shake_hands_is_left_alone() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), None), HTTP1).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert_eq!(tls.accept(stream).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

/// A handshake that is never finished is the client's, not the balancer's.
#[tokio::test]
async fn where_a_connection_comes_from_is_known_before_the_handshake() {
    let (ca, folder) = (Ca::new(), Folder::new());
    let tls = ServerTls::load(folder.files(&ca.server(), None), HTTP1).unwrap();
    let balancers = ["127.0.0.1/32".parse().unwrap()].into();
    let opening = Opening { tls: Some(tls), balancers, ..Opening::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    client.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n").await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let begun = opening.begin(stream, peer, |from| tell.send(from).unwrap());
    tokio::select! {
        begun = begun => panic!("{begun:?}"),
        from = told.recv() => assert_eq!(from, Some("192.0.2.7:4711".parse().unwrap())),
    }
}

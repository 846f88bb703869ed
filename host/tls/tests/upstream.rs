//! Handshakes with upstreams: who is taken for one, and who is not.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod support;

use barmkin_tls::{HTTP1, LeastVersion, Pin, Trust, UpstreamFiles, UpstreamTls};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::io;
use std::sync::Arc;
use support::{Ca, Folder, Identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

fn server(identity: &Identity, clients: Option<&Ca>, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(certificate(&ca.pem())).unwrap();
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap()
        }
    };
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(&identity.certificate)], key(&identity.key))
        .unwrap()
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn pin(identity: &Identity) -> Pin {
    Pin::of(&certificate(&identity.certificate)).unwrap()
}

/// Connects to a server with `config`, which must be `name`; both have a word.
async fn meet(tls: &UpstreamTls, name: &str, config: ServerConfig) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let answer = async {
        let (stream, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
        stream.write_u8(1).await?;
        stream.flush().await
    };
    let ask = async { tls.connect(name, stream, HTTP1).await?.read_u8().await };
    let (_, asked) = tokio::join!(answer, ask);
    asked.map(drop)
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

struct Given {
    ca: Ca,
    folder: Folder,
}

impl Given {
    fn new() -> Self {
        Self { ca: Ca::new(), folder: Folder::new() }
    }

    fn files(&self, pins: Vec<Pin>) -> UpstreamFiles {
        let roots = Some(self.folder.write("roots.pem", &self.ca.pem(), 0o644));
        UpstreamFiles { trust: Trust::Roots { roots, pins }, identity: None, least_version: LeastVersion::default() }
    }
}

/// The CAs of these tests have one name: one is told from another by its signature.
fn is_of_nobody_known(refused: &str) -> bool {
    refused.contains("UnknownIssuer") || refused.contains("BadSignature")
}

/// Why `files` do not take the server at `name`.
async fn refusal(files: UpstreamFiles, name: &str, config: ServerConfig) -> String {
    meet(&UpstreamTls::load(files).unwrap(), name, config).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_upstream_is_known_by_its_roots_name_and_time() {
    let given = Given::new();
    let good = given.ca.server();
    let tls = UpstreamTls::load(given.files(Vec::new())).unwrap();
    for version in BOTH {
        meet(&tls, "localhost", server(&good, None, &[version])).await.unwrap();
    }
    let refused = refusal(given.files(Vec::new()), "other.example", server(&good, None, BOTH)).await;
    assert!(refused.contains("not valid for name"), "{refused}");
    let stranger = Ca::new().server();
    let refused = refusal(given.files(Vec::new()), "localhost", server(&stranger, None, BOTH)).await;
    assert!(is_of_nobody_known(&refused), "{refused}");
    let expired = given.ca.issue_until(2020);
    let refused = refusal(given.files(Vec::new()), "localhost", server(&expired, None, BOTH)).await;
    assert!(refused.contains("expired"), "{refused}");
    // By the machine's roots nobody of this test is known.
    let trust = Trust::Roots { roots: None, pins: vec![pin(&good)] };
    if let Ok(tls) = UpstreamTls::load(UpstreamFiles { trust, ..given.files(Vec::new()) }) {
        assert!(meet(&tls, "localhost", server(&good, None, BOTH)).await.is_err());
    }
}

#[tokio::test]
async fn a_pin_is_demanded_besides_the_roots() {
    let given = Given::new();
    let (good, other) = (given.ca.server(), given.ca.server());
    let tls = UpstreamTls::load(given.files(vec![pin(&other), pin(&good)])).unwrap();
    for version in BOTH {
        meet(&tls, "localhost", server(&good, None, &[version])).await.unwrap();
    }
    let refused = refusal(given.files(vec![pin(&other)]), "localhost", server(&good, None, BOTH)).await;
    assert!(refused.contains(&format!("the server's key is `{}`, which is not pinned", pin(&good))), "{refused}");
    let stranger = Ca::new().server();
    let refused = refusal(given.files(vec![pin(&stranger)]), "localhost", server(&stranger, None, BOTH)).await;
    assert!(is_of_nobody_known(&refused), "{refused}");
}

#[tokio::test]
async fn a_pin_alone_is_for_one_key_whatever_its_certificate_says() {
    let given = Given::new();
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["elsewhere".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2020, 1, 1);
    let signed = params.self_signed(&own).unwrap();
    let signed = Identity { certificate: signed.pem(), key: own.serialize_pem() };
    let alone = |pins| UpstreamFiles { trust: Trust::Pins(pins), ..given.files(Vec::new()) };
    let tls = UpstreamTls::load(alone(vec![pin(&signed)])).unwrap();
    for version in BOTH {
        meet(&tls, "localhost", server(&signed, None, &[version])).await.unwrap();
    }
    for pins in [vec![pin(&given.ca.server())], Vec::new()] {
        let refused = refusal(alone(pins), "localhost", server(&signed, None, BOTH)).await;
        assert!(refused.contains("not pinned"), "{refused}");
    }
}

#[tokio::test]
async fn the_certificate_without_its_key_is_not_taken() {
    let given = Given::new();
    let good = given.ca.server();
    // rustls would not serve with them: the signature is made with another key.
    let provider = rustls::crypto::ring::default_provider();
    let other = provider.key_provider.load_private_key(key(&given.ca.server().key)).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![certificate(&good.certificate)], other);
    for version in BOTH {
        let config = ServerConfig::builder_with_provider(Arc::new(provider.clone()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified.clone())));
        for trust in [Trust::Pins(vec![pin(&good)]), given.files(Vec::new()).trust] {
            let files = UpstreamFiles { trust, ..given.files(Vec::new()) };
            let refused = refusal(files, "localhost", config.clone()).await;
            assert!(refused.contains("BadSignature"), "{refused}");
        }
    }
}

#[tokio::test]
async fn versions_below_the_least_are_not_spoken() {
    let given = Given::new();
    let good = given.ca.server();
    let files = UpstreamFiles { least_version: LeastVersion::Tls13, ..given.files(Vec::new()) };
    let tls = UpstreamTls::load(files).unwrap();
    meet(&tls, "localhost", server(&good, None, BOTH)).await.unwrap();
    assert!(meet(&tls, "localhost", server(&good, None, &[&TLS12])).await.is_err());
}

#[tokio::test]
async fn the_upstream_sees_who_asks() {
    let (given, clients, folder) = (Given::new(), Ca::new(), Folder::new());
    let good = given.ca.server();
    let identity = clients.issue(&["gate"], &[]);
    let shown = (folder.write("a.pem", &identity.certificate, 0o644), folder.write("a.key", &identity.key, 0o600));
    let files = UpstreamFiles { identity: Some(shown), ..given.files(Vec::new()) };
    let tls = UpstreamTls::load(files.clone()).unwrap();
    for version in BOTH {
        meet(&tls, "localhost", server(&good, Some(&clients), &[version])).await.unwrap();
        let refused = UpstreamTls::load(given.files(Vec::new())).unwrap();
        assert!(meet(&refused, "localhost", server(&good, Some(&clients), &[version])).await.is_err());
    }
    // Half of a rotation is not taken over, the whole is.
    let next = clients.issue(&["gate"], &[]);
    folder.write("a.pem", &next.certificate, 0o644);
    assert!(tls.reload().is_err());
    assert_eq!(tls.changes(), 0);
    meet(&tls, "localhost", server(&good, Some(&clients), BOTH)).await.unwrap();
    folder.write("a.key", &next.key, 0o600);
    assert!(tls.reload().unwrap());
    assert_eq!(tls.changes(), 1);
    meet(&tls, "localhost", server(&good, Some(&clients), BOTH)).await.unwrap();
    assert!(!tls.reload().unwrap());
    folder.write("a.key", &next.key, 0o644);
    assert!(UpstreamTls::load(files).unwrap_err().to_string().contains("readable by everyone"));
}

#[tokio::test]
async fn a_session_is_not_resumed_by_roots_that_are_gone() {
    let given = Given::new();
    let config = server(&given.ca.server(), None, BOTH);
    let tls = UpstreamTls::load(given.files(Vec::new())).unwrap();
    for _ in 0..2 {
        meet(&tls, "localhost", config.clone()).await.unwrap();
    }
    given.folder.write("roots.pem", &Ca::new().pem(), 0o644);
    assert!(tls.reload().unwrap());
    assert!(meet(&tls, "localhost", config).await.is_err());
}

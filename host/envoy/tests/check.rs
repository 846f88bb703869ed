//! Checks over a Unix socket and TCP, as Envoy sends them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../tower/tests/gate/mod.rs"]
mod gate;

use barmkin_envoy::{Authorizer, Bounds, Options, Socket, UnixSocket, serve};
use barmkin_host::GateLimits;
use envoy_types::ext_authz::v3::pb::{
    Authorization, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue, HeaderValueOption,
    HttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::config::core::v3::HeaderMap;
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::google::protobuf::value::Kind;
use gate::sign;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

fn authorizer() -> Authorizer {
    Authorizer::new(gate::gate(), Options { body_bytes_max: Some(1_024), ..Options::default() })
}

async fn check(authorizer: &Authorizer, http: HttpRequest) -> CheckResponse {
    authorizer.check(tonic::Request::new(about(http))).await.unwrap().into_inner()
}

fn about(http: HttpRequest) -> CheckRequest {
    let request = Request { http: Some(http), ..Request::default() };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) }
}

/// As Envoy sends it with raw headers and the body as bytes.
fn delivery(path: &str, body: &[u8], fields: &[(&str, &str)]) -> HttpRequest {
    let signature = sign(body);
    let length = body.len().to_string();
    let own = [
        ("x-hub-signature-256", signature.as_str()),
        ("content-length", &length),
        ("x-envoy-auth-partial-body", "false"),
    ];
    let field = |(key, value): &(&str, &str)| HeaderValue {
        key: (*key).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    HttpRequest {
        method: "POST".into(),
        path: path.into(),
        host: "app".into(),
        scheme: "https".into(),
        size: body.len() as i64,
        raw_body: body.to_vec(),
        header_map: Some(HeaderMap { headers: fields.iter().chain(&own).map(field).collect() }),
        ..HttpRequest::default()
    }
}

fn allowed(response: CheckResponse) -> OkHttpResponse {
    assert_eq!(response.status.as_ref().unwrap().code, 0);
    match response.http_response {
        Some(HttpResponse::OkResponse(ok)) => ok,
        other => panic!("{other:?}"),
    }
}

fn denied(response: CheckResponse) -> (i32, Option<String>, DeniedHttpResponse) {
    assert_ne!(response.status.as_ref().unwrap().code, 0);
    match response.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => {
            let reason = value(&denied.headers, "barmkin-reason");
            (denied.status.as_ref().unwrap().code, reason, denied)
        }
        other => panic!("{other:?}"),
    }
}

fn value(fields: &[HeaderValueOption], name: &str) -> Option<String> {
    let named = fields.iter().find(|option| option.header.as_ref().unwrap().key == name)?;
    assert_eq!(named.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
    Some(named.header.as_ref().unwrap().value.clone())
}

fn metadata(response: &CheckResponse, name: &str) -> Option<String> {
    match response.dynamic_metadata.as_ref()?.fields.get(name)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_allow_sets_the_principal_and_removes_forged_copies() {
    let authorizer = authorizer();
    let fields = [("x-gate-principal", "admin"), ("x_gate_principal", "admin"), ("x-request-id", "from-envoy")];
    let response = check(&authorizer, delivery("/github", b"\xff\x00", &fields)).await;
    assert_eq!(metadata(&response, "principal").as_deref(), Some("github"));
    assert_eq!(metadata(&response, "route").as_deref(), Some("github"));
    assert_eq!(metadata(&response, "generation").map(|digest| digest.len()), Some(64));
    let ok = allowed(response);
    assert_eq!(value(&ok.headers, "x-gate-principal").as_deref(), Some("github"));
    assert_eq!(value(&ok.headers, "x-request-id").as_deref(), Some("from-envoy"));
    assert!(ok.headers_to_remove.contains(&"x_gate_principal".to_owned()));

    let public = check(&authorizer, delivery("/public", b"", &[("x-gate-principal", "admin")])).await;
    assert!(allowed(public).headers_to_remove.contains(&"x-gate-principal".to_owned()));
}

#[tokio::test]
async fn a_deny_is_the_answer_for_the_client() {
    let authorizer = authorizer();
    let mut tampered = delivery("/github", b"one", &[]);
    tampered.raw_body = b"two".to_vec();
    let response = check(&authorizer, tampered).await;
    assert_eq!(metadata(&response, "reason").as_deref(), Some("signature-mismatch"));
    let (status, reason, answer) = denied(response);
    assert_eq!((status, reason.as_deref()), (403, Some("signature-mismatch")));
    assert!(answer.body.contains("\"reason\":\"signature-mismatch\""));
    allowed(check(&authorizer, delivery("/github", b"one", &[])).await);
    let (status, reason, _) = denied(check(&authorizer, delivery("/github", b"one", &[])).await);
    assert_eq!((status, reason.as_deref()), (409, Some("replayed")));
}

#[tokio::test]
async fn a_denied_grpc_call_keeps_its_http_status_for_envoy() {
    let mut call = delivery("/github", b"one", &[("content-type", "application/grpc")]);
    call.raw_body = b"two".to_vec();
    let over_http_1 = HttpRequest { protocol: "HTTP/1.1".into(), ..call.clone() };
    let (_, _, answer) = denied(check(&authorizer(), over_http_1).await);
    assert_eq!(value(&answer.headers, "grpc-status"), None);
    assert_eq!(value(&answer.headers, "cache-control").as_deref(), Some("no-store"));
    call.protocol = "HTTP/2".into();
    let (status, reason, answer) = denied(check(&authorizer(), call).await);
    assert_eq!((status, reason.as_deref()), (403, Some("signature-mismatch")));
    assert_eq!(answer.body, "signature-mismatch", "Envoy makes it the message");
    assert_eq!(value(&answer.headers, "grpc-status").as_deref(), Some("7"));
}

#[tokio::test]
async fn a_method_in_another_case_is_refused_whatever_the_protocol() {
    let authorizer = authorizer();
    for protocol in ["HTTP/1.1", "HTTP/2", "HTTP/3"] {
        for method in ["post", "Post", "delete"] {
            let http =
                HttpRequest { method: method.into(), protocol: protocol.into(), ..delivery("/public", b"", &[]) };
            let (status, reason, _) = denied(check(&authorizer, http).await);
            assert_eq!((status, reason.as_deref()), (400, Some("method-not-uppercase")), "{method} over {protocol}");
        }
    }
}

/// Envoy removes what a client may not say, by the names that it is told.
#[tokio::test]
async fn envoy_is_told_to_remove_what_misleads() {
    let fields = [("x_forwarded_for", "6.6.6.6"), ("x-original-url", "/admin"), ("x-http-method-override", "PUT")];
    let ok = allowed(check(&authorizer(), delivery("/github", b"one", &fields)).await);
    for removed in ["x_forwarded_for", "x-original-url"] {
        assert!(ok.headers_to_remove.iter().any(|name| name == removed), "{removed} in {:?}", ok.headers_to_remove);
    }
}

#[tokio::test]
async fn bodies_count_only_when_they_are_whole() {
    let authorizer = authorizer();
    let at = [b'a'; gate::BODY_BYTES_MAX];
    allowed(check(&authorizer, delivery("/github", &at, &[])).await);
    let reason = async |http| denied(check(&authorizer, http).await).1.unwrap();
    assert_eq!(reason(delivery("/github", &[b'a'; gate::BODY_BYTES_MAX + 1], &[])).await, "body-too-large");
    let partial = delivery("/github", b"part", &[("x-envoy-auth-partial-body", "true")]);
    assert_eq!(reason(partial).await, "body-truncated");
    let withheld = HttpRequest { raw_body: Vec::new(), ..delivery("/github", b"body", &[]) };
    assert_eq!(reason(withheld).await, "body-not-carried");
}

#[tokio::test]
async fn a_check_that_cannot_be_read_is_denied_and_no_error() {
    let answer = authorizer().check(tonic::Request::new(CheckRequest::default())).await.unwrap().into_inner();
    let (status, reason, _) = denied(answer);
    assert_eq!((status, reason.as_deref()), (400, Some("unreadable-check")));
}

#[tokio::test]
async fn it_serves_on_a_unix_socket_and_on_tcp_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixSocket { path: folder.path().join("authz.sock"), mode: 0o600, group: None };
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let path = socket.path.clone();
    let connect = tower::service_fn(move |_| {
        let path = path.clone();
        async { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let unix = socket.bind().unwrap();
    let by_socket = Endpoint::from_static("http://unix").connect_with_connector_lazy(connect);
    let by_port = Endpoint::try_from(format!("http://{address}")).unwrap().connect_lazy();
    for (listener, channel) in [(Socket::from(unix), by_socket), (tcp.into(), by_port)] {
        let (stop, stopped) = oneshot::channel::<()>();
        let options = Options { body_bytes_max: Some(1_024), ..Options::default() };
        let server = tokio::spawn(serve(listener, gate::gate(), options, async { drop(stopped.await) }));
        let mut client = AuthorizationClient::new(channel);
        let response = client.check(about(delivery("/github", b"body", &[]))).await.unwrap().into_inner();
        assert_eq!(value(&allowed(response).headers, "x-gate-principal").as_deref(), Some("github"));
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }
}

/// A service that is ready as `ready` says, and the `grpc.health.v1` of it.
async fn health(
    ready: &watch::Sender<bool>,
    stopped: oneshot::Receiver<()>,
) -> (HealthClient<Channel>, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options { ready: Some(ready.subscribe()), ..Options::default() };
    let server = tokio::spawn(serve(listener, gate::gate(), options, async { drop(stopped.await) }));
    let channel = Endpoint::try_from(format!("http://{address}")).unwrap().connect_lazy();
    (HealthClient::new(channel), server)
}

fn about_service(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";

#[tokio::test]
async fn balancers_see_whether_checks_may_be_sent() {
    let ready = watch::Sender::new(false);
    let (_stop, stopped) = oneshot::channel();
    let (mut health, _server) = health(&ready, stopped).await;
    for (is_ready, expected) in
        [(false, ServingStatus::NotServing), (true, ServingStatus::Serving), (false, ServingStatus::NotServing)]
    {
        ready.send_replace(is_ready);
        for service in ["", AUTHORIZATION] {
            let answer = health.check(about_service(service)).await.unwrap().into_inner();
            assert_eq!(answer.status(), expected, "`{service}`");
        }
    }
    assert_eq!(health.check(about_service("other")).await.unwrap_err().code(), Code::NotFound);
    let long = "a".repeat(4_096);
    assert_eq!(health.check(about_service(&long)).await.unwrap_err().code(), Code::OutOfRange);
    assert!(health.watch(about_service(&long)).await.is_err());
}

#[tokio::test]
async fn a_watch_hears_of_every_change_and_ends_with_the_server() {
    let ready = watch::Sender::new(true);
    let (stop, stopped) = oneshot::channel();
    let (mut health, server) = health(&ready, stopped).await;
    let mut told = health.watch(about_service(AUTHORIZATION)).await.unwrap().into_inner();
    assert_eq!(told.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    ready.send_replace(false);
    assert_eq!(told.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let mut unknown = health.watch(about_service("other")).await.unwrap().into_inner();
    assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    // The server waits for none of them.
    stop.send(()).unwrap();
    assert!(told.message().await.unwrap().is_none() && unknown.message().await.unwrap().is_none());
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn watches_are_bounded() {
    let ready = watch::Sender::new(true);
    let (_stop, stopped) = oneshot::channel();
    let (mut health, _server) = health(&ready, stopped).await;
    let mut watches = Vec::new();
    for _ in 0..200 {
        // The older ones of a client give way to its newer ones.
        let mut told = health.watch(about_service("")).await.unwrap().into_inner();
        assert_eq!(told.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        watches.push(told);
    }
    ready.send_replace(false);
    let mut alive = 0;
    for told in &mut watches {
        alive += match told.message().await {
            Ok(Some(now)) => usize::from(now.status() == ServingStatus::NotServing),
            Ok(None) => 0,
            Err(gone) => {
                assert_eq!(gone.code(), Code::Unavailable);
                0
            }
        };
    }
    assert!((1..=72).contains(&alive), "{alive}");
    assert!(health.check(about_service("")).await.is_ok(), "a question waits for nobody");
}

/// A service on TCP, with few places and little time.
async fn small(connections_max: usize, within: Duration) -> std::net::SocketAddr {
    bounded(Bounds { connections_max, ..Bounds::default() }, within).await
}

async fn bounded(bounds: Bounds, within: Duration) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut socket = Socket::from(listener);
    socket.opening.within = within;
    tokio::spawn(serve(socket, gate::gate(), Options { bounds, ..Options::default() }, std::future::pending()));
    address
}

async fn is_answered(address: std::net::SocketAddr) -> bool {
    let channel =
        Endpoint::try_from(format!("http://{address}")).unwrap().timeout(Duration::from_secs(2)).connect_lazy();
    let public = HttpRequest { raw_body: Vec::new(), size: 0, ..delivery("/public", b"", &[]) };
    AuthorizationClient::new(channel).check(about(public)).await.is_ok()
}

#[tokio::test]
async fn those_who_say_nothing_keep_nobody_out() {
    let address = small(4, Duration::from_secs(60)).await;
    let mut silent = Vec::new();
    for _ in 0..16 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        silent.push(socket.connect(address).await.unwrap());
    }
    assert!(is_answered(address).await);
}

#[tokio::test]
async fn a_connection_that_does_not_begin_is_cut_off() {
    let address = small(4, Duration::from_millis(100)).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut sent = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut sent)).await;
    assert!(ended.is_ok(), "{sent:?}");
    assert!(is_answered(address).await);
}

/// From another address of this machine.
async fn connect_from_elsewhere(address: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(address).await.unwrap()
}

/// The preface and empty settings of HTTP/2 (RFC 9113).
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

#[tokio::test]
async fn an_envoy_that_asks_nothing_gives_way() {
    let address = small(1, Duration::from_secs(60)).await;
    let channel = Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap();
    let public = HttpRequest { raw_body: Vec::new(), size: 0, ..delivery("/public", b"", &[]) };
    let mut envoy = AuthorizationClient::new(channel);
    envoy.check(about(public.clone())).await.unwrap();
    assert!(is_answered(address).await);
    // It connects again.
    envoy.check(about(public)).await.unwrap();
}

#[tokio::test]
async fn those_who_do_not_read_keep_nobody_out() {
    let address = small(1, Duration::from_secs(60)).await;
    let mut deaf = connect_from_elsewhere(address).await;
    deaf.write_all(BEGINNING).await.unwrap();
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[0; 8]].concat().repeat(1_000);
    // Until neither side takes any more.
    while let Ok(sent) = tokio::time::timeout(Duration::from_millis(200), deaf.write_all(&ping)).await {
        sent.unwrap();
    }
    assert!(is_answered(address).await);
}

/// A frame of HTTP/2, of the first stream.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// A connection with a check whose message is `announced` bytes long, of which
/// `sent` have come.
async fn ask_in_part(mut client: TcpStream, announced: u32, sent: &[u8]) -> TcpStream {
    // By RFC 7541: POST, http, and a path, an authority and a content type that are
    // not kept.
    let path = b"/envoy.service.auth.v3.Authorization/Check";
    let length = u8::try_from(path.len()).unwrap();
    let header = [&[0x83, 0x86, 0x04, length][..], path, b"\x01\x04gate", b"\x0f\x10\x10application/grpc"].concat();
    let prefix = [&[0][..], &announced.to_be_bytes()].concat();
    let mut begun = [BEGINNING, &frame(1, 4, &header), &frame(0, 0, &prefix)].concat();
    sent.chunks(16 * 1024).for_each(|part| begun.extend(frame(0, 0, part)));
    client.write_all(&begun).await.unwrap();
    client
}

/// The beginning of the answer to the check, header and message.
async fn answer(client: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        client.read_exact(&mut payload).await.unwrap();
        if head[8] == 1 && head[3] < 2 {
            answer.extend(payload);
            // The last of the stream.
            if head[4] & 1 == 1 {
                return answer;
            }
        }
    }
}

#[tokio::test]
async fn a_check_of_which_only_a_part_comes_is_given_up() {
    let bounds = Bounds { check: Duration::from_millis(100), ..Bounds::default() };
    let address = bounded(bounds, Duration::from_secs(60)).await;
    let mut client = ask_in_part(TcpStream::connect(address).await.unwrap(), 1_024, b"a").await;
    tokio::time::timeout(Duration::from_secs(5), answer(&mut client)).await.unwrap();
}

#[tokio::test]
async fn what_has_come_of_a_check_is_charged() {
    let bodies_bytes_max = 64 * 1024;
    let gate = gate::gate_with(GateLimits { bodies_bytes_max, ..GateLimits::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options { body_bytes_max: Some(1024 * 1024), ..Options::default() };
    tokio::spawn(serve(Socket::from(listener), gate, options, std::future::pending()));
    let part = [0; 48 * 1024];
    let mut first = ask_in_part(TcpStream::connect(address).await.unwrap(), 100_000, &part).await;
    // Not two of the same caller: one is told so, by a denial.
    let mut second = ask_in_part(TcpStream::connect(address).await.unwrap(), 100_000, &part).await;
    let answered = tokio::select! {
        answered = answer(&mut first) => answered,
        answered = answer(&mut second) => answered,
        () = tokio::time::sleep(Duration::from_secs(5)) => panic!("neither was answered"),
    };
    let text = String::from_utf8_lossy(&answered).into_owned();
    assert!(text.contains("overloaded"), "{text}");
}

//! Fields and targets on their way to the upstream.

use crate::setup::*;

#[tokio::test]
async fn an_allowed_request_arrives_byte_for_byte() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let forged = delivery("/github/%41?a=%zz&&b", "body").replace(
        "host: app\r\nconnection: close\r\n",
        "host: app\r\nconnection: close, x-dropped\r\nx-dropped: 1\r\nx-gate-principal: admin\r\n\
         x-forwarded-for: 6.6.6.6\r\nx-forwarded-proto: https\r\n",
    );
    assert!(setup.send(forged).await.starts_with("HTTP/1.1 200"));
    let received = setup.received.recv().await.unwrap();
    assert!(received.starts_with("POST /github/%41?a=%zz&&b HTTP/1.1\r\n"), "{received}");
    assert!(received.ends_with("\r\n\r\nbody"), "{received}");
    for present in [
        "\nx-gate-principal: github\r\n",
        "\nhost: app\r\n",
        "\nx-forwarded-for: 127.0.0.1\r\n",
        "\nx-forwarded-proto: http\r\n",
        "\nx-forwarded-host: app\r\n",
        "\nx-request-id: ",
        "\ncontent-length: 4\r\n",
    ] {
        assert_eq!(received.matches(present).count(), 1, "{present} in {received}");
    }
    for absent in ["admin", "x-dropped", "6.6.6.6", "connection:"] {
        assert!(!received.contains(absent), "{absent} in {received}");
    }
}

#[tokio::test]
async fn a_connection_cannot_take_away_what_was_decided_about() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    for field in
        ["x-gate-principal", "X-Forwarded-For", "x-hub-signature-256", "x_gate_principal", "host", "authorization"]
    {
        let named = delivery("/github", "body").replace("connection: close", &format!("connection: close, {field}"));
        assert_eq!(reason(&setup.send(named).await), Some("connection-names-field"), "{field}");
    }
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn the_host_that_was_decided_about_is_the_one_that_is_forwarded() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let absolute = |version: &str, fields: &str| {
        format!("GET http://app.example/public HTTP/{version}\r\n{fields}connection: close\r\n\r\n")
    };
    assert_eq!(reason(&setup.send(absolute("1.1", "")).await), Some("missing-host"));
    assert_eq!(reason(&setup.send(absolute("1.1", "host: other\r\n")).await), Some("ambiguous-authority"));
    let ftp = absolute("1.1", "host: app.example\r\n").replace("http://", "ftp://");
    assert_eq!(reason(&setup.send(ftp).await), Some("malformed-target"));
    let origin = "GET /public HTTP/1.1\r\nconnection: close\r\n\r\n";
    assert_eq!(reason(&setup.send(origin).await), Some("missing-host"));
    assert!(setup.nothing_received());
    for request in [absolute("1.0", ""), absolute("1.1", "host: app.example\r\n")] {
        assert!(setup.send(request).await.contains(" 200 "));
        let received = setup.received.recv().await.unwrap();
        assert!(
            received.starts_with("GET /public HTTP/1.1\r\n") && received.contains("\nhost: app.example\r\n"),
            "{received}"
        );
        assert!(received.contains("\nx-forwarded-host: app.example\r\n"), "{received}");
    }
}

#[tokio::test]
async fn a_denied_request_does_not_arrive() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let answer = setup.send(delivery("/github", "one").replace("\r\n\r\none", "\r\n\r\ntwo")).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(reason(&answer), Some("signature-mismatch"));
    assert!(setup.nothing_received());
}

#[tokio::test]
async fn http2_is_not_asked_of_the_upstream() {
    let mut setup = Setup::new(Upstream::Answers(OK)).await;
    let h2c = "GET /public HTTP/1.1\r\nhost: app\r\nconnection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\n\
               http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    setup.send(h2c).await;
    let received = setup.received.recv().await.unwrap();
    assert!(!received.contains("upgrade") && !received.contains("http2-settings"), "{received}");
}

//! An upstream that fails, is gone, or is slow.

use crate::setup::*;
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::test]
async fn the_upstreams_failure_gives_back_what_waited_for_success() {
    let setup = Setup::new(Upstream::Answers(FAILS)).await;
    for _ in 0..2 {
        let answer = setup.send(delivery("/retried", "one")).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    }
    let setup = Setup::new(Upstream::Answers(OK)).await;
    assert!(setup.send(delivery("/retried", "one")).await.starts_with("HTTP/1.1 200"));
    let repeated = setup.send(delivery("/retried", "one")).await;
    assert!(repeated.starts_with("HTTP/1.1 200"), "{repeated}");
    assert_eq!(reason(&repeated), Some("duplicate-acknowledged"));
}

#[tokio::test]
async fn an_upstream_that_is_gone_or_silent_is_told_apart() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let setup = Setup::with(Upstream::Silent, |options| {
        options.upstream = format!("http://{gone}").parse().unwrap();
    })
    .await;
    let answer = setup.send(delivery("/github", "body")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(reason(&answer), Some("upstream-unreachable"));

    let setup = Setup::with(Upstream::Silent, |options| {
        options.timeouts.response_header = Duration::from_millis(50);
    })
    .await;
    let answer = setup.send(delivery("/github", "body")).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert_eq!(reason(&answer), Some("upstream-timeout"));

    let setup = Setup::new(Upstream::Answers("nonsense\r\n\r\n")).await;
    assert_eq!(reason(&setup.send(delivery("/github", "body")).await), Some("upstream-failed"));
}

/// Time passes here when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn an_upstream_has_the_time_that_the_setting_says() {
    let limit = Duration::from_secs(3);
    let setup = Setup::with(Upstream::Silent, |options| options.timeouts.response_header = limit).await;
    for path in ["/github", "/public"] {
        let began = tokio::time::Instant::now();
        let answer = setup.send(delivery(path, "body")).await;
        assert_eq!(reason(&answer), Some("upstream-timeout"), "{answer}");
        let took = began.elapsed();
        assert!((limit..limit + Duration::from_millis(100)).contains(&took), "{took:?}");
    }
}

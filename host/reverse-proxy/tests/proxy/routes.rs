//! Routes that name their upstreams.

use crate::peers::*;
use barmkin_host::*;
use barmkin_reverse_proxy::{Http, Options};
use http::StatusCode;
use std::sync::Arc;

/// Lets everybody through, as `routes` say.
pub(crate) fn open(routes: &[(&str, Option<&str>)]) -> Arc<Gate> {
    let routes = routes.iter().map(|(path, upstream)| {
        let mut route = Route::new(*path);
        route.matches.path = PathMatch::Prefix((*path).to_owned());
        route.public = true;
        route.upstream = upstream.map(Into::into);
        route
    });
    let spec = Spec { routes: routes.collect(), ..Spec::default() };
    let engine = Engine::new(&EngineSettings { concurrent_checks_max: 8, ..EngineSettings::default() }).unwrap();
    let services = Services::new(MemoryStore::default());
    Arc::new(Gate::new(Generation::build(&engine, &spec, &KeyRing::default(), services).unwrap()))
}

#[tokio::test]
async fn each_goes_where_it_says_and_the_others_to_the_listeners_own() {
    let (mut own, mut named) = (Behind::start().await, Behind::start().await);
    let mut options = Options::new(plain(&[own.address], Http::Auto));
    options.upstreams = [("named".to_owned(), plain(&[named.address], Http::Two))].into();
    let routes = [("/", None), ("/named", Some("named")), ("/nowhere", Some("nowhere"))];
    let front = Front::serve(open(&routes), options, None).await;
    assert_eq!(front.get("/named/a").await, (StatusCode::OK, None));
    assert_eq!(named.seen.recv().await.unwrap().target, "http://app/named/a");
    assert_eq!(front.get("/other").await, (StatusCode::OK, None));
    assert_eq!(own.seen.recv().await.unwrap().target, "/other");
    // Never the listener's own in its place.
    assert_eq!(front.get("/nowhere").await, (StatusCode::BAD_GATEWAY, Some("upstream-unreachable".to_owned())));
    assert!(own.seen.try_recv().is_err() && named.seen.try_recv().is_err());
}

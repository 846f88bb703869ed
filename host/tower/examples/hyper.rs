//! A gate in front of a plain hyper server, without a configuration file.
//!
//! `cargo run -p barmkin-tower --example hyper`, then
//! `curl -i 127.0.0.1:8080/hook -H "x-hub-signature-256: sha256=$(printf hello | \
//!   openssl dgst -sha256 -hmac "It's a Secret to Everybody" -r | cut -d' ' -f1)" -d hello`

use barmkin_host::*;
use barmkin_tower::{BarmkinLayer, GuardedBody, Options, Permitted};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::{convert::Infallible, error::Error, sync::Arc};
use tower::{Layer, ServiceExt, service_fn};

fn gate() -> Result<Arc<Gate>, Box<dyn Error>> {
    let mut signature = PolicySpec::new(barmkin_stock::WEBHOOK_SIGNATURE.component);
    signature.settings = serde_json::json!({ "provider": "github" });
    signature.grants.keys = [("signing".to_owned(), "github".to_owned())].into();
    signature.grants.vouch = true;
    let mut route = Route::new("hook");
    route.matches.path = PathMatch::Exact("/hook".to_owned());
    route.chain = vec![Member::Policy("signature".to_owned())];
    let policies = [("signature".to_owned(), signature)].into();
    let spec = Spec { policies, routes: vec![route], ..Spec::default() };
    let key = Key::new(Algorithm::HmacSha256).with_secret("2026", b"It's a Secret to Everybody", None)?;
    let keys = KeyRing::default().with("github", key);
    let engine = Engine::new(&EngineSettings::default())?;
    Ok(Arc::new(Gate::new(Generation::build(&engine, &spec, &keys, Services::new(MemoryStore::default()))?)))
}

async fn greet(request: Request<GuardedBody<Incoming>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let sender = request.extensions().get::<Permitted>().and_then(Permitted::principal);
    Ok(Response::new(format!("signed by {}\n", sender.map_or("nobody", |sender| sender.id.as_str())).into()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = BarmkinLayer::new(gate()?, Options::default()).layer(service_fn(greet));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/hook takes what GitHub signs; Ctrl-C ends", listener.local_addr()?);
    loop {
        let (stream, peer) = tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            accepted = listener.accept() => accepted?,
        };
        let service = service.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(service);
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

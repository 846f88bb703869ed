//! A service with a gate in it: a policy of its own, keys from where the service
//! keeps them, logs, reload on SIGHUP, and a graceful stop on SIGTERM.
//!
//! ```sh
//! cargo run -- build host/tower/examples/partners -o partners.wasm
//! echo "It's a Secret to Everybody" > github.secret
//! RUST_LOG=info cargo run -p barmkin-tower --features axum --example embedded -- partners.wasm github.secret
//! curl -i 127.0.0.1:8080/orders -H 'x-partner: acme'
//! ```

use axum::Router;
use axum::routing::{get, post};
use barmkin_host::*;
use barmkin_tower::{BarmkinLayer, Options, Permitted, peer_from_connect_info};
use bytes::Bytes;
use http::HeaderValue;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long requests that are under way may go on after the stop.
const GRACE: Duration = Duration::from_secs(10);

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(component), Some(secret)) = (arguments.next(), arguments.next()) else {
        return Err("the arguments are a component and the file of a secret".into());
    };
    // An error of these prints what is wrong and what to do about it.
    let service = Service::new(component, Vault { secret })?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let (mut reload, mut stop) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    let reloaded = service.clone();
    tokio::spawn(async move {
        while reload.recv().await.is_some() {
            // It may compile, which is not for the threads that serve.
            let service = reloaded.clone();
            let _ = tokio::task::spawn_blocking(move || service.reload()).await;
        }
    });
    service
        .serve(listener, async move {
            let _ = stop.recv().await;
        })
        .await
}

/// The keys as this service keeps them. Any source will do that can be asked when
/// a generation is built: fetch from one that is far away first.
#[derive(Clone)]
pub(crate) struct Vault {
    /// The file of GitHub's secret.
    pub(crate) secret: PathBuf,
}

impl KeySource for Vault {
    fn key(&self, name: &str) -> Result<Key, KeyError> {
        if name != "github" {
            return Err(KeyError::Unknown(name.to_owned()));
        }
        let unreadable =
            |error: std::io::Error| KeyError::Unreadable { name: name.to_owned(), problem: error.to_string() };
        let text = std::fs::read_to_string(&self.secret).map_err(unreadable)?;
        Key::new(Algorithm::HmacSha256).with_secret("current", text.trim_end().as_bytes(), None)
    }
}

/// Everything that a reload needs.
#[derive(Clone)]
pub(crate) struct Service {
    engine: Engine,
    gate: Arc<Gate>,
    component: PathBuf,
    vault: Vault,
}

impl Service {
    /// Builds and proves the first generation.
    pub(crate) fn new(component: PathBuf, vault: Vault) -> Result<Self, Box<dyn Error>> {
        let engine = Engine::new(&EngineSettings::default())?;
        // A restart forgets what was counted: use a store that does not.
        let mut services = Services::new(MemoryStore::default());
        services.denial_form = Some(Arc::new(own_form));
        let generation = Generation::build(&engine, &spec(&component)?, &vault, services)?;
        Ok(Self { engine, gate: Arc::new(Gate::new(generation)), component, vault })
    }

    /// Takes the component and the keys as they are now. What cannot be used
    /// changes nothing. Requests that are under way end as they began.
    pub(crate) fn reload(&self) {
        match self.next() {
            Ok(next) => {
                tracing::info!(generation = %next.digest(), compiled = next.compiled(), "reloaded");
                self.gate.swap(next);
            }
            // `{:#}` has the help beside each error.
            Err(error) => tracing::error!("what served goes on serving: {error:#}"),
        }
    }

    /// A policy that did not change is not compiled again.
    fn next(&self) -> Result<Generation, Box<dyn Error>> {
        Ok(self.gate.generation().next(&self.engine, &spec(&self.component)?, &self.vault)?)
    }

    /// Serves until `stop`, and then for as long as it takes requests to end, at
    /// most `GRACE`.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Box<dyn Error>> {
        let options = Options { peer: peer_from_connect_info, ..Options::default() };
        let layer = BarmkinLayer::new(self.gate, options);
        let app = Router::new()
            .route("/orders", get(orders))
            .route("/github", post(delivered))
            .layer(layer.clone())
            .into_make_service_with_connect_info::<SocketAddr>();
        tracing::info!(address = %listener.local_addr()?, "serving");
        let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = axum::serve(listener, app).with_graceful_shutdown(async move {
            stop.await;
            drop(stopping);
        });
        let ended = async {
            served.await?;
            // Deliveries that go on although their sender has hung up.
            layer.ended().await;
            Ok(())
        };
        let late = async {
            let _ = stopped.await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = ended => ended,
            () = late => {
                layer.cut_off();
                Err("requests were still under way, and were cut off".into())
            }
        }
    }
}

async fn orders(permitted: Permitted) -> String {
    format!("orders of {}\n", permitted.principal().map_or("nobody", |partner| &partner.id))
}

async fn delivered(permitted: Permitted, body: Bytes) -> String {
    format!("{} bytes by way of {}\n", body.len(), permitted.route())
}

/// A refusal as this service writes all of its errors. Its status and fields
/// are the gate's.
fn own_form(denial: &Denial) -> Option<DenialBody> {
    let error =
        serde_json::json!({ "error": { "code": denial.reason().as_str(), "id": denial.request_id().to_string() } });
    Some(DenialBody { content_type: HeaderValue::from_static("application/json"), bytes: error.to_string().into() })
}

/// Whom each route lets in.
fn spec(component: &PathBuf) -> Result<Spec, Box<dyn Error>> {
    let mut partners = PolicySpec::new(std::fs::read(component)?);
    partners.settings = serde_json::json!({ "allowed": ["acme"] });
    partners.grants.vouch = true;
    let mut signature = PolicySpec::new(barmkin_stock::WEBHOOK_SIGNATURE.component);
    signature.settings = serde_json::json!({ "provider": "github" });
    signature.grants.keys = [("signing".to_owned(), "github".to_owned())].into();
    signature.grants.vouch = true;
    let mut quota = PolicySpec::new(barmkin_stock::RATE_QUOTA.component);
    quota.grants.quotas = [("quota".to_owned(), vec!["per-partner".to_owned()])].into();
    Ok(Spec {
        quotas: [("per-partner".to_owned(), Quota::per(100, MINUTE))].into(),
        policies: [("partners".to_owned(), partners), ("signature".to_owned(), signature), ("quota".to_owned(), quota)]
            .into(),
        routes: vec![route("/orders", &["partners", "quota"]), route("/github", &["signature"])],
        ..Spec::default()
    })
}

fn route(path: &str, chain: &[&str]) -> Route {
    let mut route = Route::new(path.trim_start_matches('/'));
    route.matches.path = PathMatch::Exact(path.to_owned());
    route.chain = chain.iter().map(|policy| Member::Policy((*policy).to_owned())).collect();
    route
}

//! `barmkin serve`: opens every way in, and answers until it is told to stop.

use crate::health::Health;
use crate::live::{Found, Live, Operate, Orders, compile_in_the_background};
use crate::sockets::{Sockets, Taken};
use crate::stopping::{self, Signals, Stop};
use crate::{load, store, supervisor, terminal, upstreams};
use anyhow::{Context, Result};
use barmkin_admin::{By, Command, Control, Reloads, StoreHealth, Tally};
use barmkin_config::{Admin, AdminTimeouts, Dialect, Listener, ListenerKind, StoreConfig};
use barmkin_host::{ClientAddress, Gate, SystemClock};
use barmkin_reverse_proxy::Upstream;
use barmkin_tls::Socket;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

/// Serves, until it is told to stop.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    file: load::File,
    /// Starts although the embedded store lost what it remembered. What was
    /// signed before this start is then refused.
    #[arg(long)]
    accept_loss: bool,
    /// Logs what a policy says when it panics, and not only where it does. That
    /// text may hold parts of requests.
    #[arg(long)]
    panic_messages: bool,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    start_log(args.log_format);
    use_all_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let served = runtime.block_on(serve(args));
    // What is being compiled has no part in it.
    runtime.shutdown_timeout(stopping::SETTLING);
    served?;
    Ok(ExitCode::SUCCESS)
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| terminal::Log).log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

async fn serve(args: &Args) -> Result<()> {
    // Before anything that takes time: signals may follow at once.
    let (hangup, mut signals) = (signal(SignalKind::hangup())?, Signals::listen()?);
    let found = Found::read(&args.file.path()?)?;
    let (drain, declared_upstreams) = (found.fixed().drain(), found.fixed().upstreams.clone());
    let sockets = Sockets::take(found.fixed()).await?;
    let counts = Counts::start();
    // It answers until the end, whatever becomes of the others.
    let mut apart = JoinSet::new();
    if let Some((health, socket)) = sockets.health {
        apart.spawn(start_health(&health, socket, counts.health.clone())?);
    }
    let (accept_loss, for_authors, loads) = (args.accept_loss, args.panic_messages, counts.clone());
    let loading = tokio::task::spawn_blocking(move || build(found, accept_loss, for_authors, &loads));
    let Loaded { gate, operate } = tokio::select! {
        loaded = loading => loaded.context("loading panicked")??,
        _ = signals.first() => {
            tracing::info!("stopped: it was told to before it had begun");
            return Ok(());
        }
    };
    tokio::spawn(reload_on_hangup(hangup, operate.clone()));
    let (stop, stopped) = watch::channel(false);
    let mut open = JoinSet::new();
    let upstreams = upstreams::open(&declared_upstreams)?;
    for (listener, socket) in sockets.listeners {
        let socket = socket.listen().with_context(|| format!("listener `{}`", listener.name))?;
        tracing::info!(listener = listener.name, address = %socket.listener, "listening");
        open.spawn(start(&listener, &upstreams, socket, gate.clone(), &counts.health, stopped.clone())?);
    }
    if let Some((admin, socket)) = sockets.admin {
        let socket = socket.listen().context("the admin listener")?;
        tracing::info!(address = %socket.listener, "admin listening");
        open.spawn(start_admin(&admin, socket, operate, stopped.clone()));
    }
    counts.health.set_ready(true);
    supervisor::tell_ready();
    let (mut told, failed) = tokio::select! {
        told = signals.first() => (told, None),
        ended = open.join_next() => (Stop::InOrder, ended),
    };
    counts.health.set_ready(false);
    supervisor::tell_stopping();
    if told == Stop::InOrder && failed.is_none() && !drain.is_zero() {
        // Who sends requests here has to see that it is not ready.
        tracing::info!(?drain, "stopping: it is not ready any more, and its listeners go on");
        told = signals.after(drain).await;
    }
    stop.send_replace(true);
    let mut rest = Vec::new();
    if told == Stop::InOrder {
        tracing::info!("stopping: what is under way may end");
        tokio::select! {
            ended = open.join_all() => rest = ended,
            _ = signals.after(stopping::UNDER_WAY) => tracing::warn!("what was under way is cut off"),
        }
    } else {
        open.shutdown().await;
    }
    // What was cut off gives back what it took.
    tokio::time::sleep(stopping::SETTLING).await;
    apart.shutdown().await;
    tracing::info!("stopped");
    for ended in failed.into_iter().map(|ended| ended.context("a listener panicked")?).chain(rest) {
        ended?;
    }
    Ok(())
}

/// The counts, and what is told of them.
#[derive(Clone)]
struct Counts {
    tally: Arc<Tally>,
    reloads: Reloads,
    store: StoreHealth,
    health: Arc<Health>,
}

impl Counts {
    fn start() -> Self {
        let clock = Arc::new(SystemClock);
        let (tally, reloads) = (Arc::new(Tally::new(clock.clone())), Reloads::default());
        let store = StoreHealth::new(clock);
        let health = Arc::new(Health::new(tally.clone(), reloads.clone(), store.clone()));
        Self { tally, reloads, store, health }
    }
}

/// A gate that can serve, and how it is operated.
struct Loaded {
    gate: Arc<Gate>,
    operate: Arc<Operate>,
}

/// Builds what was found, on a thread that may wait, within the runtime that serves.
fn build(found: Found, accept_loss: bool, for_authors: bool, counts: &Counts) -> Result<Loaded> {
    let open = |config: &StoreConfig| Handle::current().block_on(store::open(config, accept_loss, &counts.store));
    let live = Live::load(found, open, (counts.tally.clone() as _, for_authors), counts.reloads.clone())?;
    compile_in_the_background();
    counts.health.count_pool(live.engine().clone());
    let (gate, view) = (live.gate().clone(), live.view());
    let orders = Orders::start(live)?;
    let Counts { tally, store, health, .. } = counts.clone();
    let operate = Arc::new(Operate::new(orders, view, gate.clone(), health, tally, store));
    Ok(Loaded { gate, operate })
}

/// Takes what is on disk whenever the process is sent SIGHUP.
async fn reload_on_hangup(mut hangup: Signal, operate: Arc<Operate>) {
    while hangup.recv().await.is_some() {
        // What came of it is in the log: a signal has nobody to answer to.
        operate.command(Command::Reload, By::Signal).await;
    }
}

type Running = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// The task that answers operators.
fn start_admin(admin: &Admin, socket: Socket, operate: Arc<Operate>, stopped: watch::Receiver<bool>) -> Running {
    let timeouts = timeouts(admin.timeouts);
    Box::pin(async move {
        barmkin_admin::serve(socket, timeouts, operate, until(stopped)).await;
        Ok(())
    })
}

/// The task that tells anybody how the gate is, until it is dropped.
fn start_health(
    declared: &barmkin_config::Health,
    socket: Taken,
    health: Arc<Health>,
) -> Result<impl Future<Output = ()> + Send + use<>> {
    let socket = socket.listen().context("the health listener")?;
    tracing::info!(address = %socket.listener, "health listening");
    Ok(barmkin_admin::serve_health(socket, timeouts(declared.timeouts), health, std::future::pending()))
}

fn timeouts(declared: AdminTimeouts) -> barmkin_admin::Timeouts {
    let mut timeouts = barmkin_admin::Timeouts::default();
    set(&mut timeouts.header_read, declared.header);
    set(&mut timeouts.stall, declared.stall);
    timeouts
}

/// Waits until the gate is to stop.
async fn until(mut stopped: watch::Receiver<bool>) {
    // It ends with the sender, too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// The task that answers at a listener.
fn start(
    listener: &Listener,
    upstreams: &BTreeMap<String, Upstream>,
    socket: Socket,
    gate: Arc<Gate>,
    health: &Health,
    stopped: watch::Receiver<bool>,
) -> Result<Running> {
    let shutdown = until(stopped);
    let name = Some(Arc::from(listener.name.as_str()));
    Ok(match &listener.kind {
        ListenerKind::ExtAuthz { client_certificate, body_bytes_max } => {
            let mut options = barmkin_envoy::Options {
                client_certificate: *client_certificate,
                body_bytes_max: *body_bytes_max,
                listener: name,
                ready: Some(health.ready()),
                ..barmkin_envoy::Options::default()
            };
            set(&mut options.bounds.connections_max, listener.connections_max);
            set(&mut options.bounds.streams_max, listener.streams_max);
            set(&mut options.bounds.stall, listener.timeouts.stall);
            set(&mut options.bounds.check, listener.timeouts.check);
            set(&mut options.bounds.ping, listener.timeouts.ping);
            Box::pin(async move { Ok(barmkin_envoy::serve(socket, gate, options, shutdown).await?) })
        }
        ListenerKind::ForwardAuth { dialect, trusted_proxies, gates, upgrades } => {
            let mut options = barmkin_forward_auth::Options::new(dialect_of(*dialect));
            options.listener = name;
            set_bounds(&mut options.bounds, listener);
            if !trusted_proxies.is_empty() {
                options.trusted_proxies.clone_from(trusted_proxies);
            }
            options.gates.clone_from(gates);
            if let Some(upgrades) = upgrades {
                options.upgrades = upgrades.iter().map(|protocol| protocol.as_str().into()).collect();
            }
            Box::pin(async move {
                barmkin_forward_auth::serve(socket, gate, options, shutdown).await;
                Ok(())
            })
        }
        ListenerKind::ReverseProxy { upstream, trusted_proxies, upgrades } => {
            let own = upstreams.get(upstream).with_context(|| format!("there is no upstream `{upstream}`"))?;
            let mut options = barmkin_reverse_proxy::Options::new(own.clone());
            options.upstreams.clone_from(upstreams);
            options.listener = name;
            if !trusted_proxies.is_empty() {
                options.client_address = ClientAddress::RightmostUntrusted(trusted_proxies.clone());
            }
            if let Some(upgrades) = upgrades {
                options.upgrades = upgrades.iter().map(|protocol| protocol.as_str().into()).collect();
            }
            options.client_certificate = listener.tls.as_ref().is_some_and(|tls| tls.names_principal);
            set_bounds(&mut options.bounds, listener);
            let (timeouts, declared) = (&mut options.timeouts, listener.timeouts);
            set(&mut timeouts.body_read, declared.body);
            set(&mut timeouts.body_whole, declared.whole_body);
            set(&mut timeouts.connect, declared.connect);
            set(&mut timeouts.response_header, declared.response);
            set(&mut timeouts.tunnel_idle, declared.tunnel);
            Box::pin(async move {
                barmkin_reverse_proxy::serve(socket, gate, options, shutdown).await;
                Ok(())
            })
        }
    })
}

fn set_bounds(bounds: &mut barmkin_reverse_proxy::Bounds, listener: &Listener) {
    set(&mut bounds.connections_max, listener.connections_max);
    set(&mut bounds.tunnels_max, listener.tunnels_max);
    set(&mut bounds.streams_max, listener.streams_max);
    bounds.cleartext_http2 = listener.h2c;
    set(&mut bounds.header_read, listener.timeouts.header);
    set(&mut bounds.idle, listener.timeouts.idle);
    set(&mut bounds.stall, listener.timeouts.stall);
}

fn set<T>(value: &mut T, declared: Option<T>) {
    if let Some(declared) = declared {
        *value = declared;
    }
}

/// Places are bounded by settings, and must not be bounded first by what the
/// system hands out by default, which is often 1,024 descriptors: past those
/// nobody could be accepted for whom another gives way.
fn use_all_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the bound on open files cannot be raised");
    }
}

fn dialect_of(dialect: Dialect) -> barmkin_forward_auth::Dialect {
    match dialect {
        Dialect::Nginx => barmkin_forward_auth::Dialect::Nginx,
        Dialect::Caddy => barmkin_forward_auth::Dialect::Caddy,
        Dialect::Traefik => barmkin_forward_auth::Dialect::Traefik,
        Dialect::Haproxy => barmkin_forward_auth::Dialect::Haproxy,
        Dialect::EnvoyHttp => barmkin_forward_auth::Dialect::EnvoyHttp { path_prefix: String::new() },
    }
}

//! `barmkin serve`: opens every way in, and answers until it is told to stop.

use crate::live::{Counts, Live, Operate, Orders, compile_in_the_background};
use crate::stopping::{self, Signals, Sockets, Stop};
use crate::{load, store, upstreams};
use anyhow::{Context, Result, bail};
use barmkin_admin::{By, Command, Control, Reloads, StoreHealth, Tally};
use barmkin_config::{Address, Admin, Dialect, Fixed, Listener, ListenerKind, StoreConfig};
use barmkin_host::{ClientAddress, Gate, SystemClock};
use barmkin_reverse_proxy::Upstream;
use barmkin_tls::{HTTP, HTTP1, HTTP2, ServerTls, Socket};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

/// Serves.
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
    let clock = Arc::new(SystemClock);
    let counts = Counts {
        tally: Arc::new(Tally::new(clock.clone())),
        reloads: Reloads::default(),
        store: StoreHealth::new(clock),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let open = |config: &StoreConfig| runtime.block_on(store::open(config, args.accept_loss, &counts.store));
    let told = (counts.tally.clone() as _, args.panic_messages);
    let live = Live::load(&args.file.file, open, told, counts.reloads.clone())?;
    let (gate, engine, fixed, view) = (live.gate().clone(), live.engine().clone(), live.fixed(), live.view());
    compile_in_the_background();
    let orders = Orders::start(live)?;
    let operate = Arc::new(Operate::new(orders, view, gate.clone(), engine, counts));
    let served = runtime.block_on(serve(gate, &fixed, operate));
    // What is being compiled has no part in it.
    runtime.shutdown_timeout(stopping::SETTLING);
    served?;
    Ok(ExitCode::SUCCESS)
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

async fn serve(gate: Arc<Gate>, fixed: &Fixed, operate: Arc<Operate>) -> Result<()> {
    let admin = fixed.admin.as_ref();
    // Before the log says that it listens: a signal may follow at once.
    tokio::spawn(reload_on_hangup(signal(SignalKind::hangup())?, operate.clone()));
    let mut signals = Signals::listen()?;
    let (stop, stopped) = watch::channel(false);
    let (mut open, mut sockets) = (JoinSet::new(), Sockets::default());
    let upstreams = upstreams::open(&fixed.upstreams)?;
    for listener in &fixed.listeners {
        let running = start(listener, &upstreams, gate.clone(), stopped.clone());
        open.spawn(running.await.with_context(|| format!("listener `{}`", listener.name))?);
        add_socket(&mut sockets, &listener.address);
    }
    if let Some(admin) = admin {
        open.spawn(start_admin(admin, operate.clone(), stopped.clone()).await.context("the admin listener")?);
        add_socket(&mut sockets, &admin.address);
    }
    operate.set_ready(true);
    let (mut told, failed) = tokio::select! {
        told = signals.first() => (told, None),
        ended = open.join_next() => (Stop::InOrder, ended),
    };
    operate.set_ready(false);
    if let (Stop::InOrder, None, Some(Admin { drain, .. })) = (told, &failed, admin) {
        // Who sends requests here has to see that it is not ready.
        tracing::info!(?drain, "stopping: it is not ready any more, and its listeners go on");
        told = signals.after(*drain).await;
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
    drop(sockets);
    tracing::info!("stopped");
    for ended in failed.into_iter().map(|ended| ended.context("a listener panicked")?).chain(rest) {
        ended?;
    }
    Ok(())
}

fn add_socket(sockets: &mut Sockets, address: &Address) {
    if let Address::Unix { path, .. } = address {
        sockets.add(path);
    }
}

/// Takes what is on disk whenever the process is sent SIGHUP.
async fn reload_on_hangup(mut hangup: Signal, operate: Arc<Operate>) {
    while hangup.recv().await.is_some() {
        // What came of it is in the log: a signal has nobody to answer to.
        operate.command(Command::Reload, By::Signal).await;
    }
}

/// Opens the admin listener; what it returns runs it.
async fn start_admin(admin: &Admin, operate: Arc<Operate>, mut stopped: watch::Receiver<bool>) -> Result<Running> {
    let listener = match &admin.address {
        Address::Tcp(address) => {
            let socket = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
            tracing::info!(address = %socket.local_addr()?, "admin listening");
            let mut socket = Socket::from(socket);
            set(&mut socket.opening.within, admin.timeouts.handshake);
            socket.opening.tls = admin.tls.as_ref().map(|tls| ServerTls::load(tls.files(), HTTP1)).transpose()?;
            barmkin_admin::Listener::Tcp(socket)
        }
        Address::Unix { path, mode, group } => {
            let socket = barmkin_envoy::UnixSocket { path: path.clone(), mode: *mode, group: *group };
            let bound = socket.bind().with_context(|| format!("cannot listen at {}", admin.address))?;
            tracing::info!(address = %admin.address, "admin listening");
            barmkin_admin::Listener::Unix(bound)
        }
    };
    let mut timeouts = barmkin_admin::Timeouts::default();
    set(&mut timeouts.header_read, admin.timeouts.header);
    set(&mut timeouts.stall, admin.timeouts.stall);
    let shutdown = async move {
        // It ends with the sender, too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    Ok(Box::pin(async move {
        barmkin_admin::serve(listener, timeouts, operate, shutdown).await;
        Ok(())
    }))
}

type Running = std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Opens a listener; what it returns runs it.
async fn start(
    listener: &Listener,
    upstreams: &BTreeMap<String, Upstream>,
    gate: Arc<Gate>,
    mut stopped: watch::Receiver<bool>,
) -> Result<Running> {
    let shutdown = async move {
        // It ends with the sender, too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let name = Some(Arc::from(listener.name.as_str()));
    match &listener.kind {
        ListenerKind::ExtAuthz { client_certificate, body_bytes_max } => {
            let mut options = barmkin_envoy::Options {
                client_certificate: *client_certificate,
                body_bytes_max: *body_bytes_max,
                listener: name,
                ..barmkin_envoy::Options::default()
            };
            set(&mut options.bounds.connections_max, listener.connections_max);
            set(&mut options.bounds.streams_max, listener.streams_max);
            set(&mut options.bounds.stall, listener.timeouts.stall);
            set(&mut options.bounds.check, listener.timeouts.check);
            set(&mut options.bounds.ping, listener.timeouts.ping);
            let socket: barmkin_envoy::Listener = match &listener.address {
                Address::Tcp(_) => tcp(listener).await?.into(),
                Address::Unix { path, mode, group } => {
                    let socket = barmkin_envoy::UnixSocket { path: path.clone(), mode: *mode, group: *group };
                    let bound = socket.bind().with_context(|| format!("cannot listen at {}", listener.address))?;
                    announce(listener, &listener.address);
                    bound.into()
                }
            };
            Ok(Box::pin(async move { Ok(barmkin_envoy::serve(socket, gate, options, shutdown).await?) }))
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
            let socket = tcp(listener).await?;
            Ok(Box::pin(async move {
                barmkin_forward_auth::serve(socket, gate, options, shutdown).await;
                Ok(())
            }))
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
            let socket = tcp(listener).await?;
            Ok(Box::pin(async move {
                barmkin_reverse_proxy::serve(socket, gate, options, shutdown).await;
                Ok(())
            }))
        }
    }
}

async fn tcp(listener: &Listener) -> Result<Socket> {
    let Address::Tcp(address) = &listener.address else {
        bail!("it listens on a TCP port only, not at {}", listener.address);
    };
    let protocols = match listener.kind {
        ListenerKind::ExtAuthz { .. } => HTTP2,
        ListenerKind::ForwardAuth { .. } => HTTP1,
        ListenerKind::ReverseProxy { .. } => HTTP,
    };
    let tls = listener.tls.as_ref().map(|tls| ServerTls::load(tls.files(), protocols)).transpose()?;
    let socket = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
    announce(listener, &socket.local_addr()?);
    let mut socket = Socket::from(socket);
    socket.opening.tls = tls;
    socket.opening.balancers = listener.balancers.clone().into();
    set(&mut socket.opening.within, listener.timeouts.handshake);
    Ok(socket)
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

fn announce(listener: &Listener, address: &dyn std::fmt::Display) {
    tracing::info!(listener = listener.name, %address, "listening");
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

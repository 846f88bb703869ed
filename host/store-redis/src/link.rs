//! Servers that are connected: one, or a cluster of them.

use crate::error::{Failure, OpenError};
use crate::scripts::Call;
use crate::settings::{Settings, Tls};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, InfoDict, IntoConnectionInfo};
use redis::{RedisError, RedisResult, ServerErrorKind, TlsCertificates, Value};
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::Mutex;

/// Between two attempts to connect, at first and at most: a server that comes
/// back is found within a second, and one that is down is not hammered.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Attempts to connect before the requests that wait are told: they are told
/// before by their own time-out.
const ATTEMPTS_MAX: usize = 16;

/// Requests under way on one connection; more wait for them.
const UNDER_WAY_MAX: usize = 4_096;

/// How often a cluster may send a command elsewhere, and the first wait between
/// two, of which each is twice the one before: 155 ms in all.
const REDIRECTS_MAX: usize = 6;
const REDIRECT_PAUSE: Duration = Duration::from_millis(5);

/// Connected servers: one connection to each, which all calls share.
pub(crate) struct Link {
    servers: Connected,
    /// When they were last seen to be ones that may be used, in milliseconds of the
    /// store's clock; 0 for never.
    pub(crate) proven: AtomicU64,
    /// Who asks them that.
    pub(crate) turn: Mutex<()>,
}

#[derive(Clone)]
enum Connected {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

/// One of the servers.
#[derive(Clone)]
pub(crate) struct Node(Option<String>);

impl Node {
    /// Its address, where there are several.
    pub(crate) fn address(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl Link {
    /// One server. It connects when it is first used, and again whenever it must.
    pub(crate) fn one(server: ConnectionInfo, settings: &Settings) -> Result<Self, OpenError> {
        let login = (settings.username.as_deref(), settings.password.as_deref());
        manager(server, login, &settings.tls, settings.timeout).map(|manager| Self::new(Connected::One(manager)))
    }

    /// A cluster, of which at least one node must answer now.
    pub(crate) async fn cluster(client: &ClusterClient) -> Result<Self, Failure> {
        Ok(Self::new(Connected::Cluster(client.get_async_connection().await?)))
    }

    fn new(servers: Connected) -> Self {
        Self { servers, proven: AtomicU64::new(0), turn: Mutex::new(()) }
    }

    /// Runs a script where its keys are. Its outcome is unknown after an error:
    /// it is not tried again, unless it is certain that it did not run.
    pub(crate) async fn invoke(&self, call: &Call<'_>) -> RedisResult<Value> {
        match self.send(&call.by_hash()).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.send(&call.by_text()).await
            }
            answer => answer,
        }
    }

    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        match self.servers.clone() {
            Connected::One(mut manager) => command.query_async(&mut manager).await,
            Connected::Cluster(cluster) => redirected(cluster, command).await,
        }
    }

    /// Asks each of the servers that take writes, which all must answer.
    pub(crate) async fn each(&self, command: &Cmd) -> Result<Vec<(Node, Value)>, Failure> {
        match self.servers.clone() {
            Connected::One(mut manager) => Ok(vec![(Node(None), command.query_async(&mut manager).await?)]),
            Connected::Cluster(mut cluster) => {
                let masters = fan_out(&mut cluster, command).await?;
                Ok(masters.into_iter().map(|(address, answer)| (Node(Some(address)), answer)).collect())
            }
        }
    }

    /// Asks one of the servers.
    pub(crate) async fn ask(&self, node: &Node, command: &Cmd) -> Result<Value, Failure> {
        Ok(match (self.servers.clone(), &node.0) {
            (Connected::Cluster(mut cluster), Some(address)) => {
                let routing = RoutingInfo::SingleNode(at(address)?);
                cluster.route_command(command.clone(), routing).await?.extract_error()?
            }
            _ => self.send(command).await?,
        })
    }
}

/// Sends a command to the node that has its keys. A node that sends it elsewhere,
/// or refuses because its slots are on the move, did not run it. After any other
/// failure it may have run, and so the client must not try again by itself either.
async fn redirected(mut cluster: ClusterConnection, command: &Cmd) -> RedisResult<Value> {
    let (mut left, mut pause) = (REDIRECTS_MAX, REDIRECT_PAUSE);
    let mut answer = command.query_async(&mut cluster).await;
    loop {
        let Err(error) = &answer else { return answer };
        let ErrorKind::Server(kind) = error.kind() else { return answer };
        if left == 0 {
            return answer;
        }
        left -= 1;
        answer = match kind {
            // This once: the slot is under way to that node.
            ServerErrorKind::Ask => {
                let node = error.redirect_node().map(|(node, _)| at(node));
                let Some(Ok(node)) = node else { return answer };
                asking(&mut cluster, command, node).await
            }
            // With the first the client has asked which node has the slot.
            ServerErrorKind::Moved | ServerErrorKind::TryAgain | ServerErrorKind::ClusterDown => {
                tokio::time::sleep(pause).await;
                pause *= 2;
                command.query_async(&mut cluster).await
            }
            _ => return answer,
        };
    }
}

async fn asking(cluster: &mut ClusterConnection, command: &Cmd, node: SingleNodeRoutingInfo) -> RedisResult<Value> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("ASKING").add_command(command.clone());
    let answers = cluster.route_pipeline(pipeline, 0, 2, node).await?;
    let answers: RedisResult<Vec<Value>> = answers.into_iter().map(Value::extract_error).collect();
    answers?.pop().ok_or_else(|| unexpected("a node did not answer"))
}

/// The answers of all masters that have slots, by their addresses.
async fn fan_out(cluster: &mut ClusterConnection, command: &Cmd) -> Result<Vec<(String, Value)>, Failure> {
    let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::Special)));
    // The client leaves out those that it is not connected to.
    let mut size = redis::cmd("CLUSTER");
    size.arg("INFO");
    let mut expected = 0;
    for (_, answer) in by_address(cluster.route_command(size, masters.clone()).await?)? {
        let info: InfoDict = redis::from_redis_value(answer).map_err(RedisError::from)?;
        expected = expected.max(info.get::<usize>("cluster_size").unwrap_or(0));
    }
    let answers = by_address(cluster.route_command(command.clone(), masters).await?)?;
    if answers.is_empty() || answers.len() != expected {
        return Err(Failure::Incomplete { answered: answers.len(), masters: expected });
    }
    Ok(answers)
}

fn by_address(answers: Value) -> RedisResult<Vec<(String, Value)>> {
    let Value::Map(answers) = answers.extract_error()? else { return Err(unexpected("the masters did not answer")) };
    let answer = |(address, answer)| Ok((redis::from_redis_value::<String>(address)?, answer));
    answers.into_iter().map(answer).collect()
}

fn at(address: &str) -> RedisResult<SingleNodeRoutingInfo> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts.ok_or_else(|| unexpected("an address has no port"))?;
    Ok(SingleNodeRoutingInfo::ByAddress { host: host.trim_matches(['[', ']']).to_owned(), port })
}

fn unexpected(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, what))
}

/// The client of a cluster with these nodes.
pub(crate) fn cluster_client(urls: &[String], settings: &Settings) -> Result<ClusterClient, OpenError> {
    let mut builder = ClusterClientBuilder::new(urls.iter().map(String::as_str))
        // It would try again what may have run.
        .retries(0)
        // While it looks which node has a slot, all calls wait for a node that does not
        // take its connection.
        .connection_timeout(settings.timeout / 2)
        .response_timeout(settings.timeout)
        .overall_response_timeout(None)
        .connection_concurrency_limit(UNDER_WAY_MAX);
    if let Some(username) = &settings.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.password(password);
    }
    if urls.iter().any(|url| url.starts_with("rediss:")) {
        builder = builder.certs(certificates(&settings.tls));
    }
    builder.build().map_err(OpenError::Settings)
}

/// A connection to one server that comes back by itself.
pub(crate) fn manager(
    server: ConnectionInfo,
    (username, password): (Option<&str>, Option<&str>),
    tls: &Tls,
    timeout: Duration,
) -> Result<ConnectionManager, OpenError> {
    let mut login = server.redis_settings().clone();
    if let Some(username) = username {
        login = login.set_username(username);
    }
    if let Some(password) = password {
        login = login.set_password(password);
    }
    let has_tls = matches!(server.addr(), ConnectionAddr::TcpTls { .. });
    let server = server.set_redis_settings(login);
    let client = if has_tls { Client::build_with_tls(server, certificates(tls)) } else { Client::open(server) };
    let config = ConnectionManagerConfig::new()
        .set_min_delay(RETRY.0)
        .set_max_delay(RETRY.1)
        .set_number_of_retries(ATTEMPTS_MAX)
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout))
        .set_concurrency_limit(UNDER_WAY_MAX)
        .set_pipeline_buffer_size(UNDER_WAY_MAX);
    ConnectionManager::new_lazy_with_config(client.map_err(OpenError::Settings)?, config).map_err(OpenError::Settings)
}

/// The server at this address.
pub(crate) fn server(url: &str) -> Result<ConnectionInfo, OpenError> {
    url.into_connection_info().map_err(OpenError::Settings)
}

fn certificates(tls: &Tls) -> TlsCertificates {
    // Without one that the process has chosen; there it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Tls { root_pem, client_pem } = tls.clone();
    let client_tls = client_pem.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    TlsCertificates { client_tls, root_cert: root_pem }
}

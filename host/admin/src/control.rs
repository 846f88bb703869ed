//! The interface of the admin listener to the program that runs the gate.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;

/// The part of the gate that anybody may look at.
pub trait Health: Send + Sync + 'static {
    /// Whether requests may be sent to this gate.
    fn is_ready(&self) -> bool;

    /// The metrics, in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// The program that runs the gate.
pub trait Control: Health {
    /// The generation that serves and what it did, without secrets.
    fn status(&self) -> serde_json::Value;

    /// Lists the claims of a nonce space, or frees a nonce of it.
    fn nonces(&self, wanted: Nonces, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>>;

    /// Carries out a command of an operator.
    fn command(&self, command: Command, by: By) -> Pin<Box<dyn Future<Output = Answered> + Send>>;
}

/// The commands that an operator can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Load and serve the configuration on disk.
    Reload,
    /// Serve an earlier generation again; by default the one before.
    Rollback {
        /// Its number in the history.
        to: Option<u64>,
    },
}

/// A question about nonces, or an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nonces {
    /// The claims of a space.
    List {
        /// Its name.
        space: String,
    },
    /// Free a nonce.
    Forget {
        /// The space.
        space: String,
        /// Its digest.
        digest: [u8; 32],
    },
}

/// Who asked, for the log and the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Nobody: a file changed.
    FileChange,
    /// A user who may send this process a signal.
    Signal,
    /// A process on this machine, over the Unix socket.
    Process {
        /// Its user.
        uid: u32,
        /// Its id, where the system says so.
        pid: Option<i32>,
    },
    /// A connection to the admin port.
    Peer(SocketAddr),
    /// A connection over TLS.
    Client {
        /// The name in the client's certificate.
        name: Option<String>,
        /// From where.
        address: SocketAddr,
    },
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileChange => f.write_str("a file change"),
            Self::Signal => f.write_str("SIGHUP"),
            Self::Process { uid, pid: Some(pid) } => write!(f, "user {uid}, process {pid}"),
            Self::Process { uid, pid: None } => write!(f, "user {uid}"),
            Self::Peer(address) | Self::Client { name: None, address } => write!(f, "{address}"),
            Self::Client { name: Some(name), address } => write!(f, "`{name}` from {address}"),
        }
    }
}

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// How it ended.
    pub outcome: Outcome,
    /// The message for the client: an object.
    pub body: serde_json::Value,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Done,
    /// There is no such generation to go back to.
    NoSuchGeneration,
    /// There is no such nonce, or space.
    NoSuchNonce,
    /// It failed; what served before goes on serving.
    Failed,
}

//! Reads `barmkin.toml`.
//!
//! A configuration is read in one go: everything wrong with it is reported,
//! each with its file, line and column, and what to do about it. Nothing of it
//! is used until all of it is right.
//!
//! ```no_run
//! use barmkin_config::{Config, LoadOptions};
//! use barmkin_host::{Clock, Engine, EngineSettings, Gate, MemoryStore, Services, SystemClock};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load("barmkin.toml", &LoadOptions::at(SystemClock.now()))?;
//! for warning in config.warnings() {
//!     eprintln!("{warning}");
//! }
//! let engine = Engine::new(&EngineSettings::default())?;
//! let services = Services::new(MemoryStore::default());
//! let gate = Gate::new(config.build(&engine, services)?);
//! # let _ = gate;
//! # Ok(()) }
//! ```
//!
//! Files of secrets and components are named relative to the file that names
//! them.

mod config;
mod document;
mod excerpt;
mod files;
mod findings;
mod fixed;
mod generation;
mod issuer;
mod listener;
mod load;
mod report;
mod resolve;
mod schema;
mod secret;
mod secret_text;
mod source;
mod stock;
mod store;
mod units;
mod unknown;
mod upstream;
mod visible;
mod withdraw;
mod worded;

pub use config::{Config, LoadOptions, Secrets};
pub use excerpt::Excerpt;
pub use files::{Files, Watched};
pub use fixed::{Admin, AdminTimeouts, Fixed, Health, Pin};
pub use issuer::Issuer;
pub use listener::{Address, Dialect, Listener, ListenerKind, Timeouts, Tls};
pub use report::{Finding, Place, Report, Severity, WithLines};
pub use schema::schema;
pub use store::{RedisConfig, RedisLogin, RedisServers, StoreConfig};
pub use units::{BadQuantity, DurationUnit, Rate, RateUnit, Text, Unit};
pub use upstream::{Http, Upstream, UpstreamAddress, UpstreamTls};
pub use visible::{Visible, VisibleLines};
pub use withdraw::{Because, Gone, Whereabouts, Withdrawn};

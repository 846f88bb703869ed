//! From a component's bytes to decisions.

mod bindings;
mod cache;
mod capabilities;
mod check;
mod component;
mod cost;
mod deadline;
mod decision;
mod description;
mod failure;
mod image;
mod input;
mod instance;
mod instances;
mod log;
mod manifest;
mod quarantine;
mod renewal;
mod sandbox;
mod session;
mod snapshot;
mod written;

pub(crate) use cache::Cache;
pub(crate) use component::is_older;
pub use component::{CONTRACT, Inspection, inspect};
pub(crate) use decision::{Decision, PolicyDenial};
pub use description::description;
pub(crate) use failure::CheckError;
pub(crate) use image::{Image, Waits};
pub(crate) use instance::Policy;
pub(crate) use log::LogRate;
pub use manifest::{BodyInput, DigestAlgorithm, Manifest, NamedInput};
pub(crate) use session::{BodyDigests, Established, Session, Subject};

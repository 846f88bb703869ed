//! Fuzz targets: functions that take any bytes, and panic when something no
//! longer holds.
//!
//! [`run()`] drives them on stable Rust, from the inputs in `corpus/` and from
//! changes to these, the same ones each time: CI does so for a moment. On a
//! nightly cargo-fuzz drives them by what their inputs reach: `cargo-fuzz/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a target says that something does not hold"
)]

mod component;
#[cfg(feature = "everything")]
mod configuration;
#[cfg(feature = "everything")]
mod ext_authz;
mod fields;
mod guest;
mod head;
#[cfg(feature = "everything")]
mod header;
mod normalization;
mod run;

pub use run::{Found, run};

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// The check of one input.
    pub check: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "normalization", check: normalization::check },
    Target { name: "fields", check: fields::check },
    #[cfg(feature = "everything")]
    Target { name: "configuration", check: configuration::check },
    Target { name: "component", check: component::inspect },
    Target { name: "decision", check: component::decision },
    #[cfg(feature = "everything")]
    Target { name: "header", check: header::check },
    #[cfg(feature = "everything")]
    Target { name: "ext_authz", check: ext_authz::check },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}

/// Gives `input` to the target of this name, for fuzzers that have one program
/// for each.
///
/// # Panics
/// When something does not hold, or there is no such target.
pub fn check(name: &str, input: &[u8]) {
    let target = target(name).expect("programs are named as targets are");
    (target.check)(input);
}

/// An engine for targets that need one: few instances, so that it starts fast.
static ENGINE: std::sync::LazyLock<barmkin_host::Engine> = std::sync::LazyLock::new(|| {
    let settings = barmkin_host::EngineSettings { concurrent_checks_max: 8, ..Default::default() };
    barmkin_host::Engine::new(&settings).expect("this machine runs the engine")
});

/// A gate by `spec`, which stands at one moment.
fn gate(spec: &barmkin_host::Spec) -> barmkin_host::Gate {
    barmkin_host::Gate::new(generation(spec).expect("the spec is right"))
}

fn generation(spec: &barmkin_host::Spec) -> Result<barmkin_host::Generation, barmkin_host::BuildErrors> {
    use barmkin_host::{FixedClock, Generation, KeyRing, MemoryStore, Services};
    let mut services = Services::new(MemoryStore::default());
    services.clock = std::sync::Arc::new(FixedClock::at_unix_ms(1_700_000_000_000));
    Generation::build(&ENGINE, spec, &KeyRing::default(), services)
}

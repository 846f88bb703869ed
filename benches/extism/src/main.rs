//! Extism: plug-ins in WebAssembly, called with bytes and answering with bytes.
//!
//! Warm is how its documentation uses a plug-in: one instance, called again and
//! again. Fresh makes an instance of the compiled plug-in for each request.

use anyhow::Result;
use barmkin_bench_peer::{Decide, Request, serve};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};

static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.wasm"));

fn main() -> Result<()> {
    // The roles are in the plug-in.
    serve(|_| Ok(vec![("sandbox_extism_warm", warm()?), ("sandbox_extism_fresh", fresh()?)]))
}

fn compiled() -> Result<CompiledPlugin> {
    PluginBuilder::new(Manifest::new([Wasm::data(GUEST)])).with_wasi(false).compile()
}

fn warm() -> Result<Decide> {
    let mut plugin = Plugin::new_from_compiled(&compiled()?)?;
    Ok(Box::new(move |request| check(&mut plugin, request)))
}

fn fresh() -> Result<Decide> {
    let compiled = compiled()?;
    Ok(Box::new(move |request| check(&mut Plugin::new_from_compiled(&compiled)?, request)))
}

fn check(plugin: &mut Plugin, request: &Request) -> Result<bool> {
    Ok(plugin.call::<_, &str>("check", request.0.as_str())? == "allow")
}

//! Extism: plug-ins in WebAssembly, called with bytes and answering with bytes.
//!
//! Warm is how its documentation uses a plug-in: one instance, called again and
//! again. Fresh makes an instance of the compiled plug-in for each request.

use anyhow::Result;
use barmkin_bench_peer::{Decide, Request, serve};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use serde_json::json;

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
    let claims: serde_json::Value = serde_json::from_str(&request.claims)?;
    let headers: serde_json::Map<_, _> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let document = json!({ "method": request.method, "path": request.path, "headers": headers, "claims": claims });
    Ok(plugin.call::<_, &str>("check", document.to_string())? == "allow")
}

//! Policies as `barmkin check` shows them: what each reads and uses, and what it
//! costs to run.

use barmkin_host::{BodyInput, Loaded, Manifest, NamedInput};

/// The lines about one policy.
pub(crate) fn lines(policy: &Loaded<'_>) -> [String; 2] {
    let Loaded { name, manifest, memory_bytes, not_renewed } = policy;
    let instances = match not_renewed {
        None => "its instances are renewed".to_owned(),
        Some(why) => format!("each check takes a new instance: {why}"),
    };
    [
        format!("policy `{name}` reads {}; uses {}", list(reads(manifest)), list(uses(manifest))),
        format!("  checks begin with {} KiB of memory, which `configure` left; {instances}", memory_bytes / 1024),
    ]
}

/// The same for scripts.
pub(crate) fn as_json(policy: &Loaded<'_>) -> serde_json::Value {
    let Loaded { name, manifest, memory_bytes, not_renewed } = policy;
    serde_json::json!({
        "name": name,
        "reads": reads(manifest),
        "uses": uses(manifest),
        "memory-bytes": memory_bytes,
        "not-renewed": not_renewed.as_ref().map(ToString::to_string),
    })
}

fn reads(manifest: &Manifest) -> Vec<String> {
    let mut all: Vec<_> = manifest.parts().map(str::to_owned).collect();
    all.extend(manifest.headers().iter().map(|input| named("header", input)));
    all.extend(manifest.query_parameters().iter().map(|input| named("query parameter", input)));
    match manifest.body() {
        BodyInput::None => {}
        BodyInput::OnHost => all.push("body (which stays on the host)".to_owned()),
        BodyInput::Digests(digests) => {
            all.extend(digests.iter().map(|digest| format!("{} of the body", digest.as_str())));
        }
        BodyInput::Bytes(max) => all.push(format!("body (up to {max} bytes)")),
    }
    all
}

fn named<N: std::fmt::Display>(kind: &str, input: &NamedInput<N>) -> String {
    format!("{kind} {}{}", input.name, if input.many { " (all)" } else { "" })
}

fn uses(manifest: &Manifest) -> Vec<String> {
    let mut all: Vec<_> = manifest.keys().map(|(name, _)| format!("key {name}")).collect();
    all.extend(manifest.nonces().iter().map(|name| format!("nonces {name}")));
    all.extend(manifest.quotas().iter().map(|name| format!("quota {name}")));
    all.extend(manifest.sets().iter().map(|name| format!("field {name}, which it sets")));
    all.extend(manifest.vouches().then(|| "its grant to vouch".to_owned()));
    all
}

fn list(items: Vec<String>) -> String {
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

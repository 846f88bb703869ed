use crate::config::Origins;
use crate::document::{self, Document, Entry};
use crate::fixed::Pin;
use crate::resolve::{Context, PolicyOrigin};
use crate::source::Site;
use barmkin_host::{Digest, Spec};
use sha2::{Digest as _, Sha256};

/// Reads the pin, and refuses what it does not list.
pub(super) fn resolve(
    declared: &Entry<document::Pin>,
    document: &Document,
    spec: &Spec,
    origins: &Origins,
    context: &mut Context<'_>,
) -> Pin {
    let Entry { site, value: pin } = declared;
    let pin = Pin {
        components: digests(pin.components.as_deref(), &site.key("components"), context),
        configurations: digests(pin.configurations.as_deref(), &site.key("configurations"), context),
    };
    for (name, policy) in &spec.policies {
        let is_file = document.policies.get(name).is_some_and(|policy| policy.value.component.starts_with("file:"));
        let digest = Digest(Sha256::digest(&policy.component).into());
        if is_file
            && !admits(pin.components.as_deref(), digest)
            && let Some(PolicyOrigin::Declared(site)) = origins.policies.get(name)
        {
            let message = format!(
                "the component of policy `{name}` has the digest `sha256:{digest}`, which the pin does not list"
            );
            let help = "if this is the component you mean, add its digest to `components` of `[pin]`";
            context.findings.error(site.key("component"), message).help(help);
        }
    }
    let digest = spec.digest();
    if !admits(pin.configurations.as_deref(), digest) {
        let message = format!("this configuration has the digest `sha256:{digest}`, which the pin does not list");
        let help = "if this is the configuration you mean, add its digest";
        context.findings.error(site.key("configurations"), message).help(help);
    }
    pin
}

fn admits(listed: Option<&[Digest]>, digest: Digest) -> bool {
    listed.is_none_or(|listed| listed.contains(&digest))
}

fn digests(declared: Option<&[String]>, site: &Site, context: &mut Context<'_>) -> Option<Vec<Digest>> {
    let mut digests = Vec::new();
    for (index, text) in declared?.iter().enumerate() {
        let mut bytes = [0; 32];
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        match hex::decode_to_slice(digits, &mut bytes) {
            Ok(()) => digests.push(Digest(bytes)),
            Err(_) => context
                .findings
                .error(site.item(index), format!("`{text}` is not a digest"))
                .help("write `sha256:` and 64 hexadecimal digits"),
        }
    }
    Some(digests)
}

use crate::document::Policy;
use crate::resolve::Context;
use crate::source::Site;
use crate::stock::{self, StockPolicy};
use crate::unknown::nearest;
use barmkin_host::limits::COMPONENT_BYTES_MAX;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A component, and what is known of it if it is a stock policy.
pub(super) struct Component {
    pub(super) bytes: Arc<[u8]>,
    pub(super) stock: Option<StockPolicy>,
}

pub(super) fn read(policy: &Policy, site: &Site, context: &mut Context<'_>) -> Option<Component> {
    let at = site.key("component");
    let component = match policy.component.split_once(':') {
        Some(("stock", name)) => {
            find_stock(name, &at, context).map(|stock| Component { bytes: stock.component.into(), stock: Some(stock) })
        }
        Some(("file", path)) if !path.is_empty() => {
            read_file(path, &at, context).map(|bytes| Component { bytes, stock: None })
        }
        _ => {
            context
                .findings
                .error(at, format!("`{}` does not say where the component is", policy.component))
                .help("write `stock:` and the name of a stock policy, or `file:` and a path");
            None
        }
    }?;
    if let Some(digest) = &policy.digest {
        check_digest(digest, &component.bytes, site.key("digest"), context);
    }
    Some(component)
}

pub(super) fn find_stock(name: &str, site: &Site, context: &mut Context<'_>) -> Option<StockPolicy> {
    let stock = stock::find(name);
    if stock.is_none() {
        let names = stock::names();
        let help = nearest(name, &names)
            .map_or_else(|| format!("there are {}", names.join(", ")), |near| format!("did you mean `stock:{near}`"));
        context.findings.error(site, format!("there is no stock policy `{name}`")).help(help);
    }
    stock
}

fn read_file(path: &str, site: &Site, context: &mut Context<'_>) -> Option<Arc<[u8]>> {
    let path = context.sources.beside(site.file, path);
    match context.files.read(&path, COMPONENT_BYTES_MAX) {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            context
                .findings
                .error(site, format!("component `{}` cannot be read: {error}", path.display()))
                .help("build it with `barmkin build`, or correct the path, which is relative to this file");
            None
        }
    }
}

fn check_digest(expected: &str, bytes: &[u8], site: Site, context: &mut Context<'_>) {
    let found = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    if expected != found {
        context
            .findings
            .error(site, format!("the component has the digest `{found}`, not `{expected}`"))
            .help("if this is the component you mean, write its digest");
    }
}

//! Upstreams, as a configuration has them and as the reverse proxy takes them.

use anyhow::{Context, Result};
use barmkin_config::{Http, UpstreamAddress};
use barmkin_reverse_proxy::{Address, Tls, Upstream, UpstreamError, UpstreamTls};
use std::collections::BTreeMap;

/// Reads the certificates of all upstreams. None is connected to.
pub(crate) fn open(declared: &BTreeMap<String, barmkin_config::Upstream>) -> Result<BTreeMap<String, Upstream>> {
    let opened = declared.iter().map(|(name, upstream)| {
        let opened = open_one(upstream).with_context(|| format!("upstream `{name}`"))?;
        Ok((name.clone(), opened.named(name)))
    });
    opened.collect()
}

fn open_one(declared: &barmkin_config::Upstream) -> Result<Upstream> {
    let address = |address: &UpstreamAddress| match address {
        UpstreamAddress::Tcp(text) => text.parse(),
        UpstreamAddress::Unix(path) => Ok(Address::Unix(path.clone())),
    };
    let addresses = declared.addresses.iter().map(address).collect::<Result<_, UpstreamError>>()?;
    let tls = declared.tls.as_ref().map(|tls| {
        Ok::<_, anyhow::Error>(Tls { files: UpstreamTls::load(tls.files.clone())?, name: tls.name.clone() })
    });
    let http = match declared.http {
        Http::One => barmkin_reverse_proxy::Http::One,
        Http::Two => barmkin_reverse_proxy::Http::Two,
        Http::Auto => barmkin_reverse_proxy::Http::Auto,
    };
    Ok(Upstream::new(addresses, http, tls.transpose()?)?)
}

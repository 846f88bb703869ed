use crate::config::Secrets;
use crate::document::{self, ClientCertificate, Listen, ListenKind};
use crate::listener::{Address, Tls};
use crate::resolve::Context;
use crate::source::Site;
use barmkin_tls::{Clients, HTTP1, LeastVersion, ServerFiles, ServerTls, TlsError};

/// TLS on a listener at `address`, tried with the files it names.
pub(super) fn resolve(listen: &Listen, address: &Address, site: &Site, context: &mut Context<'_>) -> Option<Tls> {
    let declared = listen.tls.as_ref()?;
    let site = site.key("tls");
    if let Address::Unix { .. } = address {
        context
            .findings
            .error(&site, "a Unix socket has no TLS")
            .help("its permissions say who may connect: remove it");
        return None;
    }
    let names_principal = declared.names_principal.unwrap_or_default();
    if names_principal && listen.kind != ListenKind::ReverseProxy {
        context
            .findings
            .error(site.key("names-principal"), "the client of this listener is a proxy, not whoever asks")
            .help("remove it; `client-certificate = true` on `ext-authz` is for what Envoy has verified");
    }
    Some(read(declared, &site, context))
}

/// TLS as it is declared at `site`, tried with the files it names.
pub(super) fn read(declared: &document::Tls, site: &Site, context: &mut Context<'_>) -> Tls {
    let names_principal = declared.names_principal.unwrap_or_default();
    if declared.client_ca.is_none() {
        let needless =
            [("client-certificate", declared.client_certificate.is_some()), ("names-principal", names_principal)];
        for (option, is_given) in needless {
            if is_given {
                context
                    .findings
                    .error(site.key(option), format!("without `client-ca` there is no `{option}`"))
                    .help("name the CAs that vouch for clients, or remove it");
            }
        }
    }
    let beside = |path: &str| context.sources.beside(site.file, path);
    let required = declared.client_certificate != Some(ClientCertificate::Optional);
    let tls = Tls {
        certificate: beside(&declared.certificate),
        key: beside(&declared.key),
        clients: declared.client_ca.as_deref().map(|ca| (beside(ca), required)),
        names_principal,
        least_version: least_version(declared.least_version),
    };
    if context.options.secrets == Secrets::Read {
        prove(&tls, site, context);
    }
    tls
}

pub(super) fn least_version(declared: document::LeastVersion) -> LeastVersion {
    match declared {
        document::LeastVersion::Tls12 => LeastVersion::Tls12,
        document::LeastVersion::Tls13 => LeastVersion::Tls13,
    }
}

/// Loads the files once, to report what is wrong with them.
fn prove(tls: &Tls, site: &Site, context: &mut Context<'_>) {
    let Err(error) = ServerTls::load(tls.files(), HTTP1) else { return };
    let path = match &error {
        TlsError::Read { path, .. }
        | TlsError::TooLarge { path, .. }
        | TlsError::Exposed { path, .. }
        | TlsError::Empty { path, .. }
        | TlsError::Pem { path, .. }
        | TlsError::ClientCa { path, .. } => path,
        _ => &tls.certificate,
    };
    let option = match path {
        path if *path == tls.key => "key",
        path if *path == tls.certificate => "certificate",
        _ => "client-ca",
    };
    let source = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
    context.findings.error(site.key(option), format!("{error}{source}")).help(error.help());
}

impl Tls {
    /// Where its files are.
    pub fn files(&self) -> ServerFiles {
        ServerFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            clients: self.clients.as_ref().map(|(ca, required)| Clients { ca: ca.clone(), required: *required }),
            least_version: self.least_version,
        }
    }
}

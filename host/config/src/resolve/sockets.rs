//! Unix sockets: where they are, and who may connect.

use crate::config::Secrets;
use crate::document::Group;
use crate::listener::Address;
use crate::resolve::Context;
use crate::source::Site;
use crate::units::{ModeUnit, Text};
use nix::unistd::Group as SystemGroup;

/// An address as it is written, with who may connect to it.
pub(super) struct Written<'d> {
    pub(super) site: &'d Site,
    pub(super) address: &'d str,
    pub(super) mode: Option<&'d Text<ModeUnit>>,
    pub(super) group: Option<&'d Group>,
}

/// The Unix socket that is `written`; `None` where it is a port, which has neither mode
/// nor group. One that says nothing of its mode has `mode`.
pub(super) fn unix(written: &Written<'_>, mode: u32, context: &mut Context<'_>) -> Option<Address> {
    let Written { site, address, .. } = written;
    let Some(path) = address.strip_prefix("unix:").filter(|path| !path.is_empty()) else {
        for (option, is_given) in [("mode", written.mode.is_some()), ("group", written.group.is_some())] {
            if is_given {
                let message = format!("only a Unix socket has a `{option}`");
                context.findings.error(site.key(option), message).help("remove it");
            }
        }
        return None;
    };
    Some(Address::Unix {
        path: context.sources.beside(site.file, path),
        mode: context.read_or(site.key("mode"), written.mode, mode),
        group: written.group.and_then(|group| id(group, site.key("group"), context)),
    })
}

/// The id of a group of this machine.
fn id(group: &Group, site: Site, context: &mut Context<'_>) -> Option<u32> {
    let name = match group {
        Group::Id(id) => return Some(*id),
        Group::Name(name) => name,
    };
    let (message, help) = match SystemGroup::from_name(name) {
        Ok(Some(group)) => return Some(group.gid.as_raw()),
        // Where its secrets are not, its groups need not be either.
        _ if context.options.secrets == Secrets::Placeholders => return None,
        Ok(None) => {
            (format!("there is no group `{name}` on this machine"), "make the group, or write the id of another")
        }
        Err(error) => (format!("the group `{name}` cannot be looked up: {error}"), "write its id"),
    };
    context.findings.error(site, message).help(help);
    None
}

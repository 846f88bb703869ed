//! How much of the store each nonce space and each quota may fill.

use crate::generation::build_errors::BuildError;
use crate::generation::error::{At, Problem};
use crate::generation::spec::Spec;
use crate::store::{MemoryLimits, NoShare, share};

/// The bounds of those that name none, where the store is bounded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shares {
    pub(crate) nonces: Option<usize>,
    pub(crate) quotas: Option<usize>,
}

impl Shares {
    /// Divides `room`. Bounds that do not fit are reported in `errors`.
    pub(super) fn of(spec: &Spec, room: Option<MemoryLimits>, errors: &mut Vec<BuildError>) -> Self {
        let Some(room) = room else { return Self::default() };
        let mut divide = |kind, room, bounds: Vec<(&String, Option<usize>)>| match share(
            room,
            bounds.iter().map(|(_, bound)| *bound),
        ) {
            Ok(share) => Some(share),
            Err(NoShare { named, others }) => {
                // The largest is the one to look at.
                let largest = bounds.iter().max_by_key(|(_, bound)| *bound);
                let name = largest.map(|(name, _)| (*name).clone()).unwrap_or_default();
                errors.push(BuildError { at: At::Store(name), problem: Problem::NoRoom { kind, named, others, room } });
                None
            }
        };
        let nonces = spec.nonces.iter().map(|(name, space)| (name, space.entries_max)).collect();
        let quotas = spec.quotas.iter().map(|(name, quota)| (name, quota.entries_max)).collect();
        Self { nonces: divide("nonce spaces", room.nonces, nonces), quotas: divide("quotas", room.quotas, quotas) }
    }
}

//! The claimed nonces of a ledger, by space.

use crate::limits::{FORGOTTEN_AT_ONCE, HELD_FOR};
use crate::store::room::{Part, Room};
use crate::store::{Claim, Holder, NonceId, Pot, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A claimed nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Until when it is remembered.
    pub expires: Duration,
    /// Who holds it and until when, if it is provisional.
    pub held: Option<(Holder, Duration)>,
}

impl Claimed {
    /// A claim at `now`.
    pub fn new(now: Duration, retain: Duration, holder: Option<Holder>) -> Self {
        let held = holder.map(|holder| (holder, now.saturating_add(HELD_FOR)));
        Self { expires: now.saturating_add(retain), held }
    }

    fn is_held_by(&self, holder: Holder) -> bool {
        self.held.is_some_and(|(held_by, _)| held_by == holder)
    }
}

#[derive(Debug)]
pub(super) struct Nonces {
    room: Arc<Room>,
    spaces: BTreeMap<Arc<str>, Space>,
}

/// One space. Ordered trees, since a hash table that grows moves all that it
/// holds in one step, and that step would be some request's.
#[derive(Debug)]
struct Space {
    part: Part,
    live: BTreeMap<[u8; 32], Claimed>,
    /// By expiry: each of `live` once.
    order: BTreeSet<(Duration, [u8; 32])>,
}

impl Nonces {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, spaces: BTreeMap::new() }
    }

    pub(super) fn claim(
        &mut self,
        now: Duration,
        nonce: &NonceId,
        retain: Duration,
        holder: Option<Holder>,
    ) -> Result<Claim, StoreError> {
        let Self { room, spaces } = self;
        let mut space = space_of(spaces, &nonce.space, room);
        space.forget_expired(now, room);
        match space.live.get(&nonce.digest) {
            Some(live) if live.expires > now => {
                let held = live.held.is_some_and(|(_, until)| now < until);
                return Ok(if held { Claim::InProgress } else { Claim::Replayed });
            }
            Some(_) => space.remove(&nonce.digest, room),
            None => {}
        }
        match room.reserve(&nonce.space, &space.part, 1) {
            Ok(()) => {}
            // Others may hold what has expired.
            Err(StoreError::Full { .. }) => {
                spaces.values_mut().for_each(|space| space.forget_expired(now, room));
                space = space_of(spaces, &nonce.space, room);
                room.reserve(&nonce.space, &space.part, 1)?;
            }
            Err(full) => return Err(full),
        }
        space.insert(nonce.digest, Claimed::new(now, retain, holder));
        Ok(Claim::FirstUse)
    }

    pub(super) fn holds(&self, nonce: &NonceId, holder: Holder) -> bool {
        let space = self.spaces.get(&**nonce.space.name());
        space.and_then(|space| space.live.get(&nonce.digest)).is_some_and(|claimed| claimed.is_held_by(holder))
    }

    pub(super) fn confirm(&mut self, nonce: &NonceId, holder: Holder) {
        if let Some(space) = self.spaces.get_mut(&**nonce.space.name())
            && let Some(claimed) = space.live.get_mut(&nonce.digest)
            && claimed.is_held_by(holder)
        {
            claimed.held = None;
        }
    }

    pub(super) fn remove(&mut self, nonce: &NonceId) {
        if let Some(space) = self.spaces.get_mut(&**nonce.space.name()) {
            space.remove(&nonce.digest, &self.room);
        }
    }

    /// Puts one back, whatever the bounds.
    pub(super) fn restore(&mut self, nonce: &NonceId, claimed: Claimed) {
        let Self { room, spaces } = self;
        let space = space_of(spaces, &nonce.space, room);
        space.remove(&nonce.digest, room);
        room.add(&space.part, 1);
        space.insert(nonce.digest, claimed);
    }

    pub(super) fn end_holds(&mut self) {
        let live = self.spaces.values_mut().flat_map(|space| space.live.values_mut());
        live.for_each(|claimed| claimed.held = None);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NonceId, &Claimed)> {
        self.spaces.iter().flat_map(|(name, space)| {
            let id = |digest: &[u8; 32]| NonceId { space: name.clone().into(), digest: *digest };
            space.live.iter().map(move |(digest, claimed)| (id(digest), claimed))
        })
    }

    /// Forgets a few of each space.
    pub(super) fn forget_expired(&mut self, now: Duration) {
        self.spaces.values_mut().for_each(|space| space.forget_expired(now, &self.room));
    }
}

fn space_of<'s>(spaces: &'s mut BTreeMap<Arc<str>, Space>, pot: &Pot, room: &Room) -> &'s mut Space {
    let space = || Space { part: room.part(pot), live: BTreeMap::new(), order: BTreeSet::new() };
    spaces.entry(pot.name().clone()).or_insert_with(space)
}

impl Space {
    fn insert(&mut self, digest: [u8; 32], claimed: Claimed) {
        self.order.insert((claimed.expires, digest));
        self.live.insert(digest, claimed);
    }

    fn remove(&mut self, digest: &[u8; 32], room: &Room) {
        if let Some(claimed) = self.live.remove(digest) {
            self.order.remove(&(claimed.expires, *digest));
            room.give_back(&self.part, 1);
        }
    }

    fn forget_expired(&mut self, now: Duration, room: &Room) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(digest) = self.order.first().filter(|(expires, _)| *expires <= now).map(|(_, digest)| *digest)
            else {
                break;
            };
            self.remove(&digest, room);
        }
    }
}

//! The claimed nonces of a ledger, by space.

use crate::limits::{FORGOTTEN_AT_ONCE, LEASE};
use crate::store::room::{Part, Room};
use crate::store::{Claim, Hold, Holder, Lapse, Listed, NonceId, Pot, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A claimed nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Until when it is remembered.
    pub expires: Duration,
    /// While it is under way.
    pub lease: Option<Lease>,
}

/// A claim that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its holder, and its fate when the lease ends.
    pub hold: Hold,
    /// When that is.
    pub until: Duration,
}

impl Lease {
    /// One that begins `now`.
    pub fn new(now: Duration, hold: Hold) -> Self {
        Self { hold, until: now.saturating_add(LEASE) }
    }
}

impl Claimed {
    /// A claim at `now`.
    pub fn new(now: Duration, retain: Duration, hold: Option<Hold>) -> Self {
        Self { expires: now.saturating_add(retain), lease: hold.map(|hold| Lease::new(now, hold)) }
    }

    /// Its entry in a list for operators at `now`.
    fn listed(&self, digest: [u8; 32], now: Duration) -> Listed {
        let held_for = self.lease.and_then(|lease| lease.until.checked_sub(now));
        Listed { digest, expires_in: self.expires.saturating_sub(now), held_for }
    }

    /// The answer to others who claim the same at `now`: `None` if it is free.
    fn answer(&self, now: Duration) -> Option<Claim> {
        if self.expires <= now {
            return None;
        }
        match self.lease {
            Some(lease) if now < lease.until => Some(Claim::InProgress),
            Some(Lease { hold: Hold { lapse: Lapse::Free, .. }, .. }) => None,
            Some(_) | None => Some(Claim::Replayed),
        }
    }

    fn is_held_by(&self, holder: Holder) -> bool {
        self.lease.is_some_and(|lease| lease.hold.holder == holder)
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
    /// Whether some of it was restored.
    has_restored: bool,
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
        hold: Option<Hold>,
    ) -> Result<Claim, StoreError> {
        let Self { room, spaces } = self;
        let mut space = space_of(spaces, &nonce.space, room);
        space.forget_expired(now, room);
        // Only what was written down before can be of another release.
        let former = nonce.former.filter(|_| space.has_restored).and_then(|former| space.live.get(&former));
        if let Some(answer) = former.and_then(|claimed| claimed.answer(now)) {
            return Ok(answer);
        }
        if let Some(claimed) = space.live.get(&nonce.digest) {
            if let Some(answer) = claimed.answer(now) {
                return Ok(answer);
            }
            space.remove(&nonce.digest, room);
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
        space.insert(nonce.digest, Claimed::new(now, retain, hold));
        Ok(Claim::FirstUse)
    }

    pub(super) fn holds(&self, nonce: &NonceId, holder: Holder) -> bool {
        let space = self.spaces.get(&**nonce.space.name());
        space.and_then(|space| space.live.get(&nonce.digest)).is_some_and(|claimed| claimed.is_held_by(holder))
    }

    pub(super) fn confirm(&mut self, nonce: &NonceId, holder: Holder) {
        if let Some(claimed) = self.held_by(nonce, holder) {
            claimed.lease = None;
        }
    }

    pub(super) fn renew(&mut self, now: Duration, nonce: &NonceId, holder: Holder) {
        if let Some(lease) = self.held_by(nonce, holder).and_then(|claimed| claimed.lease.as_mut()) {
            *lease = Lease::new(now, lease.hold);
        }
    }

    fn held_by(&mut self, nonce: &NonceId, holder: Holder) -> Option<&mut Claimed> {
        let space = self.spaces.get_mut(&**nonce.space.name())?;
        space.live.get_mut(&nonce.digest).filter(|claimed| claimed.is_held_by(holder))
    }

    pub(super) fn list(&self, now: Duration, space: &str, most: usize) -> Vec<Listed> {
        let Some(space) = self.spaces.get(space) else { return Vec::new() };
        let first = space.live.iter().take(most);
        let claimed = first.filter(|(_, claimed)| claimed.answer(now).is_some());
        claimed.map(|(digest, claimed)| claimed.listed(*digest, now)).collect()
    }

    pub(super) fn forget(&mut self, now: Duration, space: &str, digest: &[u8; 32]) -> bool {
        let Some(space) = self.spaces.get_mut(space) else { return false };
        let is_claimed = space.live.get(digest).is_some_and(|claimed| claimed.answer(now).is_some());
        space.remove(digest, &self.room);
        is_claimed
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
        space.has_restored = true;
        space.insert(nonce.digest, claimed);
    }

    pub(super) fn use_up_held(&mut self) {
        let live = self.spaces.values_mut().flat_map(|space| space.live.values_mut());
        live.for_each(|claimed| claimed.lease = claimed.lease.filter(|lease| lease.hold.lapse == Lapse::Free));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NonceId, &Claimed)> {
        self.spaces.iter().flat_map(|(name, space)| {
            let id = |digest: &[u8; 32]| NonceId { space: name.clone().into(), digest: *digest, former: None };
            space.live.iter().map(move |(digest, claimed)| (id(digest), claimed))
        })
    }

    /// Forgets a few of each space.
    pub(super) fn forget_expired(&mut self, now: Duration) {
        self.spaces.values_mut().for_each(|space| space.forget_expired(now, &self.room));
    }
}

fn space_of<'s>(spaces: &'s mut BTreeMap<Arc<str>, Space>, pot: &Pot, room: &Room) -> &'s mut Space {
    let space = || Space { part: room.part(pot), live: BTreeMap::new(), has_restored: false, order: BTreeSet::new() };
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

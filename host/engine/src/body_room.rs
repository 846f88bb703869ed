//! Memory for bodies that are read before the verdict.
//!
//! Charged is what is allocated, before it is, and until the last one lets go
//! of the bytes. Under pressure the one that holds most and moves slowest gives
//! way ([`barmkin_shares`]): of clients, and of routes.

use crate::limits::BODIES_BYTES_MAX;
use barmkin_shares::{Client, Holding, Shares};
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Capacity that a body begins with: what one read of a socket gives.
const FIRST: usize = 8 * 1024;

/// The keys by which a body is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// `None` where the client's address is not known.
    Client(Option<Client>),
    Route(usize),
}

/// Memory for the bodies of all requests that a gate decides.
#[derive(Clone, Debug)]
pub(crate) struct Bodies(Arc<Shares<Key, 2>>);

impl Bodies {
    pub(crate) fn new(max: usize) -> Self {
        Self(Shares::new(max))
    }

    pub(crate) fn room(&self, client: Option<IpAddr>, route: usize) -> BodyRoom {
        let keys = [Key::Client(client.map(Client::from)), Key::Route(route)];
        // Nothing always has room.
        BodyRoom { holding: self.0.take(Some(keys), 0), bytes: Vec::new() }
    }
}

/// Room for one body, among those of all requests that this gate decides.
#[derive(Debug)]
pub struct BodyRoom {
    holding: Option<Holding<Key, 2>>,
    bytes: Vec<u8>,
}

/// As for the only body of a gate.
impl Default for BodyRoom {
    fn default() -> Self {
        Bodies::new(BODIES_BYTES_MAX).room(None, 0)
    }
}

/// There is no room for a body: hand over [`Body::NoRoom`](crate::Body::NoRoom).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for a body")]
pub struct NoRoom;

impl BodyRoom {
    /// Appends `part` to a body that is expected to become `expected` bytes
    /// long. The allocated capacity is charged. It is at most twice the bytes that
    /// have come, so that an announcement takes no room.
    ///
    /// # Errors
    /// When there is no room. The bytes that were read stay.
    pub fn append(&mut self, part: &[u8], expected: usize) -> Result<(), NoRoom> {
        let [ahead, needed] = self.wanted(part, expected)?;
        let has = self.bytes.capacity();
        let granted = if needed <= has {
            Some(has)
        } else {
            [ahead, needed].into_iter().find(|capacity| self.charge(capacity - has))
        };
        self.put(part, granted.ok_or(NoRoom)?);
        Ok(())
    }

    /// The same, and lets others make room where they are about to.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_in_turn(&mut self, part: &[u8], expected: usize) -> Result<(), NoRoom> {
        let [ahead, needed] = self.wanted(part, expected)?;
        let (has, holding) = (self.bytes.capacity(), self.holding.as_ref().ok_or(NoRoom)?);
        let granted = if needed <= has {
            has
        } else if holding.grow(ahead - has) {
            ahead
        } else if holding.grow_in_turn(needed - has).await {
            needed
        } else {
            return Err(NoRoom);
        };
        self.put(part, granted);
        Ok(())
    }

    /// Capacity for `part`: as much as is expected, and as little as will do.
    fn wanted(&self, part: &[u8], expected: usize) -> Result<[usize; 2], NoRoom> {
        let needed = self.bytes.len().checked_add(part.len()).ok_or(NoRoom)?;
        let has = self.bytes.capacity();
        let ahead = if needed > has { (2 * has).max(FIRST).min(expected).max(needed) } else { has };
        Ok([ahead, needed])
    }

    fn put(&mut self, part: &[u8], capacity: usize) {
        self.bytes.reserve_exact(capacity.saturating_sub(self.bytes.len()));
        self.bytes.extend_from_slice(part);
        if let Some(holding) = &self.holding {
            holding.moved(part.len());
        }
    }

    /// Charges bytes that are held elsewhere, until this is dropped.
    ///
    /// # Errors
    /// When there is no room.
    pub fn count(&self, bytes: usize) -> Result<(), NoRoom> {
        if !self.charge(bytes) {
            return Err(NoRoom);
        }
        if let Some(holding) = &self.holding {
            holding.moved(bytes);
        }
        Ok(())
    }

    fn charge(&self, bytes: usize) -> bool {
        self.holding.as_ref().is_some_and(|holding| holding.grow(bytes))
    }

    /// Bytes that were read.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it has to give way to others: then drop it, and hand over
    /// [`Body::NoRoom`](crate::Body::NoRoom).
    pub fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<()> {
        self.holding.as_ref().map_or(Poll::Pending, |holding| holding.poll_evicted(context))
    }

    /// A body that was read elsewhere, and is held from here on.
    ///
    /// # Errors
    /// When there is no room.
    pub fn hold(mut self, body: Vec<u8>) -> Result<Bytes, NoRoom> {
        if !self.charge(body.capacity()) {
            return Err(NoRoom);
        }
        self.bytes = body;
        Ok(self.into_bytes())
    }

    /// The body. Its room is given back with the last of the bytes, and does not
    /// give way from here on.
    pub fn into_bytes(self) -> Bytes {
        if self.bytes.is_empty() {
            return Bytes::new();
        }
        if let Some(holding) = &self.holding {
            holding.keep();
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for BodyRoom {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::task::Waker;

    const MIB: usize = 1024 * 1024;

    fn address(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    fn is_evicted(room: &BodyRoom) -> bool {
        room.poll_evicted(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn fill(room: &mut BodyRoom, bytes: usize) -> Result<(), NoRoom> {
        (0..bytes / 1_024).try_for_each(|_| room.append(&[0; 1_024], bytes))
    }

    #[test]
    fn what_is_allocated_is_charged_until_the_last_byte_is_gone() {
        let bodies = Bodies::new(8 * MIB);
        let mut held = Vec::new();
        loop {
            // All of one client and one route: nobody gives way.
            let mut room = bodies.room(address(1), 0);
            if fill(&mut room, MIB).is_err() {
                break;
            }
            assert_eq!(room.bytes.capacity(), MIB);
            held.push(room.into_bytes());
        }
        assert_eq!(held.len(), 8);
        let part = held.pop().unwrap().slice(5..6);
        assert!(fill(&mut bodies.room(address(1), 0), MIB).is_err());
        drop(part);
        assert!(fill(&mut bodies.room(address(1), 0), MIB).is_ok());
    }

    #[test]
    fn a_body_that_was_read_elsewhere_is_charged_too() {
        let bodies = Bodies::new(MIB);
        let held = bodies.room(address(1), 0).hold(vec![0; MIB]).unwrap();
        assert_eq!(bodies.room(address(2), 0).hold(vec![0]), Err(NoRoom));
        drop(held);
        assert!(bodies.room(address(2), 0).hold(vec![0]).is_ok());
    }

    #[test]
    fn an_announcement_takes_no_room() {
        let bodies = Bodies::new(MIB);
        let mut announced = Vec::new();
        for _ in 0..100 {
            let mut room = bodies.room(address(1), 0);
            room.append(b"a", MIB).unwrap();
            assert!(room.bytes.capacity() <= FIRST);
            announced.push(room);
        }
    }

    #[test]
    fn who_holds_most_gives_way_while_it_reads() {
        let bodies = Bodies::new(4 * MIB);
        let mut heavy: Vec<_> = (0..4).map(|_| bodies.room(address(1), 0)).collect();
        heavy.iter_mut().for_each(|room| fill(room, MIB).unwrap());
        let mut modest = bodies.room(address(2), 0);
        fill(&mut modest, MIB).unwrap();
        assert_eq!(heavy.iter().filter(|room| is_evicted(room)).count(), 1);
        heavy.retain(|room| !is_evicted(room));
        assert!(!is_evicted(&modest));
        // A body that was read whole does not.
        heavy.push(modest);
        let _whole: Vec<_> = heavy.into_iter().map(BodyRoom::into_bytes).collect();
        assert_eq!(fill(&mut bodies.room(address(3), 0), MIB), Err(NoRoom));
    }

    #[test]
    fn a_route_that_holds_most_gives_way_to_another() {
        let bodies = Bodies::new(4 * MIB);
        let mut uploads: Vec<_> = (0..4).map(|client| bodies.room(address(client), 0)).collect();
        uploads.iter_mut().for_each(|room| fill(room, MIB).unwrap());
        fill(&mut bodies.room(address(9), 1), MIB).unwrap();
        assert_eq!(uploads.iter().filter(|room| is_evicted(room)).count(), 1);
    }
}

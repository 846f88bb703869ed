use super::{FALLEN_BEHIND, KEYS_TRIED, Ledger, MARKS_TRIED, Mark, NoRoom, REMEMBERED, moved};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct At(Mutex<Duration>);

impl Mark for At {
    fn mark(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

type Shares = Ledger<char, At, 1>;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Takes one, at `now`, and says who gave way.
fn take(shares: &mut Shares, key: char, now: u64) -> Option<(u64, usize)> {
    took(shares, Some([key]), 1, now).map(|(id, evicted)| (id, evicted.len())).ok()
}

fn took<K: Copy + Ord + std::hash::Hash, const D: usize>(
    shares: &mut Ledger<K, At, D>,
    keys: Option<[K; D]>,
    weight: usize,
    now: u64,
) -> Result<(u64, Vec<Arc<At>>), NoRoom> {
    let mut evicted = Vec::new();
    let id = shares.take(keys, weight, Arc::new(At(Mutex::new(ms(now)))), ms(now), &mut evicted)?;
    Ok((id, evicted))
}

fn grow(shares: &mut Shares, id: u64, by: usize, now: u64) -> Result<usize, NoRoom> {
    let mut evicted = Vec::new();
    shares.grow(id, by, ms(now), &mut evicted).map(|()| evicted.len())
}

fn drop_one(shares: &mut Shares, id: u64) {
    shares.remove(id);
}

fn is_leaving(shares: &Shares, id: u64) -> bool {
    shares.holders[&id].state == super::State::Leaving
}

fn is_empty(shares: &Shares) -> bool {
    (shares.taken, shares.leaving) == (0, 0) && shares.holders.is_empty() && shares.groups[0].is_empty()
}

#[test]
fn while_there_is_room_anybody_may_have_it() {
    let mut shares = Shares::new(100);
    let ids: Vec<_> = (0..100).map(|now| take(&mut shares, 'a', now).unwrap()).collect();
    assert!(ids.iter().all(|(_, evicted)| *evicted == 0));
    assert_eq!(take(&mut shares, 'a', 100), None, "nobody gives way to one of those that hold most");
    ids.iter().for_each(|(id, _)| drop_one(&mut shares, *id));
    assert!(is_empty(&shares));
}

#[test]
fn who_holds_most_gives_way_by_the_slowest() {
    let mut shares = Shares::new(4);
    let heavy: Vec<_> = (0..3).map(|_| take(&mut shares, 'a', 0).unwrap().0).collect();
    let (light, _) = take(&mut shares, 'b', 0).unwrap();
    // Only the second has not moved.
    for id in [heavy[0], heavy[2], light] {
        *shares.holders[&id].mark.0.lock().unwrap() = ms(10);
    }
    let (further, evicted) = take(&mut shares, 'c', 20).unwrap();
    assert_eq!(evicted, 1);
    assert!(is_leaving(&shares, heavy[1]));
    // Two, one and one are all that can be had at once.
    assert_eq!(take(&mut shares, 'a', 20), None);
    [heavy[0], heavy[1], heavy[2], light, further].into_iter().for_each(|id| drop_one(&mut shares, id));
    assert!(is_empty(&shares));
}

#[test]
fn what_rests_goes_first_and_not_for_who_holds_more() {
    let mut shares = Shares::new(4);
    let rests: Vec<_> = (0..2).map(|_| take(&mut shares, 'a', 0).unwrap().0).collect();
    let modest = take(&mut shares, 'b', 0).unwrap().0;
    let moves = take(&mut shares, 'a', 0).unwrap().0;
    shares.rest(rests[0], ms(2));
    shares.rest(rests[1], ms(1));
    shares.rest(modest, ms(0));
    assert!(take(&mut shares, 'c', 3).is_some());
    assert!(is_leaving(&shares, rests[1]), "the one that rests longest, of the key with the most");
    shares.remove(rests[1]);
    shares.resume(rests[0], ms(3));
    // Now `b` has the only one that rests, and holds as little as `d` would.
    assert_eq!(take(&mut shares, 'a', 4), None, "not for one that holds more");
    // A holder that has just begun to rest is in use.
    assert!(take(&mut shares, 'd', 4).is_some());
    assert!(!is_leaving(&shares, modest));
    assert!(is_leaving(&shares, moves) || is_leaving(&shares, rests[0]));
    shares.remove(if is_leaving(&shares, moves) { moves } else { rests[0] });
    assert!(take(&mut shares, 'e', 6_000).is_some());
    assert!(is_leaving(&shares, modest));
}

#[test]
fn among_equals_only_one_that_has_fallen_behind_gives_way() {
    let mut shares = Shares::new(2);
    let slow = take(&mut shares, 'a', 0).unwrap().0;
    let fast = take(&mut shares, 'b', 0).unwrap().0;
    [slow, fast].into_iter().for_each(|id| shares.resume(id, ms(0)));
    let late = u64::try_from(FALLEN_BEHIND.as_millis()).unwrap() + 1;
    assert_eq!(take(&mut shares, 'c', late - 1), None);
    *shares.holders[&fast].mark.0.lock().unwrap() = ms(late);
    assert!(take(&mut shares, 'c', late).is_some());
    assert!(is_leaving(&shares, slow));
}

#[test]
fn among_equals_one_that_has_done_nothing_yet_gives_way() {
    let mut shares = Shares::new(2);
    let silent = take(&mut shares, 'a', 0).unwrap().0;
    let begun = take(&mut shares, 'b', 0).unwrap().0;
    shares.resume(begun, ms(1));
    assert_eq!(take(&mut shares, 'a', 2), None, "not for one more of its own");
    assert!(take(&mut shares, 'c', 2).is_some());
    assert!(is_leaving(&shares, silent));
}

#[test]
fn who_has_no_key_gives_way_only_at_rest_and_last() {
    let mut shares = Shares::new(2);
    let own = |shares: &mut Shares| took(shares, None, 1, 0).unwrap().0;
    let proxies = [own(&mut shares), own(&mut shares)];
    assert_eq!(take(&mut shares, 'a', 60_000), None);
    shares.rest(proxies[1], ms(0));
    assert!(took(&mut shares, Some(['a']), 2, 60_000).is_err(), "not for more than it holds");
    assert!(take(&mut shares, 'a', 60_000).is_some());
    assert!(is_leaving(&shares, proxies[1]));
    // A request that it carries counts by the client that it names.
    shares.remove(proxies[1]);
    shares.belong(proxies[0], Some(['a']));
    assert!(take(&mut shares, 'b', 60_000).is_some());
    assert!(is_leaving(&shares, proxies[0]));
}

#[test]
fn what_is_leaving_is_bounded() {
    let mut shares = Shares::new(64);
    for now in 0..64 {
        assert!(take(&mut shares, 'a', now).is_some());
    }
    let came = (0..64).filter(|_| take(&mut shares, 'b', 64).is_some()).count();
    assert_eq!(came, 64 / 8);
}

#[test]
fn one_arrival_puts_few_marks_right() {
    let mut shares = Shares::new(1_000);
    let ids: Vec<_> = (0..1_000).map(|_| take(&mut shares, 'a', 0).unwrap().0).collect();
    for id in &ids {
        *shares.holders[id].mark.0.lock().unwrap() = ms(5);
    }
    take(&mut shares, 'b', 10).unwrap();
    let right = shares.holders.values().filter(|holder| holder.state == super::State::Moving(ms(5))).count();
    assert!(right <= MARKS_TRIED, "{right}");
}

#[test]
fn a_route_that_holds_most_gives_way_to_another() {
    let mut shares = Ledger::<(bool, u8), At, 2>::new(10);
    let mut take = |client: u8, route: u8, weight: usize| {
        let keys = Some([(false, client), (true, route)]);
        let (id, evicted) = took(&mut shares, keys, weight, 0).ok()?;
        shares.resume(id, ms(0));
        Some(evicted.len())
    };
    for client in 0..10 {
        assert_eq!(take(client, 0, 1), Some(0));
    }
    assert_eq!(take(10, 0, 1), None, "all clients of that route hold as much");
    assert_eq!(take(10, 1, 1), Some(1));
}

#[test]
fn growing_takes_from_who_holds_most_and_never_from_oneself() {
    let mut shares = Shares::new(10);
    let alone = took(&mut shares, Some(['a']), 10, 0).unwrap().0;
    assert!(grow(&mut shares, alone, 1, 60_000).is_err());
    let other = took(&mut shares, Some(['b']), 2, 0).unwrap().0;
    assert!(is_leaving(&shares, alone));
    assert!(grow(&mut shares, alone, 0, 0).is_err(), "one that has to give way gets no more");
    assert!(grow(&mut shares, other, 8, 0).is_ok());
    assert!(grow(&mut shares, other, usize::MAX, 0).is_err());
}

#[test]
fn those_that_give_way_are_told_also_where_it_is_not_enough() {
    let mut shares = Shares::new(32);
    let ids: Vec<_> = (0..16).map(|_| took(&mut shares, Some(['a']), 2, 0).unwrap().0).collect();
    let mut evicted = Vec::new();
    let taken = shares.take(Some(['b']), 12, Arc::new(At(Mutex::new(ms(0)))), ms(0), &mut evicted);
    assert_eq!(taken, Err(NoRoom::Leaving));
    let leaving = ids.iter().filter(|id| is_leaving(&shares, **id)).count();
    assert_eq!((leaving, evicted.len()), (2, 2), "an eighth");
    ids.into_iter().for_each(|id| drop_one(&mut shares, id));
    assert!(is_empty(&shares));
}

#[test]
fn what_does_not_move_hides_behind_nobody() {
    let mut shares = Ledger::<u16, At, 1>::new(100);
    let mut ids = Vec::new();
    for key in 0..100 {
        let (id, _) = took(&mut shares, Some([key]), 1, 0).unwrap();
        shares.resume(id, ms(0));
        ids.push(id);
    }
    // Those of the last keys, which are looked at first, and most others move.
    let still = ids[100 - 2 * KEYS_TRIED];
    for id in ids.iter().filter(|id| **id != still) {
        *shares.holders[id].mark.0.lock().unwrap() = ms(9_000);
    }
    // An arrival puts some marks right, and so the next ones find it.
    let came = (0..100 / MARKS_TRIED + 1).filter(|_| took(&mut shares, Some([1_000]), 1, 10_000).is_ok()).count();
    assert!(came >= 1);
    assert_eq!(shares.holders[&still].state, super::State::Leaving);
    let moving = ids.iter().filter(|id| shares.holders[*id].state == super::State::Leaving).count();
    assert_eq!(moving, 1, "nobody else has fallen behind");
}

#[test]
fn what_holds_nothing_is_not_asked_to_give_way() {
    let mut shares = Shares::new(8);
    let empty: Vec<_> = (0..100).map(|_| took(&mut shares, Some(['a']), 0, 0).unwrap().0).collect();
    let full = took(&mut shares, Some(['a']), 8, 0).unwrap().0;
    let (_, evicted) = took(&mut shares, Some(['b']), 1, 0).unwrap();
    assert_eq!(evicted.len(), 1);
    assert!(is_leaving(&shares, full) && !empty.iter().any(|id| is_leaving(&shares, *id)));
}

#[test]
fn when_something_else_runs_out_idle_ones_go_and_then_those_behind() {
    let mut shares = Shares::new(100);
    let silent = take(&mut shares, 'a', 0).unwrap().0;
    let moves = take(&mut shares, 'b', 0).unwrap().0;
    let rests = take(&mut shares, 'c', 0).unwrap().0;
    shares.resume(moves, ms(0));
    shares.rest(rests, ms(0));
    assert_eq!(shares.relieve(1, ms(1)).len(), 1);
    assert!(is_leaving(&shares, rests));
    assert_eq!(shares.relieve(2, ms(1)).len(), 1);
    assert!(is_leaving(&shares, silent) && !is_leaving(&shares, moves));
    assert_eq!(shares.relieve(1, ms(60_000)).len(), 1);
    assert!(is_leaving(&shares, moves));
}

#[test]
fn what_drips_falls_behind_as_what_is_silent_does() {
    let (mut drips, mut streams) = (ms(0), ms(0));
    for second in 1..=100 {
        drips = moved(drips, 1, ms(second * 1_000));
        streams = moved(streams, 64 * 1024, ms(second * 1_000));
    }
    assert_eq!(streams, ms(100_000));
    assert!(ms(100_000) - drips > REMEMBERED / 2, "{drips:?}");
}

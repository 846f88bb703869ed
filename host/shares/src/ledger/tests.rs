use super::{FALLEN_BEHIND, Ledger, MARKS_TRIED, Mark, REMEMBERED, moved};
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
    let taken = shares.take(Some([key]), 1, Arc::new(At(Mutex::new(ms(now)))), ms(now));
    taken.map(|(id, evicted)| (id, evicted.len()))
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
    ids.iter().for_each(|(id, _)| shares.remove(*id));
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
    [heavy[0], heavy[1], heavy[2], light, further].into_iter().for_each(|id| shares.remove(id));
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
    // What has just begun to rest is in use.
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
    let own = |shares: &mut Shares| shares.take(None, 1, Arc::new(At(Mutex::new(ms(0)))), ms(0)).unwrap().0;
    let proxies = [own(&mut shares), own(&mut shares)];
    assert_eq!(take(&mut shares, 'a', 60_000), None);
    shares.rest(proxies[1], ms(0));
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
        let (id, evicted) = shares.take(keys, weight, Arc::new(At(Mutex::new(ms(0)))), ms(0))?;
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
    let alone = shares.take(Some(['a']), 10, Arc::new(At(Mutex::new(ms(0)))), ms(0)).unwrap().0;
    assert!(shares.grow(alone, 1, ms(60_000)).is_none());
    let other = shares.take(Some(['b']), 2, Arc::new(At(Mutex::new(ms(0)))), ms(0)).unwrap().0;
    assert!(is_leaving(&shares, alone));
    assert!(shares.grow(alone, 0, ms(0)).is_none(), "one that has to give way gets no more");
    assert!(shares.grow(other, 8, ms(0)).is_some());
    assert!(shares.grow(other, usize::MAX, ms(0)).is_none());
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

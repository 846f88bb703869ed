//! What is written down: one record for each change.
//!
//! A record is framed by its length, its checksum and the store's time. The
//! checksum also covers where the record stands, so that one that was moved is
//! none.

use barmkin_host::{Claimed, Draw, Gcra, Holder, NonceId, QuotaRule, Recent, Tally, Window};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a record: far above a tally of
/// [`REMEMBERED_TAKES_MAX`](barmkin_host::limits::REMEMBERED_TAKES_MAX).
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Length, checksum, time.
const FRAME_BYTES: usize = 4 + 4 + 8;

/// A change, or in a base a part of the state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Claimed {
        nonce: NonceId,
        claimed: Claimed,
    },
    Confirmed {
        nonce: NonceId,
        holder: Holder,
    },
    Released {
        nonce: NonceId,
        holder: Holder,
    },
    Took {
        subject: Arc<str>,
        draws: Vec<Draw>,
        cost: u32,
    },
    GaveBack {
        subject: Arc<str>,
        draw: Draw,
        cost: u32,
        at: Duration,
    },
    Counted {
        subject: Arc<str>,
        quota: Arc<str>,
        idle_at: Duration,
        tally: Tally,
    },
    /// The file is complete.
    Sealed,
}

/// Where a record stands: in which file, and at which byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) file: u64,
    pub(crate) offset: u64,
}

/// Writes a framed record for `place` behind `to`.
pub(crate) fn write(to: &mut Vec<u8>, place: Place, now: Duration, fill: impl FnOnce(&mut Encoder<'_>)) {
    let start = to.len();
    to.extend_from_slice(&[0; FRAME_BYTES]);
    fill(&mut Encoder(to));
    let (_, framed) = to.split_at_mut(start);
    let Some((frame, payload)) = framed.split_at_mut_checked(FRAME_BYTES) else { return };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let now = nanos(now).to_le_bytes();
    let sum = checksum(place, now, payload).to_le_bytes();
    frame.copy_from_slice(&[&length[..], &sum, &now].concat());
}

/// Reads the record at the start of `bytes`: with its time, and how long it is.
/// `None` if there is no whole, undamaged one.
pub(crate) fn read(bytes: &[u8], place: Place) -> Option<(Record, Duration, usize)> {
    let mut frame = Decoder(bytes);
    let length =
        usize::try_from(u32::from_le_bytes(frame.array()?)).ok().filter(|length| *length <= RECORD_BYTES_MAX)?;
    let sum = u32::from_le_bytes(frame.array()?);
    let now = frame.array()?;
    let payload = frame.take(length)?;
    if checksum(place, now, payload) != sum {
        return None;
    }
    let mut payload = Decoder(payload);
    let record = payload.record()?;
    payload.0.is_empty().then(|| (record, Duration::from_nanos(u64::from_le_bytes(now)), FRAME_BYTES + length))
}

fn checksum(place: Place, now: [u8; 8], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&place.file.to_le_bytes());
    sum.update(&place.offset.to_le_bytes());
    sum.update(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_le_bytes());
    sum.update(&now);
    sum.update(payload);
    sum.finalize()
}

/// Nanoseconds since 1970 end in the year 2554.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes the payload of a record.
pub(crate) struct Encoder<'b>(&'b mut Vec<u8>);

impl Encoder<'_> {
    pub(crate) fn claimed(&mut self, nonce: &NonceId, claimed: &Claimed) {
        self.byte(1).nonce(nonce).time(claimed.expires);
        match claimed.held {
            None => self.byte(0),
            Some((holder, until)) => self.byte(1).holder(holder).time(until),
        };
    }

    pub(crate) fn confirmed(&mut self, nonce: &NonceId, holder: Holder) {
        self.byte(2).nonce(nonce).holder(holder);
    }

    pub(crate) fn released(&mut self, nonce: &NonceId, holder: Holder) {
        self.byte(3).nonce(nonce).holder(holder);
    }

    pub(crate) fn took(&mut self, subject: &str, draws: &[Draw], cost: u32) {
        self.byte(4).text(subject).number(cost).number(u32::try_from(draws.len()).unwrap_or(u32::MAX));
        for draw in draws {
            self.draw(draw);
        }
    }

    pub(crate) fn gave_back(&mut self, subject: &str, draw: &Draw, cost: u32, at: Duration) {
        self.byte(5).text(subject).number(cost).time(at).draw(draw);
    }

    pub(crate) fn counted(&mut self, subject: &str, quota: &str, idle_at: Duration, tally: &Tally) {
        self.byte(6).text(subject).text(quota).time(idle_at);
        match tally {
            Tally::FullAt(full_at) => drop(self.byte(0).time(*full_at)),
            Tally::Window { ends, used } => drop(self.byte(1).time(*ends).long(*used)),
            Tally::Recent(recent) => {
                let takes = recent.takes();
                self.byte(2).number(u32::try_from(takes.len()).unwrap_or(u32::MAX));
                for (at, cost) in takes {
                    self.time(at).number(cost);
                }
            }
        }
    }

    pub(crate) fn sealed(&mut self) {
        self.byte(7);
    }

    fn draw(&mut self, draw: &Draw) -> &mut Self {
        let kind = match draw.rule {
            QuotaRule::Gcra(_) => 0,
            QuotaRule::FixedWindow(_) => 1,
            QuotaRule::SlidingWindow(_) => 2,
            QuotaRule::Concurrency(_) => 3,
        };
        self.text(&draw.quota).byte(kind).long(draw.rule.limit()).time(draw.rule.span())
    }

    fn nonce(&mut self, nonce: &NonceId) -> &mut Self {
        self.0.extend_from_slice(&nonce.digest);
        self.text(&nonce.space)
    }

    fn holder(&mut self, holder: Holder) -> &mut Self {
        self.0.extend_from_slice(&holder.0.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn time(&mut self, time: Duration) -> &mut Self {
        self.long(nanos(time))
    }

    fn long(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn number(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }
}

/// Reads what [`Encoder`] wrote; `None` where that is not what is there.
struct Decoder<'b>(&'b [u8]);

impl<'b> Decoder<'b> {
    fn record(&mut self) -> Option<Record> {
        Some(match self.byte()? {
            1 => Record::Claimed { nonce: self.nonce()?, claimed: self.claimed()? },
            2 => Record::Confirmed { nonce: self.nonce()?, holder: self.holder()? },
            3 => Record::Released { nonce: self.nonce()?, holder: self.holder()? },
            4 => {
                let (subject, cost, draws) = (self.text()?, self.number()?, self.number()?);
                Record::Took { subject, cost, draws: (0..draws).map(|_| self.draw()).collect::<Option<_>>()? }
            }
            5 => {
                let (subject, cost, at) = (self.text()?, self.number()?, self.time()?);
                Record::GaveBack { subject, cost, at, draw: self.draw()? }
            }
            6 => {
                let (subject, quota, idle_at) = (self.text()?, self.text()?, self.time()?);
                Record::Counted { subject, quota, idle_at, tally: self.tally()? }
            }
            7 => Record::Sealed,
            _ => return None,
        })
    }

    fn claimed(&mut self) -> Option<Claimed> {
        let expires = self.time()?;
        let held = match self.byte()? {
            0 => None,
            _ => Some((self.holder()?, self.time()?)),
        };
        Some(Claimed { expires, held })
    }

    fn tally(&mut self) -> Option<Tally> {
        Some(match self.byte()? {
            0 => Tally::FullAt(self.time()?),
            1 => Tally::Window { ends: self.time()?, used: self.long()? },
            2 => {
                let takes = self.number()?;
                let recent: Option<Recent> = (0..takes).map(|_| Some((self.time()?, self.number()?))).collect();
                Tally::Recent(recent?)
            }
            _ => return None,
        })
    }

    fn draw(&mut self) -> Option<Draw> {
        let (quota, kind, limit, span) = (self.text()?, self.byte()?, self.long()?, self.time()?);
        let window = Window { limit, length: span };
        let rule = match kind {
            0 => QuotaRule::Gcra(Gcra { interval: span, limit }),
            1 => QuotaRule::FixedWindow(window),
            2 => QuotaRule::SlidingWindow(window),
            3 => QuotaRule::Concurrency(window),
            _ => return None,
        };
        Some(Draw { quota, rule })
    }

    fn nonce(&mut self) -> Option<NonceId> {
        Some(NonceId { digest: self.array()?, space: self.text()? })
    }

    fn holder(&mut self) -> Option<Holder> {
        Some(Holder(u128::from_le_bytes(self.array()?)))
    }

    fn text(&mut self) -> Option<Arc<str>> {
        let length = usize::try_from(self.number()?).ok()?;
        Some(std::str::from_utf8(self.take(length)?).ok()?.into())
    }

    fn time(&mut self) -> Option<Duration> {
        self.long().map(Duration::from_nanos)
    }

    fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { file: 3, offset: 99 }
    }

    #[test]
    fn records_read_back_as_they_were_written() {
        let nonce = NonceId { space: "deliveries".into(), digest: [7; 32] };
        let (holder, at) = (Holder(1 << 100), Duration::from_nanos(123_456_789));
        let claimed = Claimed { expires: at, held: Some((holder, at)) };
        let rules = [
            QuotaRule::Gcra(Gcra { interval: at, limit: 3 }),
            QuotaRule::FixedWindow(Window { length: at, limit: 4 }),
            QuotaRule::SlidingWindow(Window { length: at, limit: 5 }),
            QuotaRule::Concurrency(Window { length: at, limit: 6 }),
        ];
        let draws = rules.map(|rule| Draw { quota: "q".into(), rule }).to_vec();
        let tally = Tally::Recent([(at, 2), (at, 3)].into_iter().collect());
        let subject: Arc<str> = "route\0r".into();
        let mut bytes = Vec::new();
        let mut read_back = |fill: &dyn Fn(&mut Encoder<'_>)| {
            bytes.clear();
            write(&mut bytes, place(), at, |to| fill(to));
            let (record, now, length) = read(&bytes, place()).unwrap();
            assert_eq!((now, length), (at, bytes.len()));
            record
        };
        assert_eq!(read_back(&|to| to.claimed(&nonce, &claimed)), Record::Claimed { nonce: nonce.clone(), claimed });
        assert_eq!(read_back(&|to| to.confirmed(&nonce, holder)), Record::Confirmed { nonce: nonce.clone(), holder });
        assert_eq!(read_back(&|to| to.released(&nonce, holder)), Record::Released { nonce: nonce.clone(), holder });
        assert_eq!(
            read_back(&|to| to.took(&subject, &draws, 9)),
            Record::Took { subject: subject.clone(), draws: draws.clone(), cost: 9 }
        );
        assert_eq!(
            read_back(&|to| to.gave_back(&subject, &draws[1], 9, at)),
            Record::GaveBack { subject: subject.clone(), draw: draws[1].clone(), cost: 9, at }
        );
        assert_eq!(
            read_back(&|to| to.counted(&subject, "q", at, &tally)),
            Record::Counted { subject: subject.clone(), quota: "q".into(), idle_at: at, tally: tally.clone() }
        );
        assert_eq!(read_back(&|to| to.sealed()), Record::Sealed);
    }

    #[test]
    fn a_record_that_is_cut_flipped_or_moved_is_none() {
        let nonce = NonceId { space: "deliveries".into(), digest: [7; 32] };
        let mut bytes = Vec::new();
        write(&mut bytes, place(), Duration::from_secs(1), |to| to.released(&nonce, Holder(1)));
        assert!(read(&bytes, Place { offset: 100, ..place() }).is_none());
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], place()).is_none(), "cut at {cut}");
        }
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped, place()).is_none(), "bit {bit}");
        }
    }
}

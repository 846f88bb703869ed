//! The log's records: one for each change.
//!
//! A record is framed by its length, its checksum and the store's time. The
//! checksum also covers where the record stands, so that one that was moved is
//! none.

use barmkin_host::{
    Claimed, Draw, Gcra, Hold, Holder, Lapse, Lease, NonceId, QuotaRule, Recent, SubjectId, Tally, Window,
};
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
    Renewed {
        nonce: NonceId,
        holder: Holder,
    },
    Confirmed {
        nonce: NonceId,
        holder: Holder,
    },
    Released {
        nonce: NonceId,
        holder: Holder,
    },
    Forgotten {
        nonce: NonceId,
    },
    Took {
        subject: SubjectId,
        draws: Vec<Draw>,
        cost: u32,
    },
    GaveBack {
        subject: SubjectId,
        draw: Draw,
        cost: u32,
        at: Duration,
    },
    Counted {
        subject: SubjectId,
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

/// A record as it was read.
#[derive(Debug)]
pub(crate) struct Framed {
    pub(crate) record: Record,
    pub(crate) now: Duration,
    /// Bytes of it, with its frame.
    pub(crate) length: usize,
    /// Whether it has a subject in clear, as release 0.1.0 wrote them.
    pub(crate) names_somebody: bool,
}

/// The most bytes of a record with its frame.
pub(crate) const FRAMED_BYTES_MAX: usize = FRAME_BYTES + RECORD_BYTES_MAX;

/// Reads the record at the start of `bytes`. `None` if there is no whole,
/// undamaged one.
pub(crate) fn read(bytes: &[u8], place: Place) -> Option<Framed> {
    let mut frame = Decoder::of(bytes);
    let length =
        usize::try_from(u32::from_le_bytes(frame.array()?)).ok().filter(|length| *length <= RECORD_BYTES_MAX)?;
    let sum = u32::from_le_bytes(frame.array()?);
    let now = frame.array()?;
    let payload = frame.take(length)?;
    if checksum(place, now, payload) != sum {
        return None;
    }
    let mut payload = Decoder::of(payload);
    let record = payload.record()?;
    payload.rest.is_empty().then(|| Framed {
        record,
        now: Duration::from_nanos(u64::from_le_bytes(now)),
        length: FRAME_BYTES + length,
        names_somebody: payload.names_somebody,
    })
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
        match claimed.lease {
            None => self.byte(0),
            Some(Lease { hold: Hold { holder, lapse: Lapse::Used }, until }) => self.byte(1).holder(holder).time(until),
            Some(Lease { hold: Hold { holder, lapse: Lapse::Free }, until }) => self.byte(2).holder(holder).time(until),
        };
    }

    pub(crate) fn renewed(&mut self, nonce: &NonceId, holder: Holder) {
        self.byte(11).nonce(nonce).holder(holder);
    }

    pub(crate) fn confirmed(&mut self, nonce: &NonceId, holder: Holder) {
        self.byte(2).nonce(nonce).holder(holder);
    }

    pub(crate) fn released(&mut self, nonce: &NonceId, holder: Holder) {
        self.byte(3).nonce(nonce).holder(holder);
    }

    pub(crate) fn forgotten(&mut self, nonce: &NonceId) {
        self.byte(12).nonce(nonce);
    }

    pub(crate) fn took(&mut self, subject: SubjectId, draws: &[Draw], cost: u32) {
        self.byte(8).subject(subject).number(cost).number(u32::try_from(draws.len()).unwrap_or(u32::MAX));
        for draw in draws {
            self.draw(draw);
        }
    }

    pub(crate) fn gave_back(&mut self, subject: SubjectId, draw: &Draw, cost: u32, at: Duration) {
        self.byte(9).subject(subject).number(cost).time(at).draw(draw);
    }

    pub(crate) fn counted(&mut self, subject: SubjectId, quota: &str, idle_at: Duration, tally: &Tally) {
        self.byte(10).subject(subject).text(quota).time(idle_at);
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

    fn subject(&mut self, subject: SubjectId) -> &mut Self {
        self.0.extend_from_slice(&subject.0);
        self
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
struct Decoder<'b> {
    rest: &'b [u8],
    names_somebody: bool,
}

impl<'b> Decoder<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, names_somebody: false }
    }

    fn record(&mut self) -> Option<Record> {
        let kind = self.byte()?;
        // Release 0.1.0 wrote subjects in clear. Its counts still count.
        self.names_somebody = matches!(kind, 4..=6);
        Some(match kind {
            1 => Record::Claimed { nonce: self.nonce()?, claimed: self.claimed()? },
            2 => Record::Confirmed { nonce: self.nonce()?, holder: self.holder()? },
            3 => Record::Released { nonce: self.nonce()?, holder: self.holder()? },
            4 | 8 => {
                let (subject, cost, draws) = (self.subject()?, self.number()?, self.number()?);
                Record::Took { subject, cost, draws: (0..draws).map(|_| self.draw()).collect::<Option<_>>()? }
            }
            5 | 9 => {
                let (subject, cost, at) = (self.subject()?, self.number()?, self.time()?);
                Record::GaveBack { subject, cost, at, draw: self.draw()? }
            }
            6 | 10 => {
                let (subject, quota, idle_at) = (self.subject()?, self.text()?, self.time()?);
                Record::Counted { subject, quota, idle_at, tally: self.tally()? }
            }
            7 => Record::Sealed,
            11 => Record::Renewed { nonce: self.nonce()?, holder: self.holder()? },
            12 => Record::Forgotten { nonce: self.nonce()? },
            _ => return None,
        })
    }

    fn claimed(&mut self) -> Option<Claimed> {
        let expires = self.time()?;
        let lapse = match self.byte()? {
            0 => None,
            1 => Some(Lapse::Used),
            2 => Some(Lapse::Free),
            _ => return None,
        };
        let lease = match lapse {
            None => None,
            Some(lapse) => Some(Lease { hold: Hold { holder: self.holder()?, lapse }, until: self.time()? }),
        };
        Some(Claimed { expires, lease })
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
        Some(Draw { quota: quota.into(), rule })
    }

    fn nonce(&mut self) -> Option<NonceId> {
        Some(NonceId { digest: self.array()?, space: self.text()?.into(), former: None })
    }

    fn subject(&mut self) -> Option<SubjectId> {
        if self.names_somebody {
            self.text().map(|subject| SubjectId::of(&subject))
        } else {
            self.array().map(SubjectId)
        }
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
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { file: 3, offset: 99 }
    }

    fn nonce() -> NonceId {
        NonceId { space: "deliveries".into(), digest: [7; 32], former: None }
    }

    #[test]
    fn records_read_back_as_they_were_written() {
        let nonce = nonce();
        let (holder, at) = (Holder(1 << 100), Duration::from_nanos(123_456_789));
        let claimed = |lease| Claimed { expires: at, lease };
        let held = |lapse| claimed(Some(Lease { hold: Hold { holder, lapse }, until: at }));
        let rules = [
            QuotaRule::Gcra(Gcra { interval: at, limit: 3 }),
            QuotaRule::FixedWindow(Window { length: at, limit: 4 }),
            QuotaRule::SlidingWindow(Window { length: at, limit: 5 }),
            QuotaRule::Concurrency(Window { length: at, limit: 6 }),
        ];
        let draws = rules.map(|rule| Draw { quota: "q".into(), rule }).to_vec();
        let tally = Tally::Recent([(at, 2), (at, 3)].into_iter().collect());
        let subject = SubjectId::of("route\0r");
        let mut bytes = Vec::new();
        let mut read_back = |fill: &dyn Fn(&mut Encoder<'_>)| {
            bytes.clear();
            write(&mut bytes, place(), at, |to| fill(to));
            let framed = read(&bytes, place()).unwrap();
            assert_eq!((framed.now, framed.length, framed.names_somebody), (at, bytes.len(), false));
            framed.record
        };
        for claimed in [claimed(None), held(Lapse::Used), held(Lapse::Free)] {
            assert_eq!(
                read_back(&|to| to.claimed(&nonce, &claimed)),
                Record::Claimed { nonce: nonce.clone(), claimed }
            );
        }
        assert_eq!(read_back(&|to| to.forgotten(&nonce)), Record::Forgotten { nonce: nonce.clone() });
        assert_eq!(read_back(&|to| to.renewed(&nonce, holder)), Record::Renewed { nonce: nonce.clone(), holder });
        assert_eq!(read_back(&|to| to.confirmed(&nonce, holder)), Record::Confirmed { nonce: nonce.clone(), holder });
        assert_eq!(read_back(&|to| to.released(&nonce, holder)), Record::Released { nonce: nonce.clone(), holder });
        assert_eq!(
            read_back(&|to| to.took(subject, &draws, 9)),
            Record::Took { subject, draws: draws.clone(), cost: 9 }
        );
        assert_eq!(
            read_back(&|to| to.gave_back(subject, &draws[1], 9, at)),
            Record::GaveBack { subject, draw: draws[1].clone(), cost: 9, at }
        );
        assert_eq!(
            read_back(&|to| to.counted(subject, "q", at, &tally)),
            Record::Counted { subject, quota: "q".into(), idle_at: at, tally: tally.clone() }
        );
        assert_eq!(read_back(&|to| to.sealed()), Record::Sealed);
    }

    #[test]
    fn a_record_that_is_cut_flipped_or_moved_is_none() {
        let nonce = nonce();
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

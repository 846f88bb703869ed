//! Times as RFC 3339 writes them.

/// The longest text: nine digits of a second, and an offset.
const TEXT_BYTES_MAX: usize = "2026-11-27T12:00:00.123456789+01:00".len();

/// Milliseconds since 1970-01-01 00:00 UTC of a `date-time` of RFC 3339,
/// section 5.6. Digits past the third of a fraction are dropped.
///
/// `None` for text that is not one, for a day or time that does not exist, for
/// a time before 1970, for a leap second (which no clock in the field signs
/// with, and which has no number of its own), and for a space in place of the
/// `T`.
pub(crate) fn unix_ms(text: &str) -> Option<u64> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    rest.one_of(b"-")?;
    let month = rest.number(2)?;
    rest.one_of(b"-")?;
    let day = rest.number(2)?;
    rest.one_of(b"Tt")?;
    let hour = rest.number(2).filter(|hour| *hour < 24)?;
    rest.one_of(b":")?;
    let minute = rest.number(2).filter(|minute| *minute < 60)?;
    rest.one_of(b":")?;
    let second = rest.number(2).filter(|second| *second < 60)?;
    let fraction_ms = if rest.one_of(b".").is_some() { rest.fraction_ms()? } else { 0 };
    let offset_min = rest.offset_min()?;
    if !rest.0.is_empty() || day < 1 || day > days_in(year, month)? {
        return None;
    }
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_min;
    u64::try_from((minutes * 60 + second) * 1_000 + fraction_ms).ok()
}

/// The part of the text that is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| bytes.contains(first))?;
        self.0 = rest;
        Some(*first)
    }

    fn digit(&mut self) -> Option<i64> {
        self.one_of(b"0123456789").map(|digit| i64::from(digit - b'0'))
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// At least one digit; the length of the text bounds how many.
    fn fraction_ms(&mut self) -> Option<i64> {
        let mut place_ms = 100;
        let mut fraction_ms = self.digit()? * place_ms;
        while let Some(digit) = self.digit() {
            place_ms /= 10;
            fraction_ms += digit * place_ms;
        }
        Some(fraction_ms)
    }

    /// By how much local time is ahead of UTC. `-00:00` is UTC of which the
    /// local offset is unknown (section 4.3).
    fn offset_min(&mut self) -> Option<i64> {
        let sign = self.one_of(b"Zz+-")?;
        if matches!(sign, b'Z' | b'z') {
            return Some(0);
        }
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        self.one_of(b":")?;
        let minutes = self.number(2).filter(|minutes| *minutes < 60)?;
        let offset_min = hours * 60 + minutes;
        Some(if sign == b'-' { -offset_min } else { offset_min })
    }
}

/// RFC 3339, section 5.7 and appendix C.
fn days_in(year: i64, month: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap { 29 } else { 28 }),
        _ => None,
    }
}

/// In a year that begins in March the leap day is the last one, and the lengths
/// of the months before it repeat every five.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_TO_1970: i64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn examples_of_section_5_8() {
        assert_eq!(unix_ms("1985-04-12T23:20:50.52Z"), Some(482_196_050_520));
        assert_eq!(unix_ms("1996-12-19T16:39:57-08:00"), Some(851_042_397_000));
        // A leap second, and one of another offset.
        assert_eq!(unix_ms("1990-12-31T23:59:60Z"), None);
        assert_eq!(unix_ms("1990-12-31T15:59:60-08:00"), None);
        // Before 1970.
        assert_eq!(unix_ms("1937-01-01T12:00:27.87+00:20"), None);
    }

    #[test]
    fn other_ways_of_writing_a_time() {
        let noon = Some(1_795_780_800_000);
        for text in [
            "2026-11-27T12:00:00Z",
            "2026-11-27t12:00:00z",
            "2026-11-27T12:00:00.0Z",
            "2026-11-27T12:00:00.000999999Z",
            "2026-11-27T12:00:00-00:00",
            "2026-11-27T13:30:00+01:30",
            "2026-11-27T12:00:00.000000000+00:00",
            "2026-11-28T11:59:00+23:59",
        ] {
            assert_eq!(unix_ms(text), noon, "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "2026-11-27",
            "2026-11-27T12:00:00",
            "2026-11-27 12:00:00Z",
            "2026-11-27T12:00Z",
            "2026-11-27T12:00:00.Z",
            "2026-11-27T12:00:00,5Z",
            "2026-11-27T12:00:00.1234567890+00:00",
            "2026-11-27T12:00:00+0100",
            "2026-11-27T12:00:00+24:00",
            "2026-11-27T12:00:00+01:60",
            "2026-11-27T12:00:00ZZ",
            " 2026-11-27T12:00:00Z",
            "+2026-11-27T12:00:00Z",
            "02026-11-27T12:00:00Z",
            "26-11-27T12:00:00Z",
            "2026-00-27T12:00:00Z",
            "2026-13-27T12:00:00Z",
            "2026-11-00T12:00:00Z",
            "2026-11-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2100-02-29T12:00:00Z",
            "2026-11-27T24:00:00Z",
            "2026-11-27T12:60:00Z",
            "2026-11-27T12:00:61Z",
            "0000-01-01T00:00:00Z",
            "２026-11-27T12:00:00Z",
            "1795780800",
        ] {
            assert_eq!(unix_ms(text), None, "{text}");
        }
    }

    #[test]
    fn the_ends_of_what_can_be_written() {
        assert_eq!(unix_ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_ms("1969-12-31T23:59:59.999Z"), None);
        assert_eq!(unix_ms("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(unix_ms("9999-12-31T23:59:59.999Z"), Some(253_402_300_799_999));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, near in "[0-9TtZz:.+ -]{0,40}") {
            let _ = (unix_ms(&text), unix_ms(&near));
        }

        /// Each day is one day after the day before it.
        #[test]
        fn days_follow_each_other(year in 1970i64..9999, month in 1i64..=12, day in 1i64..=31) {
            let at = |year: i64, month: i64, day: i64| unix_ms(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
            let Some(today) = at(year, month, day) else {
                prop_assert!(day > 28);
                return Ok(());
            };
            let next = at(year, month, day + 1).or_else(|| at(year, month + 1, 1)).or_else(|| at(year + 1, 1, 1));
            prop_assert_eq!(next, Some(today + 86_400_000));
        }

        #[test]
        fn an_offset_moves_the_time(hours in 0u64..24, minutes in 0u64..60, ms in 0u64..1_000) {
            let offset_ms = (hours * 60 + minutes) * 60_000;
            let at = |offset: String| unix_ms(&format!("2026-11-27T12:00:00.{ms:03}{offset}"));
            let noon = 1_795_780_800_000 + ms;
            prop_assert_eq!(at(format!("+{hours:02}:{minutes:02}")), Some(noon - offset_ms));
            prop_assert_eq!(at(format!("-{hours:02}:{minutes:02}")), Some(noon + offset_ms));
        }
    }
}

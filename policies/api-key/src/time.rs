//! Times as operators write them: RFC 3339, section 5.6.
//!
//! A library for dates would be half of this component, and a page of memory in
//! each of its instances; the tests hold this against one.

use barmkin_guest::Schema;
use barmkin_guest::describe::Shape;
use serde::Deserialize;

/// A time, in milliseconds since 1970-01-01 00:00 UTC; any before that is 0.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(crate) struct Time {
    pub(crate) unix_ms: u64,
}

impl Schema for Time {
    const SHAPE: Shape = Shape::Text("^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]");
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let unix_ms = unix_ms(&text).ok_or_else(|| {
            format!("`{text}` is not a time: use one as RFC 3339 writes them, such as `2026-12-31T00:00:00Z`")
        })?;
        Ok(Self { unix_ms: u64::try_from(unix_ms).unwrap_or_default() })
    }
}

fn unix_ms(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let fits = day >= 1
        && day <= days_in(year, month)?
        && hour <= 23
        && minute <= 59
        // A leap second is the last of its minute.
        && second <= 60;
    if !fits {
        return None;
    }
    let (fraction_ms, offset) = fraction_ms(rest)?;
    let seconds =
        days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second.min(59) - offset_s(offset)?;
    Some(seconds * 1_000 + fraction_ms)
}

/// The digits after the point, cut off after milliseconds, and the rest.
fn fraction_ms(text: &str) -> Option<(i64, &str)> {
    let Some(text) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(count).filter(|(digits, _)| !digits.is_empty())?;
    let ms = digits.chars().chain("00".chars()).take(3).collect::<String>();
    Some((ms.parse().ok()?, rest))
}

fn offset_s(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+')?),
    };
    let [hours, minutes] = numbers(text, ':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Numbers with exactly this many digits each.
fn numbers<const COUNT: usize>(text: &str, separator: char, digits: [usize; COUNT]) -> Option<[i64; COUNT]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; COUNT];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if is_leap(year) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Years are counted from March here, so that a leap day is the last of its
/// year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, months_since_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Five months from March or August on have 153 days.
    let day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    // Day 0 of this count is the first of March of the year 0.
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_are_those_of_a_library(
            text in "(0|1|2)[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-](0|1)[0-9]:[0-5][0-9])",
        ) {
            let library = text.parse::<Timestamp>().ok();
            let library = library.map(|time| time.as_nanosecond().div_euclid(1_000_000) as i64);
            prop_assert_eq!(unix_ms(&text), library);
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = unix_ms(&text);
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_no_time() {
        for text in [
            "2026-12-31",
            "2026-12-31T00:00:00",
            "2026-12-31 00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-12-31T24:00:00Z",
            "2026-12-31T00:00:00.Z",
            "2026-12-31T00:00:00+0100",
            "+026-12-31T00:00:00Z",
            "2026-1-310T00:00:00Z",
        ] {
            assert_eq!(unix_ms(text), None, "{text}");
        }
    }
}

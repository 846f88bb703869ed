//! Quantities as operators write them: always with their unit.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A quantity that was written but not read: it is read where its place is
/// known, so that every bad one is reported.
#[derive(Debug)]
pub struct Text<U> {
    text: String,
    unit: PhantomData<U>,
}

/// How a kind of quantity is written.
pub trait Unit {
    /// The type that it is read as.
    type Value;
    /// Its name in messages.
    const NAME: &'static str;
    /// For a sentence: "write ...".
    const EXPECTED: &'static str;
    /// A regular expression for it.
    const PATTERN: &'static str;

    /// Reads it, if `text` is one.
    fn read(text: &str) -> Option<Self::Value>;
}

/// A message and its help.
#[derive(Debug, PartialEq, Eq)]
pub struct BadQuantity {
    /// The problem.
    pub message: String,
    /// The remedy.
    pub help: String,
}

impl<U> Clone for Text<U> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), unit: PhantomData }
    }
}

impl<U: Unit> Text<U> {
    /// Reads it.
    ///
    /// # Errors
    /// When it is not such a quantity.
    pub fn read(&self) -> Result<U::Value, BadQuantity> {
        U::read(&self.text).ok_or_else(|| BadQuantity {
            message: format!("`{}` is not a {}", self.text, U::NAME),
            help: format!("write {}", U::EXPECTED),
        })
    }
}

/// `250ms`, `10s`, `5m`, `24h`, `7d`.
#[derive(Debug)]
pub struct DurationUnit;

impl Unit for DurationUnit {
    type Value = Duration;
    const NAME: &'static str = "duration";
    const EXPECTED: &'static str = "a whole number and one of ms, s, m, h, d, such as `5m`";
    const PATTERN: &'static str = "^[0-9]+(ms|s|m|h|d)$";

    fn read(text: &str) -> Option<Duration> {
        let (number, unit) = split(text)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.checked_mul(millis).map(Duration::from_millis)
    }
}

/// `512B`, `64KiB`, `1MiB`.
pub(crate) struct SizeUnit;

impl Unit for SizeUnit {
    type Value = usize;
    const NAME: &'static str = "size";
    const EXPECTED: &'static str = "a whole number and one of B, KiB, MiB, such as `64KiB`";
    const PATTERN: &'static str = "^[0-9]+(B|KiB|MiB)$";

    fn read(text: &str) -> Option<usize> {
        let (number, unit) = split(text)?;
        let bytes = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => return None,
        };
        number.checked_mul(bytes).and_then(|bytes| bytes.try_into().ok())
    }
}

/// `10/s`, `100/min`, `1000/h`, `5000/day`.
#[derive(Debug)]
pub struct RateUnit;

impl Unit for RateUnit {
    type Value = Rate;
    const NAME: &'static str = "rate";
    const EXPECTED: &'static str = "a whole number from 1 to 1000000 per s, min, h or day, such as `100/min`";
    const PATTERN: &'static str = "^[1-9][0-9]*/(s|min|h|day)$";

    fn read(text: &str) -> Option<Rate> {
        let (count, unit) = split(text)?;
        let seconds = match unit {
            "/s" => 1,
            "/min" => 60,
            "/h" => 3_600,
            "/day" => 86_400,
            _ => return None,
        };
        (1..=1_000_000).contains(&count).then_some(Rate { count, period: Duration::from_secs(seconds) })
    }
}

/// A number per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In how long.
    pub period: Duration,
}

impl Rate {
    /// Between two. Rounded up, so that no more than the rate is ever admitted.
    pub fn interval(&self) -> Duration {
        let nanos = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos.div_ceil(self.count.max(1)))
    }
}

/// An instant by RFC 3339, as time since 1970.
pub(crate) struct InstantUnit;

impl Unit for InstantUnit {
    type Value = Duration;
    const NAME: &'static str = "time";
    const EXPECTED: &'static str = "a time by RFC 3339, such as `2026-12-01T00:00:00Z`";
    const PATTERN: &'static str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T";

    fn read(text: &str) -> Option<Duration> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Duration::from_millis(u64::try_from(instant.as_millisecond()).ok()?))
    }
}

/// Permission bits of a socket.
pub(crate) struct ModeUnit;

impl Unit for ModeUnit {
    type Value = u32;
    const NAME: &'static str = "file mode";
    const EXPECTED: &'static str = "three octal digits, such as `660`";
    const PATTERN: &'static str = "^0?[0-7]{3}$";

    fn read(text: &str) -> Option<u32> {
        let digits = if text.len() == 4 { text.strip_prefix('0')? } else { text };
        (digits.len() == 3 && !digits.starts_with('+')).then(|| u32::from_str_radix(digits, 8).ok())?
    }
}

/// The digits that `text` begins with, and what follows them.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

impl<'de, U: Unit> Deserialize<'de> for Text<U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<U>(PhantomData<U>);

        impl<U: Unit> de::Visitor<'_> for Visitor<U> {
            type Value = Text<U>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text: ")?;
                f.write_str(U::EXPECTED)
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text { text: text.to_owned(), unit: PhantomData })
            }
        }
        deserializer.deserialize_str(Visitor(PhantomData))
    }
}

impl<U: Unit> JsonSchema for Text<U> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        U::NAME.into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": U::PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::{DurationUnit, InstantUnit, ModeUnit, RateUnit, SizeUnit, Unit};
    use std::time::Duration;

    #[test]
    fn quantities_need_their_unit() {
        assert_eq!(DurationUnit::read("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(DurationUnit::read("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(SizeUnit::read("64KiB"), Some(65_536));
        assert_eq!(ModeUnit::read("0660"), Some(0o660));
        assert_eq!(InstantUnit::read("1970-01-01T01:00:01+01:00"), Some(Duration::from_secs(1)));
        for bad in
            ["", "5", "m", "5 m", "5min", "-5m", "+5m", "1.5h", "5m5s", "99999999999999999999s", "9999999999999999d"]
        {
            assert_eq!(DurationUnit::read(bad), None, "{bad}");
        }
        for bad in ["64KB", "1GiB", "64", "18014398509481985KiB"] {
            assert_eq!(SizeUnit::read(bad), None, "{bad}");
        }
        for bad in ["0o660", "66", "06600", "668", "+60"] {
            assert_eq!(ModeUnit::read(bad), None, "{bad}");
        }
        for bad in ["2026-12-01", "1969-12-31T00:00:00Z", "tomorrow"] {
            assert_eq!(InstantUnit::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_rate_never_admits_more_than_it_says() {
        let rate = RateUnit::read("7/s").unwrap();
        assert_eq!((rate.interval(), rate.count), (Duration::from_nanos(142_857_143), 7));
        assert_eq!(RateUnit::read("100/min").unwrap().interval(), Duration::from_millis(600));
        for bad in ["0/s", "100", "100/minute", "/s", "1000001/s", "100 /s"] {
            assert_eq!(RateUnit::read(bad), None, "{bad}");
        }
    }
}

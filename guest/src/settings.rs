//! Types for settings that several policies have.

use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A duration as an operator writes it: a whole number and a unit, `ms`, `s`,
/// `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    ms: u64,
}

impl Duration {
    /// This many milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    /// This many seconds.
    #[must_use]
    pub const fn from_s(seconds: u32) -> Self {
        Self { ms: seconds as u64 * 1_000 }
    }

    /// Its length in milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.ms
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let ms = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
        Some(Self { ms })
    }
}

/// In the largest unit of which it is a whole number.
impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (divisor, unit) = match self.ms {
            ms if ms % 1_000 != 0 => (1, "ms"),
            ms if ms % 60_000 != 0 => (1_000, "s"),
            ms if ms % 3_600_000 != 0 => (60_000, "m"),
            ms if ms % 86_400_000 != 0 => (3_600_000, "h"),
            _ => (86_400_000, "d"),
        };
        write!(formatter, "{}{unit}", self.ms / divisor)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Duration;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration such as `90s`, `5m` or `24h`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                Duration::parse(text).ok_or_else(unexpected)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

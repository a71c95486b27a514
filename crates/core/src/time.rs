//! Instants, and the dates that people meant by them.

use jiff::civil::Weekday;
pub use jiff::{SignedDuration, Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tells the time; handed in, so that a test can hold the hands.
pub trait Clock: Send + Sync {
    /// The instant it is now.
    fn now(&self) -> Timestamp;
}

/// Which instant of a local date is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cutoff {
    /// The first instant of the date.
    StartOfDay,
    /// The first instant after the date: a last day is worked to its end.
    EndOfDay,
}

/// The day that a text means as systems write one: `2026-12-31`, `20261231`, or either with a time of day after it, which
/// counts for nothing (ISO 8601; `20261231000000Z` is the Generalized Time of RFC 4517 §3.3.13).
pub fn day(text: &str) -> Option<Date> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = if digits >= 8 { 8 } else { 10 };
    let (day, rest) = text.split_at_checked(length)?;
    let time = |byte: u8| {
        byte.is_ascii_digit() || matches!(byte, b'T' | b' ' | b':' | b'.' | b',' | b'+' | b'-' | b'Z')
    };
    // More digits than a day has begin the hours, two by two.
    let whole = rest.bytes().all(time) && digits.saturating_sub(8) % 2 == 0;
    day.parse().ok().filter(|_| whole)
}

/// When something takes effect: one instant and, where people meant a date, what made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Effective {
    /// The instant.
    pub at: Timestamp,
    /// The date, zone and rule that the instant comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meant: Option<LocalDay>,
}

/// A date as people write it: a day in a zone, and which end of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LocalDay {
    /// The calendar day.
    pub date: Date,
    /// The IANA name of the zone, such as `Europe/Berlin`.
    pub zone: String,
    /// Which end of the day.
    pub cutoff: Cutoff,
}

/// The day cannot be turned into an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDay {
    /// No such zone in the time zone database.
    #[error("`{0}` is not a time zone; use an IANA name such as `Europe/Berlin`")]
    Zone(String),
    /// The date is outside of what can be represented.
    #[error("`{0}` is out of range")]
    Range(Date),
}

impl LocalDay {
    /// The instant that is meant. Days that are 23 or 25 hours long, and days whose midnight does not
    /// exist, come out right: the first instant of the (next) day in that zone is taken.
    pub fn instant(&self) -> Result<Timestamp, BadDay> {
        let zone = jiff::tz::TimeZone::get(&self.zone).map_err(|_| BadDay::Zone(self.zone.clone()))?;
        let day = match self.cutoff {
            Cutoff::StartOfDay => self.date,
            Cutoff::EndOfDay => self.date.tomorrow().map_err(|_| BadDay::Range(self.date))?,
        };
        let start = day.to_zoned(zone).map_err(|_| BadDay::Range(self.date))?;
        Ok(start.timestamp())
    }

    /// Whether it is a day that stands for none: systems for people write the end of what has no end as 9999-12-31.
    pub fn is_never(&self) -> bool {
        self.date.year() == Date::MAX.year()
    }

    /// The instant together with what was meant.
    pub fn effective(self) -> Result<Effective, BadDay> {
        Ok(Effective { at: self.instant()?, meant: Some(self) })
    }
}

impl Effective {
    /// At the instant `at`, with no date behind it.
    pub fn at(at: Timestamp) -> Self {
        Self { at, meant: None }
    }
}

/// The instant `days` working days after `from`: the same time of day, UTC, on the last of so many days from
/// Monday to Friday. A day that has begun does not count; nor do Saturdays and Sundays. Holidays do, because
/// they are not the same everywhere.
pub fn working_days_after(from: Timestamp, days: u8) -> Timestamp {
    let mut at = from.to_zoned(jiff::tz::TimeZone::UTC);
    let mut left = days;
    while left > 0 {
        let Ok(next) = at.tomorrow() else { return from };
        at = next;
        left -= match at.weekday() {
            Weekday::Saturday | Weekday::Sunday => 0,
            Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => {
                1
            }
        };
    }
    at.timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_days_leave_out_the_end_of_the_week() {
        let check = |from: &str, days, expect: &str| {
            let from: Timestamp = from.parse().unwrap();
            assert_eq!(working_days_after(from, days).to_string(), expect, "{from} + {days}");
        };
        check("2026-11-30T09:30:00Z", 0, "2026-11-30T09:30:00Z"); // a Monday
        check("2026-11-30T09:30:00Z", 1, "2026-12-01T09:30:00Z");
        check("2026-11-30T09:30:00Z", 4, "2026-12-04T09:30:00Z");
        check("2026-11-30T09:30:00Z", 5, "2026-12-07T09:30:00Z");
        check("2026-12-04T23:59:59Z", 1, "2026-12-07T23:59:59Z"); // Friday, late
        check("2026-12-04T23:59:59Z", 5, "2026-12-11T23:59:59Z");
        check("2026-12-05T00:00:00Z", 5, "2026-12-11T00:00:00Z"); // Saturday
        check("2026-12-06T12:00:00Z", 5, "2026-12-11T12:00:00Z"); // Sunday
        check("2026-12-30T12:00:00Z", 5, "2027-01-06T12:00:00Z");
    }

    #[test]
    fn a_day_is_read_however_systems_write_it() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(day(text).map(|day| day.to_string()).as_deref(), expect, "{text}");
        };
        for text in [
            "2026-12-31",
            " 2026-12-31 ",
            "20261231",
            "2026-12-31T00:00:00",
            "2026-12-31T23:00:00.000+01:00",
            "2026-12-31 00:00:00",
            "20261231000000Z",
            "20261231000000.0Z",
        ] {
            check(text, Some("2026-12-31"));
        }
        for text in [
            "",
            "soon",
            "2026-12",
            "2026-13-31",
            "31.12.2026",
            "202612311",
            "2026-12-31x",
            "00000000",
            "２０２６",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_last_day_ends_when_its_zone_says() {
        let check = |date: &str, zone: &str, cutoff, expect: &str| {
            let day = LocalDay { date: date.parse().unwrap(), zone: zone.into(), cutoff };
            assert_eq!(day.instant().unwrap().to_string(), expect, "{date} {zone}");
        };
        check("2026-03-28", "Europe/Berlin", Cutoff::EndOfDay, "2026-03-28T23:00:00Z");
        check("2026-03-29", "Europe/Berlin", Cutoff::EndOfDay, "2026-03-29T22:00:00Z"); // 23 hours long
        check("2026-10-25", "Europe/Berlin", Cutoff::EndOfDay, "2026-10-25T23:00:00Z"); // 25 hours long
        check("2026-01-01", "Pacific/Auckland", Cutoff::StartOfDay, "2025-12-31T11:00:00Z");
        check("2018-11-03", "America/Sao_Paulo", Cutoff::EndOfDay, "2018-11-04T03:00:00Z"); // no midnight
        let nowhere = LocalDay {
            date: "2026-01-01".parse().unwrap(),
            zone: "Mars/Base".into(),
            cutoff: Cutoff::EndOfDay,
        };
        assert_eq!(nowhere.instant(), Err(BadDay::Zone("Mars/Base".into())));
    }
}

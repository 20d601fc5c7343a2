//! Times in which something may begin, or may not: on days of the week, or between two dates, by the clocks of a place.
//!
//! Pure arithmetic on what a clock at the wall shows; what that is at which moment (`deploy::calendar`) is not known here.
//! Tested in place.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Wrong, quoted};

/// Minutes of a day.
pub const DAY: i64 = 24 * 60;
/// The zone of windows that name none.
const UTC: &str = "UTC";
/// The days of a week as they are written.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// 1970-01-01 was a Thursday.
const THURSDAY: i64 = 3;

/// What a clock at the wall shows, in minutes since it showed 1970-01-01 00:00. Summer time makes it jump.
pub type WallMinute = i64;

/// A time in which something may begin, or may not. Written `Mon-Thu 09:00-16:00 Europe/Berlin`, `Sat,Sun`, or
/// `2026-12-20 to 2027-01-03 12:00 Europe/Berlin`; without a zone it is UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    span: Span,
    /// By the clocks of which zone, by its name in the time zone database.
    pub zone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    /// On days of the week (a bit for each, Monday first), from a minute of the day to another; if that is not later, on the
    /// next day.
    Weekly { days: u8, from: i64, to: i64 },
    /// Once.
    Dated { from: WallMinute, to: WallMinute },
}

/// A text that is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a window: write for example \"Mon-Thu 09:00-16:00 Europe/Berlin\" or \"2026-12-20 to 2027-01-03\""
)]
pub struct WindowError(String);

impl Window {
    /// Whether it is open when the clock shows this.
    pub fn contains(&self, shown: WallMinute) -> bool {
        match self.span {
            Span::Dated { from, to } => (from..to).contains(&shown),
            Span::Weekly { days, from, to } => {
                let (day, minute) = (shown.div_euclid(DAY), shown.rem_euclid(DAY));
                let is_on = |day: i64| days & (1 << (day + THURSDAY).rem_euclid(7)) != 0;
                match from < to {
                    true => is_on(day) && (from..to).contains(&minute),
                    false => is_on(day) && minute >= from || is_on(day - 1) && minute < to,
                }
            }
        }
    }

    /// Whether it is open once, and not every week.
    pub fn is_dated(&self) -> bool {
        matches!(self.span, Span::Dated { .. })
    }

    /// What the clock shows when it may open or close, from the day of `shown` on for a week and a day.
    pub fn edges(&self, shown: WallMinute) -> Vec<WallMinute> {
        match self.span {
            Span::Dated { from, to } => vec![from, to],
            Span::Weekly { from, to, .. } => {
                let first = shown.div_euclid(DAY);
                (first..=first + 8).flat_map(|day| [day * DAY + from, day * DAY + to]).collect()
            }
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Window, WindowError> {
        let wrong = || WindowError(text.to_owned());
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let named = words.last().filter(|last| is_zone(last)).copied();
        words.truncate(words.len() - usize::from(named.is_some()));
        let zone = named.unwrap_or(UTC).to_owned();
        let span = match words.iter().position(|word| *word == "to") {
            Some(at) => dated(words.get(..at).unwrap_or_default(), words.get(at + 1..).unwrap_or_default()),
            None => weekly(&words),
        };
        Ok(Window { span: span.ok_or_else(wrong)?, zone })
    }
}

/// `Europe/Berlin`, `UTC`, `EST5EDT`; not `Mon`, `09:00` or a date.
fn is_zone(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let is_days = word.split([',', '-']).all(|name| day(name).is_some());
    word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(fits) && !is_days && word != "to"
}

fn weekly(words: &[&str]) -> Option<Span> {
    let (days, hours) = match words {
        [only] if only.contains(':') => (0x7f, Some(*only)),
        [days] => (week(days)?, None),
        [days, hours] => (week(days)?, Some(*hours)),
        _ => return None,
    };
    let (from, to) = match hours {
        None => (0, DAY),
        Some(hours) => {
            let (from, to) = hours.split_once('-')?;
            (minute(from).filter(|from| *from < DAY)?, minute(to)?)
        }
    };
    (from != to).then_some(Span::Weekly { days, from, to })
}

fn day(name: &str) -> Option<usize> {
    DAYS.iter().position(|day| day.eq_ignore_ascii_case(name))
}

/// `Mon-Thu,Sat`; a range may go on over the end of the week.
fn week(text: &str) -> Option<u8> {
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let length = (last + 7 - first) % 7;
        days = (first..=first + length).fold(days, |days, day| days | 1 << (day % 7));
    }
    Some(days)
}

/// A minute of the day, `24:00` included.
fn minute(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<i64>().ok()).flatten();
    let (hour, minute) = (number(hour)?, number(minute)?);
    ((0..60).contains(&minute) && (0..=DAY).contains(&(hour * 60 + minute))).then_some(hour * 60 + minute)
}

/// The last day is meant as a whole.
fn dated(from: &[&str], to: &[&str]) -> Option<Span> {
    let (from, to) = (moment(from, 0)?, moment(to, DAY)?);
    (from < to).then_some(Span::Dated { from, to })
}

/// What the clock shows at a date and time of day; without one, so many minutes after the day's beginning.
fn moment(words: &[&str], otherwise: i64) -> Option<WallMinute> {
    let (date, time) = match words {
        [date] => (*date, otherwise),
        [date, time] => (*date, minute(time)?),
        _ => return None,
    };
    // Only this form, of those that the library knows.
    let date: Date = (date.len() == 10).then(|| date.parse().ok()).flatten()?;
    let days = date.since(Date::constant(1970, 1, 1)).ok()?.get_days();
    Some(i64::from(days) * DAY + time)
}

fn written(shown: WallMinute) -> String {
    let moment = Date::constant(1970, 1, 1)
        .to_datetime(Time::midnight())
        .checked_add(shown.div_euclid(DAY).days())
        .and_then(|day| day.checked_add(shown.rem_euclid(DAY).minutes()))
        .unwrap_or(DateTime::MAX);
    moment.strftime("%Y-%m-%d %H:%M").to_string()
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Span::Dated { from, to } => write!(f, "{} to {}", written(from), written(to))?,
            Span::Weekly { days, from, to } => {
                let is_on = |(day, _): &(usize, &&str)| days & (1 << day) != 0;
                let names = DAYS.iter().enumerate().filter(is_on).map(|(_, name)| *name);
                let names: Vec<&str> = names.collect();
                let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
                write!(f, "{} {}-{}", names.join(","), clock(from), clock(to))?;
            }
        }
        write!(f, " {}", self.zone)
    }
}

impl TryFrom<String> for Window {
    type Error = WindowError;

    fn try_from(text: String) -> Result<Window, WindowError> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> String {
        window.to_string()
    }
}

/// A window, as it may be written.
pub(super) fn window(text: &str) -> Result<String, Wrong> {
    text.parse::<Window>().map(|window| window.to_string()).map_err(|_| {
        Wrong::new(
            format!("holds {}, which is not a window", quoted(text)),
            "write for example \"Mon-Thu 09:00-16:00 Europe/Berlin\", \"Sat,Sun\" or \"2026-12-20 to 2027-01-03 12:00\"",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_and_shown() {
        for (text, shown) in [
            ("Mon-Thu 09:00-16:00 Europe/Berlin", "Mon,Tue,Wed,Thu 09:00-16:00 Europe/Berlin"),
            ("sat,SUN", "Sat,Sun 00:00-24:00 UTC"),
            ("fri-mon 22:00-06:00", "Mon,Fri,Sat,Sun 22:00-06:00 UTC"),
            ("12:00-13:30 UTC", "Mon,Tue,Wed,Thu,Fri,Sat,Sun 12:00-13:30 UTC"),
            ("2026-12-20 to 2027-01-03", "2026-12-20 00:00 to 2027-01-04 00:00 UTC"),
            (
                "2026-12-20 18:00 to 2027-01-03 08:00 America/New_York",
                "2026-12-20 18:00 to 2027-01-03 08:00 America/New_York",
            ),
        ] {
            let window: Window = text.parse().unwrap();
            assert_eq!(window.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(window), "{text}");
        }
        for text in [
            "",
            "UTC",
            "Mon-",
            "Mon 9:00-10:00",
            "Mon 09:00-09:00",
            "Mon 24:00-01:00",
            "Mon 09:00-24:01",
            "Mon 09:60-10:00",
            "2026-12-20",
            "to",
            "2026-12-20 to",
            "2026-12-20 to 2026-12-19",
            "2026-02-30 to 2026-03-01",
            "Mon Tue",
            "Europe/Berlin",
            "Someday 09:00-10:00",
            "Mon 09:00-10:00 Europe/Berlin UTC",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let window: Window = "Fri 22:00-06:00".parse().unwrap();
        // 1970-01-02 was a Friday.
        let shown = |day: i64, hour: i64| day * DAY + hour * 60;
        for (day, hour, is_open) in [
            (1, 21, false),
            (1, 22, true),
            (1, 23, true),
            (2, 5, true),
            (2, 6, false),
            (2, 23, false),
            (1, 3, false),
        ] {
            assert_eq!(window.contains(shown(day, hour)), is_open, "day {day}, {hour}:00");
        }
    }

    #[test]
    fn a_window_changes_only_at_its_edges() {
        for text in ["Mon-Thu 09:00-16:00", "Fri 22:00-06:00", "Sat,Sun", "1970-01-10 12:00 to 1970-01-12"] {
            let window: Window = text.parse().unwrap();
            let edges = window.edges(0);
            for shown in 0..8 * DAY {
                let has_changed = window.contains(shown) != window.contains(shown - 1);
                assert!(!has_changed || edges.contains(&shown), "{text} changes at {shown}");
            }
        }
    }
}

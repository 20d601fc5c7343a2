//! What the clocks of people show, from the time zone database of the system.
//!
//! Tested in place.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::tz::TimeZone;
use tandem_core::base::{Millis, Timestamp};
use tandem_core::deploy::{Calendar, Zone};
use tandem_core::spec::SourceSpec;

/// For so long what is known of zones is taken to be good.
const DAY: Millis = Millis::from_secs(86_400);
/// So far it is looked ahead, and a little back.
const AHEAD: Millis = Millis::from_secs(400 * 86_400);

/// The clocks of the zones that a configuration names.
pub(super) struct Clocks {
    names: Vec<String>,
    known: Mutex<Option<(Timestamp, BTreeMap<String, Zone>)>>,
}

impl Clocks {
    pub(super) fn of(source: &SourceSpec) -> Clocks {
        Clocks { names: source.zones().map(str::to_owned).collect(), known: Mutex::default() }
    }

    /// What they show, as far as it is known, when it is this time for everybody.
    pub(super) fn calendar(&self, wall: Timestamp) -> Calendar {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |at: Timestamp| wall >= at && wall.since(at) < DAY;
        if !known.as_ref().is_some_and(|(at, _)| is_good(*at)) {
            let zones = self.names.iter().filter_map(|name| Some((name.clone(), zone(name, wall)?)));
            *known = Some((wall, zones.collect()));
        }
        let zones = known.as_ref().map(|(_, zones)| zones.clone()).unwrap_or_default();
        Calendar { wall, zones }
    }
}

/// A zone that a configuration names and nobody here knows.
pub(crate) fn unknown(source: &SourceSpec) -> Option<&str> {
    source.zones().find(|name| get(name).is_none())
}

fn get(name: &str) -> Option<TimeZone> {
    if name == "UTC" { Some(TimeZone::UTC) } else { TimeZone::get(name).ok() }
}

/// By how much a zone differs from UTC, around a time.
fn zone(name: &str, wall: Timestamp) -> Option<Zone> {
    let zone = get(name)?;
    let moment = |at: Timestamp| jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok();
    let (first, last) = (moment(wall - DAY - DAY)?, moment(wall + AHEAD)?);
    let after = zone.following(first).take_while(|change| change.timestamp() <= last);
    let changes = after.map(|change| (change.timestamp(), change.offset()));
    let offset = |(at, offset): (jiff::Timestamp, jiff::tz::Offset)| {
        let at = u64::try_from(at.as_millisecond()).ok()?;
        Some((Timestamp(at), offset.seconds()))
    };
    let offsets = [(first, zone.to_offset(first))].into_iter().chain(changes).filter_map(offset).collect();
    Some(Zone { offsets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_with_the_changes_that_are_ahead() {
        let windows = ["Mon Europe/Berlin", "Tue UTC", "Wed Nowhere/Land"].map(|text| text.parse().unwrap());
        let source = SourceSpec { windows: windows.to_vec(), ..SourceSpec::default() };
        assert_eq!(unknown(&source), Some("Nowhere/Land"));
        // 2026-03-24 10:00 UTC: winter time, and summer time from the 29th on.
        let calendar = Clocks::of(&source).calendar(Timestamp(1_774_346_400_000));
        let berlin = &calendar.zones["Europe/Berlin"].offsets;
        assert_eq!(berlin[0].1, 3600);
        assert_eq!(berlin[1], (Timestamp(1_774_746_000_000), 7200));
        assert_eq!(calendar.zones["UTC"].offsets.len(), 1);
        assert!(!calendar.zones.contains_key("Nowhere/Land"));
    }
}

//! Whether something may begin by itself now, by the clocks of the zones that the windows name; and if not, when.
//!
//! The clocks are data: what time it is for everybody, and by how much each zone differs from that and from when on. So a
//! clock that is set, or summer time, changes what is decided at the next look, and nothing else. Tested in place.

use std::collections::BTreeMap;

use crate::base::Timestamp;
use crate::spec::{SourceSpec, WallMinute, Window};

/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;

/// What the clocks of people show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    /// The time for everybody (UTC). Unlike Tandem's own clock, it may be set.
    pub wall: Timestamp,
    /// The zones, by name. One that is not here is not known.
    pub zones: BTreeMap<String, Zone>,
}

/// By how much the clocks of a zone differ from UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    /// From when on, and by how many seconds; the earliest first. The first one holds before it, too.
    pub offsets: Vec<(Timestamp, i32)>,
}

/// Why nothing may begin by itself now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) why: WhyClosed,
    /// When it may, by the clock for everybody. None: not in any time that can be foreseen.
    pub(super) until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WhyClosed {
    /// No window is open.
    NoWindow,
    /// This freeze is on.
    Freeze(Window),
    /// The clocks of this zone are not known.
    UnknownZone(String),
}

/// Whether nothing may begin by itself now. None: it may.
pub(super) fn closed(source: &SourceSpec, calendar: &Calendar) -> Option<Closed> {
    let unknown = source.zones().find(|zone| calendar.zone(zone).is_none());
    if let Some(zone) = unknown {
        return Some(Closed { why: WhyClosed::UnknownZone(zone.to_owned()), until: None });
    }
    let why = calendar.why_closed(source, calendar.wall)?;
    // It can only change at an edge of a window, or when a zone's clocks are set.
    let mut moments: Vec<Timestamp> = calendar.moments(source).collect();
    moments.sort_unstable();
    let until =
        moments.into_iter().find(|at| *at > calendar.wall && calendar.why_closed(source, *at).is_none());
    Some(Closed { why, until })
}

impl Calendar {
    fn zone(&self, name: &str) -> Option<&Zone> {
        self.zones.get(name).filter(|zone| !zone.offsets.is_empty())
    }

    fn is_open(&self, window: &Window, at: Timestamp) -> bool {
        self.zone(&window.zone).is_some_and(|zone| window.contains(zone.shown(at)))
    }

    fn why_closed(&self, source: &SourceSpec, at: Timestamp) -> Option<WhyClosed> {
        if let Some(freeze) = source.freezes.iter().find(|freeze| self.is_open(freeze, at)) {
            return Some(WhyClosed::Freeze(freeze.clone()));
        }
        let is_open =
            source.windows.is_empty() || source.windows.iter().any(|window| self.is_open(window, at));
        (!is_open).then_some(WhyClosed::NoWindow)
    }

    /// All moments at which a window may open or close: within a week and a day from now, and from each date that is named,
    /// since what opens every week may be frozen until then.
    fn moments<'a>(&'a self, source: &'a SourceSpec) -> impl Iterator<Item = Timestamp> + 'a {
        let windows = || source.windows.iter().chain(&source.freezes);
        let zoned = move || windows().filter_map(|window| Some((window, self.zone(&window.zone)?)));
        let now = self.wall;
        let starts = move || {
            let dates = zoned().filter(|(window, _)| window.is_dated());
            let ends = dates.flat_map(move |(window, zone)| {
                window.edges(0).into_iter().flat_map(|edge| zone.moments(edge)).collect::<Vec<_>>()
            });
            ends.filter(move |at| *at > now).chain([now])
        };
        let edges = starts().flat_map(move |start| {
            zoned().flat_map(move |(window, zone)| {
                window
                    .edges(zone.shown(start))
                    .into_iter()
                    .flat_map(|edge| zone.moments(edge))
                    .collect::<Vec<_>>()
            })
        });
        let set = zoned().flat_map(|(_, zone)| zone.offsets.iter().map(|(since, _)| *since));
        edges.chain(set)
    }
}

impl Zone {
    fn offset(&self, at: Timestamp) -> i64 {
        let passed = self.offsets.iter().rev().find(|(since, _)| *since <= at).or(self.offsets.first());
        passed.map_or(0, |(_, seconds)| i64::from(*seconds) * 1000)
    }

    /// What the clock shows.
    fn shown(&self, at: Timestamp) -> WallMinute {
        (i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(self.offset(at))).div_euclid(MINUTE)
    }

    /// When the clock may show this: by each of the zone's offsets. One is right, or two where it is set back, or none where
    /// it is set forward; whoever asks looks at what is shown then.
    fn moments(&self, shown: WallMinute) -> Vec<Timestamp> {
        let mut offsets: Vec<i32> = self.offsets.iter().map(|(_, seconds)| *seconds).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let at = |seconds: &i32| {
            let millis = shown.saturating_mul(MINUTE).saturating_sub(i64::from(*seconds) * 1000);
            u64::try_from(millis).map(Timestamp).ok()
        };
        offsets.iter().filter_map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Millis;

    /// 2026-03-27 was a Friday; summer time begins on Sunday the 29th at 01:00 UTC, and ends on 2026-10-25.
    const BERLIN: [(u64, i32); 3] = [(1_761_440_400, 3600), (1_774_746_000, 7200), (1_792_890_000, 3600)];

    fn calendar(wall: &str) -> Calendar {
        let offsets = BERLIN.map(|(since, offset)| (Timestamp(since * 1000), offset)).to_vec();
        let utc = Zone { offsets: vec![(Timestamp(0), 0)] };
        let zones = BTreeMap::from([("Europe/Berlin".to_owned(), Zone { offsets }), ("UTC".to_owned(), utc)]);
        Calendar { wall: at(wall), zones }
    }

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(moment.as_millisecond()).unwrap())
    }

    fn source(windows: &[&str], freezes: &[&str]) -> SourceSpec {
        let read = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
        SourceSpec { windows: read(windows), freezes: read(freezes), ..SourceSpec::default() }
    }

    /// When it opens, as people write it; "open" if it is.
    fn opens(source: &SourceSpec, wall: &str) -> String {
        match closed(source, &calendar(wall)) {
            None => "open".to_owned(),
            Some(Closed { until: None, .. }) => "never".to_owned(),
            Some(Closed { until: Some(until), .. }) => {
                jiff::Timestamp::from_millisecond(i64::try_from(until.0).unwrap()).unwrap().to_string()
            }
        }
    }

    #[test]
    fn windows_and_freezes_are_by_the_clocks_of_their_zone() {
        let office =
            source(&["Mon-Thu 09:00-16:00 Europe/Berlin"], &["2026-03-31 12:00 to 2026-04-01 12:00"]);
        for (wall, expected) in [
            ("2026-03-25T08:00:00Z", "open"),
            ("2026-03-25T07:59:59.999Z", "2026-03-25T08:00:00Z"),
            ("2026-03-25T15:00:00Z", "2026-03-26T08:00:00Z"),
            // Over the weekend the clocks are set: nine o'clock comes an hour earlier for everybody.
            ("2026-03-26T15:00:00Z", "2026-03-30T07:00:00Z"),
            // The freeze begins at noon UTC and ends in the middle of the next window.
            ("2026-03-31T11:59:59Z", "open"),
            ("2026-03-31T12:00:00Z", "2026-04-01T12:00:00Z"),
        ] {
            assert_eq!(opens(&office, wall), expected, "at {wall}");
        }
    }

    #[test]
    fn hours_that_are_shown_twice_or_not_at_all_open_and_close_as_shown() {
        // 02:00 to 03:00 is not shown on the 29th of March: the window has one day less.
        let night = source(&["02:00-03:00 Europe/Berlin"], &[]);
        assert_eq!(opens(&night, "2026-03-28T02:00:00Z"), "2026-03-30T00:00:00Z");
        // It is shown twice on the 25th of October, first in summer time.
        assert_eq!(opens(&night, "2026-10-24T23:59:00Z"), "2026-10-25T00:00:00Z");
        assert_eq!(opens(&night, "2026-10-25T00:30:00Z"), "open");
        assert_eq!(opens(&night, "2026-10-25T01:30:00Z"), "open");
        assert_eq!(opens(&night, "2026-10-25T02:00:00Z"), "2026-10-26T01:00:00Z");
        // 02:30 is where the clocks jump over: what begins then is open from the jump on.
        let late = source(&["02:30-04:00 Europe/Berlin"], &[]);
        assert_eq!(opens(&late, "2026-03-29T00:59:00Z"), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn what_opens_every_week_is_found_behind_a_long_freeze() {
        let frozen =
            source(&["Mon 09:00-10:00 UTC"], &["2026-05-01 to 2026-06-30", "2026-07-04 to 2026-07-09"]);
        assert_eq!(opens(&frozen, "2026-05-02T00:00:00Z"), "2026-07-13T09:00:00Z");
        let over = source(&["2026-01-01 to 2026-01-02"], &[]);
        assert_eq!(opens(&over, "2026-05-02T00:00:00Z"), "never");
        assert_eq!(opens(&source(&[], &["00:00-24:00"]), "2026-05-02T00:00:00Z"), "never");
    }

    #[test]
    fn a_clock_that_is_set_counts_as_it_is_shown_now() {
        let day = source(&["Tue 09:00-10:00"], &[]);
        assert_eq!(opens(&day, "2026-03-24T09:30:00Z"), "open");
        // Set back by two hours, it opens once more.
        assert_eq!(opens(&day, "2026-03-24T07:30:00Z"), "2026-03-24T09:00:00Z");
        assert_eq!(opens(&day, "1970-01-01T00:00:00Z"), "1970-01-06T09:00:00Z");
    }

    #[test]
    fn a_zone_whose_clocks_are_not_known_keeps_closed() {
        let nowhere = source(&[], &["Sat Mars/Olympus"]);
        let found = closed(&nowhere, &calendar("2026-03-24T09:30:00Z")).unwrap();
        assert_eq!(found.why, WhyClosed::UnknownZone("Mars/Olympus".to_owned()));
    }

    /// The same, found by looking at every minute.
    #[test]
    fn the_next_opening_is_the_one_that_is_found_by_waiting() {
        let specs = [
            source(&["Mon-Fri 22:00-02:30 Europe/Berlin", "Sun 12:00-13:00"], &["Wed Europe/Berlin"]),
            source(&["02:15-02:45 Europe/Berlin"], &["Sat,Sun UTC"]),
            source(&[], &["Sat-Mon Europe/Berlin", "2026-10-27 to 2026-10-28 Europe/Berlin"]),
        ];
        for (spec, start) in specs
            .iter()
            .flat_map(|spec| ["2026-03-27T20:00:00Z", "2026-10-23T20:00:00Z"].map(|at| (spec, at)))
        {
            let mut calendar = calendar(start);
            let mut foreseen = None;
            for _ in 0..6 * 1440 {
                match closed(spec, &calendar) {
                    Some(found) => foreseen = found.until,
                    None => {
                        assert!(foreseen.is_none_or(|at| at == calendar.wall), "{:?} {start}", calendar.wall);
                        foreseen = None;
                    }
                }
                calendar.wall = calendar.wall + Millis(60_000);
            }
        }
    }
}

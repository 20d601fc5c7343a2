//! When an authority is asked for a certificate: the first one, the next one, and again after a failure.
//!
//! Knows times, not how an authority is asked, and no chance of its own: whoever asks brings it along. Tested in place.

use serde::{Deserialize, Serialize};

use crate::base::{Millis, Timestamp};

const MINUTE: Millis = Millis::from_secs(60);
const HOUR: Millis = Millis::from_secs(3600);
const DAY: Millis = Millis::from_secs(86_400);
/// When an authority that did not say is asked again when it wants a certificate renewed.
const ASK_AGAIN: Millis = Millis::from_secs(6 * 3600);
/// The wait after the first failure; it doubles with each, up to the longest.
const FIRST_WAIT: Millis = Millis::from_secs(300);
const LONGEST_WAIT: Millis = Millis::from_secs(12 * 3600);
/// The longest that an authority can put us off.
const LONGEST_DELAY: Millis = Millis::from_secs(7 * 86_400);
/// So many tries an hour, whatever else is the case: authorities count them, and more of them help nobody.
const TRIES_AN_HOUR: usize = 4;

/// A part of a length of time, drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chance(pub u16);

impl Chance {
    fn of(self, length: Millis) -> Millis {
        Millis(length.0.saturating_mul(u64::from(self.0)) >> 16)
    }
}

/// The time for which a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last.
    pub until: Timestamp,
}

/// What is to be done for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A certificate is to be had.
    Order,
    /// The authority is to be asked when the one that is there should be renewed (RFC 9773).
    AskWhen,
}

/// How a name stands: its certificate, and what came of asking for one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Renewal {
    certificate: Option<Lifetime>,
    /// Within which time the authority wants it renewed.
    window: Option<(Timestamp, Timestamp)>,
    /// When the authority is asked for that again.
    ask: Timestamp,
    chance: Chance,
    /// The last tries to have a certificate.
    tries: Vec<Timestamp>,
    /// From which moment on another try is right, as far as the last one tells.
    not_before: Timestamp,
    failures: u32,
}

impl Renewal {
    /// The next step, and when it is due.
    pub fn next(&self) -> (Timestamp, Step) {
        let order = self.wanted().max(self.not_before).max(self.allowed());
        match self.certificate {
            Some(_) if self.ask < order => (self.ask, Step::AskWhen),
            _ => (order, Step::Order),
        }
    }

    /// The lifetime of the certificate that is there.
    pub fn certificate(&self) -> Option<Lifetime> {
        self.certificate
    }

    /// When a certificate is wanted. Whatever the authority suggests: while the one that is there is still good.
    fn wanted(&self) -> Timestamp {
        let Some(Lifetime { from, until }) = self.certificate else { return Timestamp::default() };
        let whole = until.since(from).0;
        match self.window {
            Some((start, end)) => (start + self.chance.of(end.since(start))).min(until - Millis(whole / 10)),
            None => from + Millis(whole / 3 * 2) + self.chance.of(Millis(whole / 20)),
        }
    }

    /// From when on the number of tries allows for one more.
    fn allowed(&self) -> Timestamp {
        let oldest = self.tries.iter().rev().nth(TRIES_AN_HOUR - 1);
        oldest.map_or(Timestamp::default(), |at| *at + HOUR)
    }

    /// A certificate is being asked for.
    pub fn try_at(&mut self, now: Timestamp) {
        // A clock that was set back must not make us wait for the time that it told before.
        self.tries.retain(|at| *at <= now && now.since(*at) < HOUR);
        self.tries.push(now);
    }

    /// None was had. `delay`: how long the authority itself wants no other try.
    pub fn failed(&mut self, now: Timestamp, delay: Option<Millis>, chance: Chance) {
        let doubled = FIRST_WAIT.0.saturating_mul(1 << self.failures.min(16));
        let wait = doubled.min(LONGEST_WAIT.0);
        let jittered = Millis(wait / 4 * 3) + chance.of(Millis(wait / 2));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + jittered.max(delay.unwrap_or_default().min(LONGEST_DELAY));
    }

    /// A certificate was had.
    pub fn had(&mut self, certificate: Lifetime, chance: Chance) {
        let tries = std::mem::take(&mut self.tries);
        *self = Renewal {
            certificate: Some(certificate),
            ask: certificate.from,
            chance,
            tries,
            ..Renewal::default()
        };
    }

    /// The authority was asked when to renew, and perhaps said so; if not, what it said before counts.
    pub fn suggested(
        &mut self,
        now: Timestamp,
        window: Option<(Timestamp, Timestamp)>,
        again: Option<Millis>,
    ) {
        if let Some((start, end)) = window {
            // As the standard says: a window that ends before it begins is none.
            self.window = (start < end).then_some((start, end));
        }
        self.ask = now + again.unwrap_or(ASK_AGAIN).max(MINUTE).min(DAY);
    }

    /// Somebody has perhaps mended what was wrong: what made us wait is forgotten, but not how often we asked.
    pub fn take_heart(&mut self) {
        if self.failures > 0 {
            (self.failures, self.not_before) = (0, Timestamp::default());
        }
    }

    /// Another authority is to give it: the certificate that is there is none of its own.
    pub fn begin_anew(&mut self) {
        *self = Renewal::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);
    const NONE: Chance = Chance(0);
    const MOST: Chance = Chance(u16::MAX);

    fn with(days: u64, chance: Chance) -> Renewal {
        let mut renewal = Renewal::default();
        renewal.had(Lifetime { from: NOW, until: NOW + Millis(days * DAY.0) }, chance);
        renewal.suggested(NOW, None, None);
        renewal
    }

    /// When the next order is due, whatever is to be asked before.
    fn order(renewal: &Renewal) -> u64 {
        let mut quiet = renewal.clone();
        quiet.ask = Timestamp(u64::MAX);
        quiet.next().0.since(NOW).0
    }

    #[test]
    fn the_first_is_wanted_at_once_and_the_next_after_two_thirds() {
        assert_eq!(Renewal::default().next(), (Timestamp::default(), Step::Order));
        assert_eq!(order(&with(90, NONE)), 60 * DAY.0);
        assert!((60 * DAY.0..65 * DAY.0).contains(&order(&with(90, MOST))));
    }

    #[test]
    fn the_authority_is_asked_when_and_its_window_counts() {
        let mut renewal = with(90, Chance(u16::MAX / 2));
        assert_eq!(renewal.next(), (NOW + ASK_AGAIN, Step::AskWhen));
        let day = |n: u64| NOW + Millis(n * DAY.0);
        renewal.suggested(day(1), Some((day(10), day(12))), Some(HOUR));
        assert_eq!(renewal.next(), (day(1) + HOUR, Step::AskWhen));
        assert!((10 * DAY.0..12 * DAY.0).contains(&order(&renewal)));
        renewal.suggested(day(1), None, None);
        assert!((10 * DAY.0..12 * DAY.0).contains(&order(&renewal)), "it does not answer");
        renewal.suggested(day(1), Some((day(0), day(0) + MINUTE)), None);
        assert!(order(&renewal) < DAY.0, "it was revoked");
        assert_eq!(renewal.next().1, Step::Order);
        renewal.suggested(day(1), Some((day(200), day(201))), None);
        assert_eq!(order(&renewal), 81 * DAY.0, "never after its end");
        renewal.suggested(day(1), Some((day(5), day(4))), None);
        assert!(order(&renewal) >= 60 * DAY.0, "a window that is none");
        renewal.suggested(day(1), None, Some(Millis::ZERO));
        assert_eq!(renewal.next().0, day(1) + MINUTE, "not in a circle");
    }

    #[test]
    fn waits_grow_and_the_authority_has_the_last_word() {
        let mut renewal = Renewal::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            renewal.failed(NOW, None, Chance(1 << 15));
            waits.push(order(&renewal) / MINUTE.0);
        }
        assert_eq!(waits[..5], [5, 10, 20, 40, 80]);
        assert_eq!(waits[11], 720);
        renewal.failed(NOW, Some(Millis(2 * DAY.0)), NONE);
        assert_eq!(order(&renewal), 2 * DAY.0);
        renewal.failed(NOW, Some(Millis(u64::MAX)), NONE);
        assert_eq!(order(&renewal), 7 * DAY.0);
        renewal.take_heart();
        assert_eq!(renewal, Renewal::default());
    }

    proptest! {
        /// Whoever begins anew again and again is held to the same number of tries.
        #[test]
        fn no_hour_has_more_tries_than_are_allowed(chances in prop::collection::vec(any::<(u16, bool)>(), 1..60)) {
            let (mut renewal, mut now, mut tried) = (Renewal::default(), NOW, Vec::new());
            for (chance, anew) in chances {
                now = now.max(renewal.next().0);
                tried.push(now);
                renewal.try_at(now);
                renewal.failed(now, None, Chance(chance));
                if anew {
                    renewal.take_heart();
                }
            }
            for five in tried.windows(TRIES_AN_HOUR + 1) {
                prop_assert!(five[TRIES_AN_HOUR].since(five[0]) >= HOUR);
            }
        }
    }
}

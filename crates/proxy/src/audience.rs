//! The clients that are held to a version: about how many there are, and when the last one came.
//!
//! Counted by marks in a field of bits, two fields in turn: no memory per client, and no lock. Tested in place.

use std::sync::atomic::{AtomicU64, Ordering};

use tandem_core::base::Millis;
use tandem_core::traffic::SessionReport;

/// Words in a field: 4096 marks tell up to about 20 000 clients apart, to some per cent.
const WORDS: usize = 64;
const MARKS: f64 = (WORDS * 64) as f64;

/// The clients of one version, shared by all threads.
#[derive(Debug)]
pub(crate) struct Audience {
    fields: [[AtomicU64; WORDS]; 2],
    /// The number of the span of time in which the newer field was begun.
    span: AtomicU64,
    last: AtomicU64,
}

impl Audience {
    /// Nobody yet; the silence counts from `now`, in milliseconds of the proxy's clock.
    pub(crate) fn new(now: u64) -> Self {
        Audience {
            fields: [const { [const { AtomicU64::new(0) }; WORDS] }; 2],
            span: AtomicU64::new(0),
            last: AtomicU64::new(now),
        }
    }

    /// A client came. `idle`: after so long without a request it counts no more.
    pub(crate) fn came(&self, client: u32, idle: Millis, now: u64) {
        self.turn(idle, now);
        self.last.fetch_max(now, Ordering::Relaxed);
        let mark = client.wrapping_mul(0x9e37_79b9) >> 20;
        let field = self.fields.get((self.span.load(Ordering::Relaxed) % 2) as usize);
        if let Some(word) = field.and_then(|field| field.get(mark as usize / 64)) {
            word.fetch_or(1 << (mark % 64), Ordering::Relaxed);
        }
    }

    /// What is known now.
    pub(crate) fn report(&self, idle: Millis, now: u64) -> SessionReport {
        self.turn(idle, now);
        let [one, two] = &self.fields;
        let both = one.iter().zip(two).map(|(a, b)| a.load(Ordering::Relaxed) | b.load(Ordering::Relaxed));
        let free = MARKS - f64::from(both.map(u64::count_ones).sum::<u32>());
        // Linear counting (Whang, Vander-Zanden and Taylor 1990): n = -m ln(free / m).
        let clients = (-MARKS * (free.max(1.0) / MARKS).ln()).round() as u64;
        let quiet = Millis(now.saturating_sub(self.last.load(Ordering::Relaxed)));
        SessionReport { clients: if quiet >= idle { 0 } else { clients }, quiet }
    }

    /// Empties the older field when a span is over. Who comes at the same moment may be missed once.
    fn turn(&self, idle: Millis, now: u64) {
        let span = now / idle.0.max(1);
        let before = self.span.load(Ordering::Relaxed);
        if span <= before
            || self.span.compare_exchange(before, span, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        for (at, field) in self.fields.iter().enumerate() {
            if span - before > 1 || at as u64 == span % 2 {
                field.iter().for_each(|word| word.store(0, Ordering::Relaxed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_counted_and_forgotten() {
        let (audience, idle) = (Audience::new(5_000), Millis(1_000));
        let seen = |now| audience.report(idle, now);
        assert_eq!(seen(5_400), SessionReport { clients: 0, quiet: Millis(400) });
        for round in 0..3 {
            let mut client = 1_u32;
            for _ in 0..1000 {
                client = client.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                audience.came(client, idle, 5_500 + round);
            }
        }
        let report = seen(5_600);
        assert!(report.clients.abs_diff(1000) < 60 && report.quiet == Millis(98), "{report:?}");
        audience.came(7, idle, 6_400);
        assert!(seen(6_900).clients > 900, "the span before still counts");
        assert!(seen(7_100).clients < 3, "{:?}", seen(7_100));
        assert_eq!(seen(7_400), SessionReport { clients: 0, quiet: Millis(1_000) });
        audience.came(7, idle, 90_000);
        assert_eq!(seen(90_001).clients, 1);
    }
}

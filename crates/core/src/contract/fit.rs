//! Whether whoever reads a value understands whatever may be written, schema against schema.
//!
//! Schemas refer to one another and round in circles, so pairs of them are a graph. Each pair is looked at once: what does
//! not fit of itself, and on which other pairs it rests. A pair fits unless something says that it does not; what does not
//! fit spreads to all that rests on it. Knows no operations. Tested through `comparison`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Document, Part};
use super::schema::{Further, Identity, Schema};

/// So many pairs are compared; what more there is counts as a break.
const MOST_PAIRS: usize = 50_000;
/// How much is told of one part of a request or an answer.
const MOST_TOLD: usize = 10;
/// The pair that stands for all that are too many.
const TOO_MANY: usize = 0;

/// Which part of an exchange is looked at, and so who writes and who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The client writes.
    Request,
    /// The server writes.
    Answer,
}

/// Which of two versions the server is; the client is of the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The version that comes.
    Newer,
    /// The version that serves, beside which the other one comes.
    Older,
}

impl Server {
    /// What is said of something that the client knows and the server does not.
    pub(super) fn gone(self) -> &'static str {
        match self {
            Server::Newer => "is gone",
            Server::Older => "is not there yet",
        }
    }
}

/// Something that a reader does not understand.
#[derive(Debug)]
struct Misfit {
    /// The property, if it is not the value itself.
    property: String,
    what: String,
}

/// One schema for writing beside one for reading.
#[derive(Debug, Default)]
struct Pair {
    /// What does not fit of itself.
    own: Vec<Misfit>,
    /// The pairs on which it rests, and the way there: the name of a property, `[]`, `{}`, or nothing.
    rests: Vec<(String, usize)>,
    /// One of these is enough.
    any: bool,
    fits: bool,
}

/// All pairs of schemas of one side of the exchanges between two documents.
pub(super) struct Fits<'d> {
    side: Side,
    gone: &'static str,
    writer: &'d Document<'d>,
    reader: &'d Document<'d>,
    pairs: Vec<Pair>,
    known: BTreeMap<(Identity, Identity), usize>,
    /// Those that were not looked at yet.
    open: Vec<(usize, Schema<'d>, Schema<'d>)>,
}

impl<'d> Fits<'d> {
    pub(super) fn new(
        side: Side,
        age: Server,
        writer: &'d Document<'d>,
        reader: &'d Document<'d>,
    ) -> Fits<'d> {
        let what = "is too large to be compared".to_owned();
        let own = vec![Misfit { property: String::new(), what }];
        let pairs = vec![Pair { own, ..Pair::default() }];
        Fits { side, gone: age.gone(), writer, reader, pairs, known: BTreeMap::new(), open: Vec::new() }
    }

    /// Adds a part as it is written beside the same as it is read.
    pub(super) fn add(&mut self, written: &Part<'d>, read: &Part<'d>) -> usize {
        self.pair(Schema::of(self.writer, written.schema), Schema::of(self.reader, read.schema))
    }

    /// Looks at everything that was added, and at all on which it rests.
    pub(super) fn settle(&mut self) {
        while let Some((at, written, read)) = self.open.pop() {
            let looked = self.look(&written, &read);
            if let Some(pair) = self.pairs.get_mut(at) {
                *pair = looked;
            }
        }
        self.spread();
    }

    /// What the reader does not understand of a part, for people, the nearest first.
    pub(super) fn told(&self, pair: usize, title: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut seen = vec![false; self.pairs.len()];
        // Each step with the one before it: most ways lead to nothing that is told.
        let mut trail = Trail(vec![(pair, 0, "")]);
        let mut at = 0;
        while let Some(&(pair, ..)) = trail.0.get(at).filter(|_| lines.len() < MOST_TOLD) {
            let known = seen.get_mut(pair).is_none_or(|seen| std::mem::replace(seen, true));
            if let Some(pair) = self.pairs.get(pair).filter(|pair| !known && !pair.fits) {
                let mut line = |property: &str, what: &str| match trail.path(at, property) {
                    path if path.is_empty() => lines.push(format!("{title} {what}")),
                    path => lines.push(format!("{title} property `{path}` {what}")),
                };
                pair.own.iter().for_each(|misfit| line(&misfit.property, &misfit.what));
                if pair.any && pair.rests.len() != 1 {
                    line("", self.words("may be of another kind than is known", "must be of another kind"));
                } else {
                    trail.0.extend(pair.rests.iter().map(|(step, on)| (*on, at, step.as_str())));
                }
            }
            at += 1;
        }
        lines
    }

    fn pair(&mut self, written: Schema<'d>, read: Schema<'d>) -> usize {
        let at = self.pairs.len();
        if at >= MOST_PAIRS {
            return TOO_MANY;
        }
        let known = *self.known.entry((written.identity(), read.identity())).or_insert(at);
        if known == at {
            self.pairs.push(Pair::default());
            self.open.push((at, written, read));
        }
        known
    }

    fn look(&mut self, written: &Schema<'d>, read: &Schema<'d>) -> Pair {
        // Whatever is written must be understood; that it is one of several things is enough for that.
        if let Some(alternatives) = written.alternatives() {
            let rests = alternatives.into_iter().map(|one| (String::new(), self.pair(one, read.clone())));
            return Pair { rests: rests.collect(), ..Pair::default() };
        }
        if let Some(mut alternatives) = read.alternatives() {
            // One that is written the same way is the one that is meant.
            if alternatives.iter().any(|one| one.is_meant_as(written)) {
                alternatives.retain(|one| one.is_meant_as(written));
            }
            let rests = alternatives.into_iter().map(|one| (String::new(), self.pair(written.clone(), one)));
            return Pair { rests: rests.collect(), any: true, ..Pair::default() };
        }
        let mut pair = Pair::default();
        let mut own = Vec::from_iter(self.of_types(written, read));
        if own.is_empty() {
            own.extend(self.of_values(written, read));
            own.extend(self.of_limits(written, read));
            self.of_properties(written, read, &mut pair);
            self.of_items(written, read, &mut pair);
        }
        pair.own.extend(own.into_iter().map(|what| Misfit { property: String::new(), what }));
        pair
    }

    /// What does not fit spreads to all that rests on it.
    fn spread(&mut self) {
        let mut resting: Vec<Vec<usize>> = self.pairs.iter().map(|_| Vec::new()).collect();
        for (at, pair) in self.pairs.iter_mut().enumerate() {
            pair.fits = pair.own.is_empty() && !(pair.any && pair.rests.is_empty());
            for (_, on) in &pair.rests {
                resting.get_mut(*on).into_iter().for_each(|list| list.push(at));
            }
        }
        let mut left: Vec<usize> = self.pairs.iter().map(|pair| pair.rests.len()).collect();
        let misfit = self.pairs.iter().enumerate().filter(|(_, pair)| !pair.fits);
        let mut open: Vec<usize> = misfit.map(|(at, _)| at).collect();
        while let Some(at) = open.pop() {
            for on in resting.get(at).into_iter().flatten() {
                let (Some(pair), Some(left)) = (self.pairs.get_mut(*on), left.get_mut(*on)) else { continue };
                *left = left.saturating_sub(1);
                if pair.fits && (!pair.any || *left == 0) {
                    pair.fits = false;
                    open.push(*on);
                }
            }
        }
    }

    /// The same misfit is told to those who read answers and to those who write requests in their own terms.
    fn words<T>(&self, answer: T, request: T) -> T {
        match self.side {
            Side::Answer => answer,
            Side::Request => request,
        }
    }

    fn of_types(&self, written: &Schema<'d>, read: &Schema<'d>) -> Option<String> {
        let known = read.types()?;
        let shown = |types: &BTreeSet<&str>| {
            let real = types.iter().filter(|name| **name != "integer" || !types.contains("number"));
            real.copied().collect::<Vec<_>>().join(" or ")
        };
        let Some(types) = written.types() else {
            let known = shown(&known);
            return Some(
                self.words(format!("may be anything, not only {known}"), format!("must be {known}")),
            );
        };
        let strange: BTreeSet<&str> = types.difference(&known).copied().collect();
        match strange.len() {
            0 => None,
            1 if strange.contains("null") => Some(self.words("may be null", "must not be null").to_owned()),
            _ => {
                let (types, known) = (shown(&types), shown(&known));
                Some(self.words(format!("is {types}, not {known}"), format!("must be {known}, not {types}")))
            }
        }
    }

    fn of_values(&self, written: &Schema<'d>, read: &Schema<'d>) -> Vec<String> {
        let mut found = Vec::new();
        let list = |values: &[&Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if let Some(known) = read.values() {
            let strange = written
                .values()
                .map(|values| values.into_iter().filter(|value| !known.contains(value)).collect::<Vec<_>>());
            match strange {
                None => {
                    let (known, other) = (list(&known), "may be another value than");
                    found.push(self.words(format!("{other} {known}"), format!("must be one of {known}")));
                }
                Some(values) if values.is_empty() => {}
                Some(values) => {
                    let values = list(&values);
                    found.push(self.words(format!("may be {values}"), format!("must not be {values}")));
                }
            }
        }
        let wider = |from: &str, to: &str| matches!((from, to), ("int32", "int64") | ("float", "double"));
        if let Some(known) = read.format()
            && !written.format().is_some_and(|format| format == known || wider(format, known))
        {
            found.push(self.words(format!("may be no {known}"), format!("must be a {known}")));
        }
        found
    }

    /// Only what a server demands: hardly any client minds the length of what it is answered.
    fn of_limits(&self, written: &Schema<'d>, read: &Schema<'d>) -> Vec<String> {
        if self.side == Side::Answer {
            return Vec::new();
        }
        let had = written.limits();
        let narrower =
            read.limits().into_iter().filter(|(key, room)| had.get(key).is_none_or(|had| had > room));
        let mut found: Vec<String> =
            narrower.map(|(key, room)| format!("is held to `{key}` {}", room.abs())).collect();
        let had = written.rules();
        let new = read.rules().into_iter().filter(|(key, rule)| had.get(key) != Some(rule));
        found.extend(new.map(|(key, _)| format!("is held to another `{key}`")));
        found
    }

    fn of_properties(&mut self, written: &Schema<'d>, read: &Schema<'d>, pair: &mut Pair) {
        let (properties, always, further) = (written.properties(), written.required(), written.further());
        let (known, wanted, allowed) = (read.properties(), read.required(), read.further());
        let hidden = self.words("writeOnly", "readOnly");
        for (name, schema) in &known {
            let own = match (properties.get(name), &further) {
                (Some(own), _) | (None, Further::Like(own)) => Some(own),
                (None, _) => None,
            };
            if schema.is(hidden) || own.is_some_and(|own| own.is(hidden)) {
                continue;
            }
            let missing = match own {
                Some(_) if wanted.contains(name) && !always.contains(name) => {
                    Some(self.words("may be missing", "is required"))
                }
                None if wanted.contains(name) => Some(self.words(self.gone, "is required")),
                None if self.side == Side::Answer => Some(self.gone),
                _ => None,
            };
            pair.own
                .extend(missing.map(|what| Misfit { property: (*name).to_owned(), what: what.to_owned() }));
            if let Some(own) = own {
                pair.rests.push(((*name).to_owned(), self.pair(own.clone(), schema.clone())));
            }
        }
        // What is written and has no name for the reader.
        for (name, schema) in properties.iter().filter(|(name, _)| !known.contains_key(*name)) {
            match &allowed {
                Further::Closed if self.side == Side::Request => {
                    pair.own.push(Misfit { property: (*name).to_owned(), what: self.gone.to_owned() });
                }
                Further::Like(like) => {
                    pair.rests.push(((*name).to_owned(), self.pair(schema.clone(), like.clone())));
                }
                Further::Closed | Further::Free => {}
            }
        }
        if let (Further::Like(schema), Further::Like(like)) = (further, allowed) {
            pair.rests.push(("{}".to_owned(), self.pair(schema, like)));
        }
    }

    fn of_items(&mut self, written: &Schema<'d>, read: &Schema<'d>, pair: &mut Pair) {
        let Some(known) = read.items() else { return };
        let items = written.items().unwrap_or_else(|| Schema::of(self.writer, None));
        pair.rests.push(("[]".to_owned(), self.pair(items, known)));
    }
}

/// The pairs that were gone through: each with the place of the one before it, and the step from there.
struct Trail<'p>(Vec<(usize, usize, &'p str)>);

impl Trail<'_> {
    /// The way to a property of the value at one place.
    fn path(&self, mut at: usize, property: &str) -> String {
        let mut steps = vec![property];
        while let Some((_, before, step)) = self.0.get(at).filter(|_| at > 0) {
            steps.push(step);
            at = *before;
        }
        let mut path = String::new();
        for step in steps.into_iter().rev().filter(|step| !step.is_empty()) {
            let dot = if path.is_empty() || step.starts_with(['[', '{']) { "" } else { "." };
            path.push_str(dot);
            path.push_str(step);
        }
        path
    }
}

//! A reader of both formats that forgives nothing, for tests.

use std::collections::{BTreeMap, BTreeSet};

use super::Format;

/// Labels in the order of their names.
type Set = BTreeMap<String, String>;

/// Every value by the name of its sample and its labels.
#[derive(Debug, Default)]
pub(super) struct Read(BTreeMap<(String, Set), f64>);

impl Read {
    /// The value of a sample that must be there, and no label more than these.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found = self.find(name, labels);
        found.unwrap_or_else(|| panic!("there is no {name} {labels:?} in {:#?}", self.0.keys()))
    }

    pub(super) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.0.get(&(name.to_owned(), labels.collect())).copied()
    }
}

struct Current {
    name: String,
    kind: String,
}

/// Reads a page, or says what is wrong with it.
pub(super) fn read(text: &str, format: Format) -> Result<Read, String> {
    let mut read = Read::default();
    let (mut families, mut help, mut family) = (BTreeSet::new(), None, None);
    let body = match format {
        Format::Text => text.strip_suffix('\n').ok_or("the last line has no end")?,
        Format::OpenMetrics => text.strip_suffix("\n# EOF\n").ok_or("there is no EOF")?,
    };
    for line in body.split('\n') {
        let wrong = |why: &str| format!("{why}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, about) = rest.split_once(' ').ok_or_else(|| wrong("a help says nothing"))?;
            if about.is_empty() || about.contains(['\\', '"']) || !is_name(name) {
                return Err(wrong("a help is malformed"));
            }
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("a type says nothing"))?;
            if help.take().as_deref() != Some(name) || !families.insert(name.to_owned()) {
                return Err(wrong("a family has no help, or is there twice"));
            }
            let total = name.ends_with("_total");
            if kind == "counter" && total != (format == Format::Text) || kind != "counter" && total {
                return Err(wrong("the name does not fit the kind"));
            }
            family = Some(Current { name: name.to_owned(), kind: kind.to_owned() });
        } else if line.starts_with('#') || line.is_empty() {
            return Err(wrong("neither metadata nor a sample"));
        } else {
            let family = family.as_ref().ok_or_else(|| wrong("a sample without a family"))?;
            let (name, labels, value) = sample(line).ok_or_else(|| wrong("a sample is malformed"))?;
            let suffix =
                name.strip_prefix(&family.name).ok_or_else(|| wrong("a sample of another family"))?;
            let fits = match (family.kind.as_str(), format) {
                ("gauge", _) | ("counter", Format::Text) => suffix.is_empty(),
                ("counter", Format::OpenMetrics) => suffix == "_total",
                ("histogram", _) => ["_bucket", "_sum", "_count"].contains(&suffix),
                _ => false,
            };
            if !fits || (suffix == "_bucket") != labels.contains_key("le") || value.is_nan() || value < 0.0 {
                return Err(wrong("a sample does not fit its kind"));
            }
            if read.0.insert((name, labels), value).is_some() {
                return Err(wrong("a sample is there twice"));
            }
        }
    }
    histograms(&read)?;
    Ok(read)
}

/// Buckets grow to the count, and there is a sum.
fn histograms(read: &Read) -> Result<(), String> {
    let mut all: BTreeMap<(String, Set), Vec<(f64, f64)>> = BTreeMap::new();
    for ((name, labels), value) in &read.0 {
        let Some(name) = name.strip_suffix("_bucket") else { continue };
        let (mut rest, end) = (labels.clone(), labels["le"].replace("+Inf", "inf"));
        rest.remove("le");
        let end = end.parse().map_err(|_| format!("the end {end} is no number"))?;
        all.entry((name.to_owned(), rest)).or_default().push((end, *value));
    }
    for ((name, labels), mut buckets) in all {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let grows = buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
        let count = read.0.get(&(format!("{name}_count"), labels.clone())).copied();
        let sum = read.0.contains_key(&(format!("{name}_sum"), labels.clone()));
        let last = buckets.last().copied().unwrap_or_default();
        if !grows || last.0 != f64::INFINITY || Some(last.1) != count || !sum {
            return Err(format!("the histogram {name} {labels:?} is not one: {buckets:?} of {count:?}"));
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn sample(line: &str) -> Option<(String, Set, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Set::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = match after.strip_prefix(',') {
                Some(after) => after,
                None => {
                    rest = after.strip_prefix('}')?;
                    break;
                }
            };
        }
    }
    let value = rest.strip_prefix(' ').filter(|value| !value.contains(' '))?;
    (is_name(name)).then_some((name.to_owned(), labels, value.parse().ok()?))
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, text.get(at + 1..)?)),
            (_, '\\') => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            (_, c) => value.push(c),
        }
    }
}

//! The whole configuration in effect, as a file: each value, whether written or default, with what it says.
//!
//! Goes through the table of keys, so nothing is left out. Tested in `check/tests.rs`: what is shown is read back
//! equal.

use std::collections::BTreeMap;

use super::check::{Checked, check};
use super::field::visit;
use super::key::{FILE, Key, Kind};
use super::problem::Problem;

/// The configuration as `tandem config show` prints it: TOML in which every default is written out and marked as such.
///
/// # Errors
/// As [`super::read`].
pub fn show(text: &str) -> Result<String, Vec<Problem>> {
    let Checked { mut spec, found } = check(text)?;
    let mut lines = BTreeMap::new();
    let drain_written = found.value("run.stop.drain").is_some();
    let lists =
        [("listen", spec.listen.len()), ("rule", spec.rules.len()), ("notify", spec.notify.len())].into();
    visit(&mut spec, &mut |path, field| {
        let written = found.value(path).is_some() || (drain_written && path.starts_with("run.stop.drain."));
        lines.insert(path.to_owned(), Line { value: field.show(), written });
    });
    let mut page = Page { lines, lists, text: String::new() };
    page.table("", "", FILE);
    Ok(page.text)
}

struct Line {
    value: Option<String>,
    written: bool,
}

struct Page {
    lines: BTreeMap<String, Line>,
    lists: BTreeMap<&'static str, usize>,
    text: String,
}

/// The column at which comments begin, where values leave room.
const COMMENTS: usize = 34;

impl Page {
    fn table(&mut self, path: &str, head: &str, keys: &[Key]) {
        let within = format!("{path}.");
        if !head.is_empty() && !self.lines.keys().any(|line| line.starts_with(&within)) {
            // To show it would be to have it.
            return;
        }
        if !head.is_empty() {
            self.text.push_str(&format!("\n{head}\n"));
        }
        let below =
            |key: &Key| if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        for key in keys.iter().filter(|key| key.inner().is_empty()) {
            self.entry(&below(key), key);
        }
        for key in keys.iter().filter(|key| !key.inner().is_empty()) {
            let path = below(key);
            if matches!(key.kind, Kind::Tables(_)) {
                for at in 0..self.lists.get(key.name).copied().unwrap_or_default() {
                    self.table(&format!("{path}[{at}]"), &format!("[[{path}]]"), key.inner());
                }
            } else {
                // A table of a list belongs to the last one above it.
                let title = path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
                self.table(&path, &format!("[{}]", title.collect::<String>()), key.inner());
            }
        }
    }

    fn entry(&mut self, path: &str, key: &Key) {
        let Some(line) = self.lines.get(path) else { return };
        let text = match &line.value {
            Some(value) => format!("{} = {value}", key.name),
            None => format!("# {} =", key.name),
        };
        let mark = if line.written { "" } else { "default. " };
        let width = text.lines().last().map_or(0, |line| line.chars().count());
        let gap = COMMENTS.saturating_sub(width).max(2);
        self.text.push_str(&format!("{text}{:gap$}# {mark}{}\n", "", key.about));
    }
}

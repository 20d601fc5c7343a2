//! A schema change as it goes: a bar on a terminal, a line for each step and now and then one of progress otherwise.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tandem_server::schema::Watch;

use crate::terminal::{CARE, DIM, GOOD, Terminal, clean};

/// Without a terminal progress is told so often.
const AGAIN: Duration = Duration::from_secs(5);

/// Shows the steps of a change.
pub(super) struct Steps<'t> {
    terminal: &'t Terminal,
    bar: Option<ProgressBar>,
    /// The step under way.
    step: String,
    told: Option<Instant>,
    /// What was last said to be waited for.
    waits: String,
}

impl<'t> Steps<'t> {
    pub(super) fn new(terminal: &'t Terminal) -> Steps<'t> {
        let bar = (terminal.progress_is_seen && !terminal.json).then(|| {
            let bar = ProgressBar::new(0);
            bar.set_style(spinning());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Steps { terminal, bar, step: String::new(), told: None, waits: String::new() }
    }

    /// Nothing more is shown.
    pub(super) fn end(&mut self, good: bool) {
        self.close(good);
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// The step under way is over.
    fn close(&mut self, good: bool) {
        if !self.step.is_empty() && good {
            self.say(&format!("{GOOD}✔{GOOD:#} {}", self.step));
        }
        self.step.clear();
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) if self.terminal.colors() => bar.println(line),
            Some(bar) => bar.println(anstream::adapter::strip_str(line).to_string()),
            None => self.terminal.say(line),
        }
    }
}

fn spinning() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn filling() -> ProgressStyle {
    let template = "{spinner} {prefix} [{bar:30}] {human_pos}/{human_len} rows, {msg}";
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// Rows per second and the time that is left.
fn pace(rate: f64, left: Option<Duration>) -> String {
    let left = left.map_or_else(String::new, |left| format!(", {} s left", left.as_secs_f64().ceil()));
    format!("{rate:.0} rows/s{left}")
}

impl Watch for Steps<'_> {
    fn step(&mut self, title: &str, index: usize, count: usize) {
        self.close(true);
        self.step = format!("{}/{count} {}", index + 1, clean(title));
        (self.told, self.waits) = (None, String::new());
        if let Some(bar) = &self.bar {
            bar.set_style(spinning());
            bar.set_message(self.step.clone());
        }
    }

    fn rows(&mut self, done: u64, total: u64, rate: f64, left: Option<Duration>) {
        let pace = pace(rate, left);
        if let Some(bar) = &self.bar {
            bar.set_style(filling());
            bar.set_prefix(self.step.clone());
            bar.set_length(total.max(done));
            bar.set_position(done);
            bar.set_message(pace);
        } else if self.told.is_none_or(|told| told.elapsed() >= AGAIN) {
            self.told = Some(Instant::now());
            self.terminal.say(format_args!(
                "  {}: {done} of about {} rows, {pace}",
                self.step,
                total.max(done)
            ));
        }
    }

    fn waiting(&mut self, why: &str) {
        let why = clean(why);
        if why != self.waits {
            self.say(&format!("  {DIM}waiting:{DIM:#} {why}"));
            self.waits = why.into_owned();
        }
    }

    fn note(&mut self, text: &str) {
        self.say(&format!("{CARE}!{CARE:#} {}", clean(text)));
    }
}

/// Carries something out while it is shown.
pub(super) fn shown<T, E>(
    terminal: &Terminal,
    work: impl FnOnce(&mut (dyn Watch + Send)) -> Result<T, E>,
) -> Result<T, E> {
    let mut steps = Steps::new(terminal);
    let result = work(&mut steps);
    steps.end(result.is_ok());
    result
}

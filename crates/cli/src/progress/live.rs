//! Progress on a terminal: a line per phase with its mark, the waits below with what is left of them.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tandem_core::base::Timestamp;
use tandem_core::workflow::Phase;
use tandem_server::api::{DeploymentStatus, Status};

use super::{painted, rough, sentences};
use crate::story::{Line, Tone};
use crate::terminal::{BAD, CARE, DIM, GOOD, STRONG};

const PHASES: [Phase; 4] = [Phase::Preparing, Phase::Shifting, Phase::Baking, Phase::Retiring];
/// So many waits are shown at once; a pool of 1000 has more.
const WAITS: usize = 4;

pub(super) struct Live {
    screen: MultiProgress,
    phases: Vec<ProgressBar>,
    waits: Vec<ProgressBar>,
    /// The phase that is shown as the present one, and whether it is on the way back.
    present: Option<(Phase, bool)>,
    colors: bool,
}

impl Live {
    pub(super) fn new(colors: bool) -> Live {
        let screen = MultiProgress::new();
        let line = |style: &ProgressStyle| {
            let bar = screen.add(ProgressBar::new_spinner());
            bar.set_style(style.clone());
            bar
        };
        let message = template("{msg}");
        let phases: Vec<ProgressBar> = PHASES.iter().map(|_| line(&message)).collect();
        let waits = (0..WAITS).map(|_| line(&message)).collect();
        let live = Live { screen, phases, waits, present: None, colors };
        for (bar, phase) in live.phases.iter().zip(PHASES) {
            live.set(bar, format!("  {DIM}{phase}{DIM:#}"));
        }
        live
    }

    fn set(&self, bar: &ProgressBar, text: String) {
        bar.set_message(self.paint(text));
    }

    fn paint(&self, text: String) -> String {
        if self.colors { text } else { anstream::adapter::strip_str(&text).to_string() }
    }

    /// Only what is not to be seen from the phases and waits scrolls by.
    pub(super) fn line(&self, line: &Line) {
        if matches!(line.tone, Tone::Bad | Tone::Care) {
            // The screen is gone or too small: then there is nobody to tell.
            let _ = self.screen.println(self.paint(painted(line)));
        }
    }

    pub(super) fn stands(&mut self, status: &Status, now: Timestamp) {
        if let Some(deployment) = &status.deployment {
            self.phase(deployment, now);
        }
        let mut waits = sentences(status, now).peekable();
        let more = status.waits.len().saturating_sub(WAITS - 1);
        for (at, bar) in self.waits.iter().enumerate() {
            let text = match waits.next() {
                Some(_) if at + 1 == WAITS && waits.peek().is_some() => format!("    and {more} more"),
                Some(wait) => format!("    {wait}"),
                None => String::new(),
            };
            self.set(bar, format!("{DIM}{text}{DIM:#}"));
        }
    }

    fn phase(&mut self, deployment: &DeploymentStatus, now: Timestamp) {
        let back = deployment.turned_back.is_some();
        let present = (deployment.phase, back);
        for (bar, phase) in self.phases.iter().zip(PHASES) {
            if phase < deployment.phase {
                bar.set_style(template("{msg}"));
                self.set(bar, format!("{GOOD}✔{GOOD:#} {}", title(phase, back)));
                bar.disable_steady_tick();
            } else if phase > deployment.phase {
                bar.set_style(template("{msg}"));
                self.set(bar, format!("  {DIM}{}{DIM:#}", title(phase, back)));
                bar.disable_steady_tick();
            } else {
                self.set(bar, self::present(deployment, now));
                if self.present != Some(present) {
                    bar.set_style(template("{spinner} {msg}"));
                    bar.enable_steady_tick(Duration::from_millis(120));
                }
            }
        }
        self.present = Some(present);
    }

    pub(super) fn end(self, good: Option<bool>) {
        for bar in &self.waits {
            bar.finish_and_clear();
        }
        for (bar, phase) in self.phases.iter().zip(PHASES) {
            bar.disable_steady_tick();
            bar.set_style(template("{msg}"));
            let reached = self.present.map(|(phase, _)| phase);
            let mark = match good {
                Some(true) => format!("{GOOD}✔{GOOD:#} {phase}"),
                Some(false) if reached == Some(phase) => format!("{BAD}✘{BAD:#} {phase}"),
                Some(false) => {
                    bar.finish_and_clear();
                    continue;
                }
                None => {
                    bar.abandon();
                    continue;
                }
            };
            bar.finish_with_message(self.paint(mark));
        }
    }
}

/// The line of the phase in which the deployment is.
fn present(deployment: &DeploymentStatus, now: Timestamp) -> String {
    let back = deployment.turned_back.is_some();
    let goal = match (&deployment.from, back) {
        (Some(from), true) => from.as_str(),
        (None, true) => "nothing",
        (_, false) => deployment.version.as_str(),
    };
    let ready = match deployment.ready {
        Some(ready) => format!("{ready}/{} ready", deployment.wanted),
        None => "readiness not known".to_owned(),
    };
    let paused = if deployment.paused { format!("  {CARE}paused{CARE:#}") } else { String::new() };
    let since = rough(now.since(deployment.phase_since));
    format!("{STRONG}{}{STRONG:#}  {goal} {ready}  {since}{paused}", title(deployment.phase, back))
}

fn title(phase: Phase, back: bool) -> String {
    if back && phase >= Phase::Shifting { format!("going back: {phase}") } else { phase.to_string() }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

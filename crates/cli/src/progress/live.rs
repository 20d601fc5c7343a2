//! Progress on a terminal: a line per phase with its mark, the waits below with what is left of them.

use indicatif::{ProgressBar, ProgressStyle};
use tandem_core::base::Timestamp;
use tandem_core::workflow::Phase;
use tandem_server::api::{DeploymentStatus, Status};

use super::{painted, sentences};
use crate::story::{Line, Tone};
use crate::terminal::{BAD, CARE, DIM, GOOD, STRONG};

const PHASES: [Phase; 4] = [Phase::Preparing, Phase::Shifting, Phase::Baking, Phase::Retiring];
/// So many waits are shown at once; a pool of 1000 has more.
const WAITS: usize = 4;

pub(super) struct Live {
    /// Draws several lines in place, and lets others scroll by above them.
    screen: ProgressBar,
    /// The phase in which the deployment was last seen.
    reached: Phase,
    colors: bool,
}

impl Live {
    pub(super) fn new(colors: bool) -> Live {
        let screen = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{msg}");
        screen.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Live { screen, reached: Phase::Preparing, colors }
    }

    fn paint(&self, text: String) -> String {
        if self.colors { text } else { anstream::adapter::strip_str(&text).to_string() }
    }

    /// Only what is not to be seen from the phases and waits scrolls by.
    pub(super) fn line(&self, line: &Line) {
        if matches!(line.tone, Tone::Bad | Tone::Care) {
            self.screen.println(self.paint(painted(line)));
        }
    }

    pub(super) fn stands(&mut self, status: &Status, now: Timestamp) {
        let mut lines = Vec::new();
        if let Some(deployment) = &status.deployment {
            self.reached = deployment.phase;
            let back = deployment.turned_back.is_some();
            lines.extend(PHASES.iter().map(|&phase| match phase.cmp(&deployment.phase) {
                std::cmp::Ordering::Less => format!("{GOOD}✔{GOOD:#} {}", title(phase, back)),
                std::cmp::Ordering::Equal => present(deployment, now),
                std::cmp::Ordering::Greater => format!("  {DIM}{}{DIM:#}", title(phase, back)),
            }));
        }
        let waits: Vec<String> = sentences(status, now).collect();
        lines.extend(waits.iter().take(WAITS).map(|wait| format!("    {DIM}{wait}{DIM:#}")));
        if waits.len() > WAITS {
            lines.push(format!("    {DIM}and {} more{DIM:#}", waits.len() - WAITS));
        }
        self.screen.set_message(self.paint(lines.join("\n")));
        self.screen.tick();
    }

    /// Leaves what was reached on the screen. `good`: all phases were gone through; None: it is not over.
    pub(super) fn end(self, good: Option<bool>) {
        let lines: Vec<String> = match good {
            Some(true) => PHASES.iter().map(|phase| format!("{GOOD}✔{GOOD:#} {phase}")).collect(),
            Some(false) => vec![format!("{BAD}✘{BAD:#} {}", self.reached)],
            None => return self.screen.abandon(),
        };
        self.screen.finish_with_message(self.paint(lines.join("\n")));
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
    let since = now.since(deployment.phase_since).rough();
    let (mark, title) = (format!("{CARE}▸{CARE:#}"), title(deployment.phase, back));
    format!("{mark} {STRONG}{title}{STRONG:#}  {goal} {ready}  {since}{paused}")
}

fn title(phase: Phase, back: bool) -> String {
    if back && phase >= Phase::Shifting { format!("going back: {phase}") } else { phase.to_string() }
}

//! Problems beside the lines of a file, where a job of GitHub or GitLab shows them.
//!
//! GitHub takes them from what a job prints, GitLab from a file of its Code Quality format, which the job names as its
//! artifact. Both say by their environment that they are there. Tested in `tests/cli`.

use std::fs;

use serde_json::{Value, json};

use crate::terminal::{Terminal, clean};

/// Where GitLab's jobs find them.
const REPORT: &str = "gl-code-quality-report.json";

/// A place, and what is wrong with it.
pub(crate) struct Annotation<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl Annotation<'_> {
    /// Shows it where somebody looks for it.
    pub(crate) fn show(&self, terminal: &Terminal) {
        let is_set = |name: &str| std::env::var(name).is_ok_and(|value| value == "true");
        if is_set("GITHUB_ACTIONS") {
            terminal.say(self.command());
        }
        if is_set("GITLAB_CI")
            && let Err(why) = self.report()
        {
            terminal.error(&format!("{REPORT} can't be written: {why}"));
        }
    }

    /// As GitHub's runner reads it.
    fn command(&self) -> String {
        let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
        let (file, line, column) = (property(&clean(self.file)), self.line, self.column);
        format!("::error file={file},line={line},col={column}::{}", escaped(&self.message))
    }

    /// Adds it to the report of the job.
    fn report(&self) -> std::io::Result<()> {
        let before = fs::read(REPORT).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut all: Vec<Value> = before.unwrap_or_default();
        let fingerprint = format!("{}:{}:{}: {}", self.file, self.line, self.column, self.message);
        if all.iter().any(|one| one["fingerprint"] == fingerprint.as_str()) {
            return Ok(());
        }
        all.push(json!({
            "description": self.message,
            "check_name": "tandem",
            "fingerprint": fingerprint,
            "severity": "blocker",
            "location": { "path": self.file, "lines": { "begin": self.line } },
        }));
        fs::write(REPORT, serde_json::to_vec_pretty(&all)?)
    }
}

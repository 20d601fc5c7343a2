//! Statements that versions use, from a file: divided by `;`, one a line, or as the server's log has them.
//!
//! Tested in place, and in `crates/cli/tests/cli/schema/refusal.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use tandem_schema::source;

use super::folder;
use super::trouble::{Remark, Trouble};

/// The statements of a file.
pub fn statements(path: &Path) -> Result<Vec<String>, Trouble> {
    let text = folder::text(path)?;
    let logged = of_log(&text);
    if !logged.is_empty() {
        return Ok(logged);
    }
    if !text.contains(';') {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
        return Ok(lines.map(str::to_owned).collect());
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let parent = path.parent().unwrap_or(Path::new(""));
    match source::split(&name, &text, 0) {
        Ok(found) => Ok(found.into_iter().map(|statement| statement.text).collect()),
        Err(error) => Err(Trouble::Sources(vec![Remark::new(
            "bad-statement",
            error.message.clone(),
            error.help.clone(),
            error.place.as_ref(),
            parent,
            Some(&text),
        )])),
    }
}

/// The statements of a server's log (`log_statement` or `log_min_duration_statement`), each once. Empty: it is none.
fn of_log(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(more) = line.strip_prefix('\t').filter(|_| goes_on) {
            if let Some(last) = found.last_mut() {
                last.push('\n');
                last.push_str(more);
            }
            continue;
        }
        let statement = line.split_once("LOG:  ").and_then(|(_, said)| logged(said));
        goes_on = statement.is_some();
        found.extend(statement.map(str::to_owned));
    }
    let mut seen = BTreeSet::new();
    found.retain(|statement| seen.insert(statement.clone()));
    found
}

/// What follows `statement:` or `execute name:`, after a duration if there is one.
fn logged(said: &str) -> Option<&str> {
    let said = match said.strip_prefix("duration: ") {
        Some(rest) => rest.split_once(" ms  ")?.1,
        None => said,
    };
    if let Some(statement) = said.strip_prefix("statement: ") {
        return Some(statement);
    }
    said.strip_prefix("execute ")?.split_once(": ").map(|(_, statement)| statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_holds_statements() {
        let log = "2026-11-29 18:00:01.123 UTC [77] app@shop LOG:  statement: SELECT 1; SELECT 2\n\
            2026-11-29 18:00:01 UTC [77] LOG:  duration: 0.041 ms  execute <unnamed>: SELECT *\n\
            \tFROM users\n\tWHERE id = $1\n\
            2026-11-29 18:00:01 UTC [77] DETAIL:  parameters: $1 = '7'\n\
            2026-11-29 18:00:02 UTC [77] LOG:  duration: 0.2 ms  bind s1: SELECT 3\n\
            2026-11-29 18:00:02 UTC [77] LOG:  checkpoint starting: time\n\
            2026-11-29 18:00:03 UTC [77] LOG:  duration: 9.1 ms  execute <unnamed>: SELECT *\n\
            \tFROM users\n\tWHERE id = $1\n";
        assert_eq!(of_log(log), ["SELECT 1; SELECT 2", "SELECT *\nFROM users\nWHERE id = $1"]);
        assert!(of_log("SELECT 'LOG:  x';\n-- LOG:  statement").is_empty());
    }
}

//! Statements that versions use, from a file: divided by `;`, or one a line.

use std::path::Path;

use tandem_schema::source;

use super::folder;
use super::trouble::{Remark, Trouble};

/// The statements of a file.
pub fn statements(path: &Path) -> Result<Vec<String>, Trouble> {
    let text = folder::text(path)?;
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

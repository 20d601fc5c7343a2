//! What a page of the guide can say to the tests.
//!
//! - A block whose fence says `file=NAME` is a file; `more` after it adds to the one that is there.
//! - In a block of `console` a line that begins with `$ ` is a command for `sh`, a `\` at its end goes on in the next line, and
//!   the lines after it are its answer, standard output and standard error together. `# exit 3` at its end says how it ends,
//!   if not with 0; `&` at its end, that it stays.
//!
//! Nobody who reads a page sees its fences, so the line before a file names it.

/// A page, as far as it is carried out.
pub(super) struct Page {
    /// It wants an empty database.
    pub(super) database: bool,
    /// In the order of the page, each with its line.
    pub(super) steps: Vec<(usize, Step)>,
}

pub(super) enum Step {
    /// Write this file.
    File { name: String, text: String, more: bool },
    /// Run this.
    Run(Run),
}

/// A command, and what is to come of it.
pub(super) struct Run {
    pub(super) line: String,
    pub(super) exit: i32,
    pub(super) answer: Vec<String>,
}

impl Page {
    pub(super) fn read(text: &str) -> Result<Page, String> {
        let mut steps = Vec::new();
        let mut before = "";
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(fence) = line.strip_prefix("```") else {
                before = if line.is_empty() { before } else { line };
                continue;
            };
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let mut words = fence.split(' ');
            if words.next() == Some("console") {
                steps.extend(console(number + 2, &block)?);
            } else if let Some(name) = words.next().and_then(|word| word.strip_prefix("file=")) {
                if !name.rsplit('/').next().is_some_and(|name| before.contains(name)) {
                    return Err(format!("line {}: nothing before it tells that this is {name}", number + 1));
                }
                let text = block.iter().map(|line| format!("{line}\n")).collect();
                let more = words.next() == Some("more");
                steps.push((number + 1, Step::File { name: name.to_owned(), text, more }));
            }
        }
        Ok(Page { database: text.contains("<!-- runs on a database -->"), steps })
    }
}

fn console(first: usize, block: &[&str]) -> Result<Vec<(usize, Step)>, String> {
    let mut runs: Vec<(usize, Run)> = Vec::new();
    for (number, line) in (first..).zip(block) {
        match (line.strip_prefix("$ "), runs.last_mut()) {
            (Some(line), _) => {
                let (line, exit) = line.split_once("# exit ").unwrap_or((line, "0"));
                let exit = exit.trim().parse().map_err(|_| format!("line {number}: no exit code: {exit}"))?;
                runs.push((number, Run { line: line.trim_end().to_owned(), exit, answer: Vec::new() }));
            }
            (None, Some((_, run))) if run.line.ends_with('\\') => run.line = format!("{}\n{line}", run.line),
            (None, Some((_, run))) => run.answer.push((*line).to_owned()),
            (None, None) => return Err(format!("line {number}: an answer without a command")),
        }
    }
    Ok(runs.into_iter().map(|(number, run)| (number, Step::Run(run))).collect())
}

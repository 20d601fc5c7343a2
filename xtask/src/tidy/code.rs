//! Rust text without what is not code: comments and literals are blanked, test modules are marked.
//!
//! A small scanner, no parser: it knows comments, strings, raw strings, character literals and lifetimes.

/// A text with comments and literals replaced by blanks, line by line as before.
pub(super) struct Code {
    blanked: String,
    test: Vec<bool>,
    /// The string literals with the line where each begins.
    pub(super) strings: Vec<(usize, String)>,
}

/// A line of code.
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    /// The line without comments and literals.
    pub(super) text: &'a str,
    /// Whether it belongs to a test module.
    pub(super) test: bool,
}

impl Code {
    pub(super) fn of(text: &str) -> Code {
        let mut scanner =
            Scanner { rest: text, line: 1, blanked: String::with_capacity(text.len()), strings: Vec::new() };
        scanner.run();
        let test = test_lines(&scanner.blanked);
        Code { blanked: scanner.blanked, test, strings: scanner.strings }
    }

    /// All lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.blanked.lines().enumerate().map(|(index, text)| Line {
            number: index + 1,
            text,
            test: self.test.get(index).copied().unwrap_or(false),
        })
    }

    /// Whether the line with this number, from 1, belongs to a test module.
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.test.get(line.saturating_sub(1)).copied().unwrap_or(false)
    }
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    blanked: String,
    strings: Vec<(usize, String)>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(next) = self.rest.chars().next() {
            let before = self.blanked.chars().last();
            let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.blank(end);
            } else if self.rest.starts_with("/*") {
                let end = block_comment(self.rest);
                self.blank(end);
            } else if next == '"' {
                let end = string_end(self.rest);
                self.literal(end);
            } else if let Some(end) = raw_string(self.rest).filter(|_| !in_word) {
                self.literal(end);
            } else if let Some(end) = character(self.rest) {
                self.blank(end);
            } else {
                self.keep(next);
            }
        }
    }

    fn keep(&mut self, character: char) {
        if character == '\n' {
            self.line += 1;
        }
        self.blanked.push(character);
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or("");
    }

    fn literal(&mut self, length: usize) {
        self.strings.push((self.line, self.rest.get(..length).unwrap_or(self.rest).to_owned()));
        self.blank(length);
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        for character in gone.chars() {
            let kept = if character == '\n' { '\n' } else { ' ' };
            self.line += usize::from(character == '\n');
            self.blanked.push(kept);
        }
        self.rest = rest;
    }
}

/// The length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of the string literal at the start, quotes included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string (`r"…"`, `br#"…"#`) at the start, if there is one.
fn raw_string(text: &str) -> Option<usize> {
    let after =
        text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|&b| b == b'#').count();
    let body = after.get(hashes..)?.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(text.len() - body.len() + end)
}

/// The length of the character literal at the start, if it is one and not a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        let close = inside.char_indices().skip(2).find(|(_, c)| *c == '\'')?.0;
        return Some(close + 2);
    }
    inside.get(first.len_utf8()..)?.starts_with('\'').then(|| first.len_utf8() + 2)
}

/// Which lines stand in an item under `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = Vec::new();
    let mut inside = false;
    let mut depth = 0_i64;
    for line in code.lines() {
        if !inside && line.trim_start().starts_with("#[cfg(test)]") {
            (inside, depth) = (true, 0);
        }
        marks.push(inside);
        if inside {
            let opened = line.matches('{').count() as i64;
            depth += opened - line.matches('}').count() as i64;
            let ended = line.contains('}') || line.trim_end().ends_with(';');
            inside = !(ended && depth == 0);
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text = "let a = \"unsafe \\\" x\"; // unsafe\n/* unsafe /* in */ unsafe */ let b = 'u';\nlet c: &'a str = r#\"unsafe\"#;\nfn d() {}";
        let code = Code::of(text);
        let all: Vec<&str> = code.lines().map(|line| line.text).collect();
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|line| !line.contains("unsafe")), "{all:?}");
        assert!(all.get(1).is_some_and(|line| line.contains("let b =")));
        assert!(all.get(2).is_some_and(|line| line.contains("&'a str")));
        assert_eq!(code.strings.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn test_modules_are_marked_to_their_last_brace() {
        let code = Code::of(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {\n  }\n}\nfn c() {}\n#[cfg(test)]\nmod tests;\nfn d() {}",
        );
        let marks: Vec<bool> = code.lines().map(|line| line.test).collect();
        assert_eq!(marks, [false, true, true, true, true, true, false, true, true, false]);
    }
}

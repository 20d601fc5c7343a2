//! Command lines, as other files write them, and as Tandem takes them: without a shell, with the port in `$PORT`.

/// A line that is meant for a shell.
pub(super) fn of_line(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let for_a_shell = |c| matches!(c, '&' | '|' | ';' | '<' | '>' | '"' | '\'' | '`' | '*' | '(' | '\\');
    let only_port = line.replace("${PORT}", "").replace("$PORT", "");
    if line.is_empty() {
        return None;
    }
    Some(if line.contains(for_a_shell) || only_port.contains('$') {
        let exec = if line.contains(['&', '|', ';']) || line.starts_with("exec ") { "" } else { "exec " };
        vec!["sh".to_owned(), "-c".to_owned(), format!("{exec}{line}")]
    } else {
        words(line)
    })
}

pub(super) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The same with `$PORT` where this port stands.
pub(super) fn on_any_port(command: Vec<String>, port: &str) -> Vec<String> {
    let replaced = |word: String| match word.strip_suffix(port) {
        Some("") => "$PORT".to_owned(),
        Some(before) if before.ends_with([':', '=', ' ', 'p']) => format!("{before}$PORT"),
        _ => word,
    };
    command.into_iter().map(replaced).collect()
}

/// The path in a command that checks health by a URL, as curl and wget have it.
pub(super) fn path_asked(command: &str) -> Option<String> {
    let (_, url) = command.split_once("http://")?;
    let url = url.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ']' | ',')).next()?;
    let path = url.find('/').and_then(|at| url.get(at..)).unwrap_or("/");
    Some(path.to_owned())
}

#[test]
fn commands_are_read_as_they_are_meant() {
    let line = |line: &str| of_line(line).unwrap().join("|");
    assert_eq!(line("puma -p ${PORT}"), "puma|-p|${PORT}");
    assert_eq!(line("a \"b c\" -p $PORT"), "sh|-c|exec a \"b c\" -p $PORT");
    assert_eq!(line("cd a && b"), "sh|-c|cd a && b");
    assert_eq!(of_line("  "), None);
    let any = |line: &str| on_any_port(words(line), "3000").join(" ");
    assert_eq!(
        any("a -p 3000 --bind=0.0.0.0:3000 --x=13000 -p3000"),
        "a -p $PORT --bind=0.0.0.0:$PORT --x=13000 -p$PORT"
    );
    assert_eq!(path_asked("curl -f http://localhost:3000/up || exit 1").as_deref(), Some("/up"));
    assert_eq!(path_asked("wget http://127.0.0.1").as_deref(), Some("/"));
    assert_eq!(path_asked("pg_isready"), None);
}

//! Node.js: Next.js, and what `package.json` starts.

use serde_json::Value;

use super::command;
use super::finding::Finding;
use super::folder::Folder;

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    let package = folder.json("package.json")?;
    let has = |name: &str| package.pointer("/dependencies").is_some_and(|all| all.get(name).is_some());
    let start = package.pointer("/scripts/start").and_then(Value::as_str);
    let main = package.get("main").and_then(Value::as_str);
    let mut finding = if has("next") {
        let next = ["node_modules/.bin/next", "start", "-H", "127.0.0.1", "-p", "$PORT"];
        Finding::of("package.json (Next.js)")
            .command(&next)
            .remark("set deploymentId in next.config to the version, and pages are answered by the version that made them")
    } else if let Some(words) = start.and_then(plain) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Finding::of("package.json, its script `start` without npm, which would not pass signals on")
            .command(&words)
    } else if start.is_some() {
        Finding::of("package.json, its script `start`")
            .command(&["npm", "start"])
            .remark("npm does not pass signals on: name the program itself, and stopping takes no time")
    } else {
        Finding::of("package.json, its `main`").command(&["node", main?])
    };
    finding = finding.set("NODE_ENV", "production");
    if has("knex") {
        finding = finding.migrate(&["node_modules/.bin/knex", "migrate:latest"]);
    }
    Some(finding)
}

/// `node server.js` and the like, where no shell is needed.
fn plain(start: &str) -> Option<Vec<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '=');
    let words = command::words(start);
    let is_plain = words.first().is_some_and(|first| first == "node");
    (is_plain && words.iter().all(|word| word.chars().all(plain))).then_some(words)
}

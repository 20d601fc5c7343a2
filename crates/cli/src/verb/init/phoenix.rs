//! Phoenix, as a release.

use super::finding::Finding;
use super::folder::Folder;

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    let mix = folder.text("mix.exs").filter(|mix| mix.contains(":phoenix"))?;
    let app = mix.split("app: :").nth(1)?;
    let app: String = app.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let mut finding = Finding::of("mix.exs (Phoenix)")
        .command(&[&format!("bin/{app}"), "start"])
        .set("PHX_SERVER", "true")
        .secret("SECRET_KEY_BASE")
        .remark("the deliverable is a release (mix release)");
    if folder.has("priv/repo/migrations") {
        let name: String = app.split('_').map(capitalized).collect();
        finding = finding.migrate(&[&format!("bin/{app}"), "eval", &format!("{name}.Release.migrate")]);
    }
    Some(finding)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

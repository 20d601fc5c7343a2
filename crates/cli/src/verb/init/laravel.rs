//! Laravel.

use super::finding::Finding;
use super::folder::Folder;

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    folder.text("artisan")?;
    let composer = folder.text("composer.json").unwrap_or_default();
    let octane = ["php", "artisan", "octane:start", "--host=127.0.0.1", "--port=$PORT"];
    let serve = ["php", "artisan", "serve", "--host=127.0.0.1", "--port=$PORT"];
    let mut finding = Finding::of("artisan (Laravel)").set("APP_ENV", "production").secret("APP_KEY");
    finding = if composer.contains("laravel/octane") {
        finding.command(&octane)
    } else {
        finding.command(&serve).remark("this is PHP's own server; Octane takes more")
    };
    if folder.text("bootstrap/app.php").is_some_and(|app| app.contains("health: '/up'")) {
        finding = finding.ready("/up");
    }
    if folder.has("database/migrations") {
        finding = finding.migrate(&["php", "artisan", "migrate", "--force"]);
    }
    Some(finding)
}

//! Rails, and what else speaks Rack.

use super::finding::Finding;
use super::folder::Folder;

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    let gems = folder.text("Gemfile")?;
    let has = |gem: &str| gems.contains(&format!("\"{gem}\"")) || gems.contains(&format!("'{gem}'"));
    let puma = ["bundle", "exec", "puma", "-b", "tcp://127.0.0.1:$PORT"];
    if !has("rails") {
        return folder.has("config.ru").then(|| Finding::of("Gemfile and config.ru (Rack)").command(&puma));
    }
    let mut finding = Finding::of("Gemfile (Rails)")
        .command(&puma)
        .set("RAILS_ENV", "production")
        .set("RAILS_SERVE_STATIC_FILES", "1")
        .remark("with force_ssl or config.hosts, exclude the health check's path");
    let secret =
        if folder.has("config/credentials.yml.enc") { "RAILS_MASTER_KEY" } else { "SECRET_KEY_BASE" };
    finding = finding.secret(secret);
    if folder.text("config/routes.rb").is_some_and(|routes| routes.contains("rails/health#show")) {
        finding = finding.ready("/up");
    }
    if folder.has("db/migrate") {
        finding = finding
            .migrate(&["bin/rails", "db:migrate"])
            .remark("put db/schema_cache.yml (bin/rails db:schema:cache:dump) into the deliverable");
    }
    Some(finding)
}

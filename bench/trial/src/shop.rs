//! The example shop as a team would hand it over, and the config with which it is run.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The shop's migrations, in their order. The first release knows the first one.
pub(crate) const MIGRATIONS: [&str; 2] = ["0001_orders.sql", "0002_names.sql"];

/// Makes deliverables of the shop and its config in a folder.
pub struct Shop {
    program: PathBuf,
    releases: PathBuf,
    migrations: PathBuf,
    folder: PathBuf,
}

/// How the shop is run. The times are short, so that trials are.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What it is called.
    pub service: &'static str,
    /// Where requests arrive.
    pub address: SocketAddr,
    /// How many instances.
    pub instances: u32,
    /// `deploy.strategy`
    pub strategy: &'static str,
    /// `deploy.bake`
    pub bake: &'static str,
    /// `deploy.flip.warm`
    pub warm: &'static str,
    /// `run.stop.drain`
    pub drain: &'static str,
    /// More environment for the instances: `, NAME = "value"`.
    pub env: String,
    /// More lines for the config, at its end.
    pub more: String,
}

impl Setup {
    /// Four instances, one second to bake, one to keep warm; what lasts is cut after five.
    pub fn new(address: SocketAddr) -> Setup {
        let drain = r#"{ requests = "30s", uploads = "60s", streams = "5s", websockets = "5s" }"#;
        Setup {
            service: "shop",
            address,
            instances: 4,
            strategy: "rolling",
            bake: "1s",
            warm: "1s",
            drain,
            env: String::new(),
            more: String::new(),
        }
    }
}

impl Shop {
    /// The shop of this repository (`root`), built as `program`, for trials in `folder`.
    pub fn new(root: &Path, program: &Path, folder: &Path) -> Shop {
        let releases = root.join("examples/shop/releases");
        let migrations = root.join("examples/shop/migrations");
        Shop { program: program.to_owned(), releases, migrations, folder: folder.to_owned() }
    }

    /// Where the shop writes its orders.
    pub fn orders(&self) -> PathBuf {
        self.folder.join("data/orders.jsonl")
    }

    /// Writes `tandem.toml`.
    ///
    /// # Errors
    /// It can't be written.
    pub fn configure(&self, setup: &Setup) -> Result<(), String> {
        let text = format!(
            r#"service = "{}"

[run]
command   = ["bin/shop"]
instances = {}
env       = {{ SHOP_DATA = "{}"{} }}
ready     = {{ http = "/up", within = "20s" }}
stop      = {{ drain = {}, grace = "10s" }}

[[listen]]
address = "{}"

[deploy]
strategy = "{}"
bake = "{}"

[deploy.flip]
warm = "{}"
{}"#,
            setup.service,
            setup.instances,
            self.folder.join("data").display(),
            setup.env,
            setup.drain,
            setup.address,
            setup.strategy,
            setup.bake,
            setup.warm,
            setup.more
        );
        let file = self.folder.join("tandem.toml");
        fs::write(&file, text).map_err(|why| format!("can't write {}: {why}", file.display()))
    }

    /// A folder with the shop of `release` (`v1`, `v2` or `v3`), to be deployed as `label`; with a `fault`, it misbehaves
    /// as `examples/shop` knows to.
    ///
    /// # Errors
    /// It can't be made.
    pub fn deliverable(&self, release: &str, label: &str, fault: Option<&str>) -> Result<PathBuf, String> {
        let folder = self.folder.join("deliverables").join(label);
        let made = fs::create_dir_all(folder.join("bin"))
            .and_then(|()| fs::copy(&self.program, folder.join("bin/shop")))
            .and_then(|_| {
                fs::copy(self.releases.join(release).join("release.json"), folder.join("release.json"))
            })
            .and_then(|_| self.migrate(release, &folder.join("db/migrations")))
            .and_then(|()| fault.map_or(Ok(()), |fault| fs::write(folder.join("fault"), fault)));
        made.map_err(|why| format!("can't make {}: {why}", folder.display()))?;
        Ok(folder)
    }

    /// The migrations that a release knows: the first one has only the first.
    fn migrate(&self, release: &str, folder: &Path) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let known = if release == "v1" { 1 } else { MIGRATIONS.len() };
        for name in MIGRATIONS.iter().take(known) {
            fs::copy(self.migrations.join(name), folder.join(name))?;
        }
        Ok(())
    }
}

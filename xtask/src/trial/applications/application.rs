//! The applications: where they come from, how each is run, and what a version of it is.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::machine;
use crate::trial::write;

/// An application from PyPI.
pub(super) struct Application {
    /// Its name there.
    pub(super) name: &'static str,
    /// Two published versions, the older first.
    pub(super) versions: [&'static str; 2],
    /// What it needs beside itself.
    beside: &'static [&'static str],
    /// A script that serves on `PORT` with the tables at `DATABASE_URL`; `$BIN` is the folder of its programs.
    serve: &'static str,
    /// A Python script that makes or upgrades the tables at `DATABASE_URL`.
    migrate: &'static str,
    /// An address that answers when it is ready.
    ready: &'static str,
    /// The load: see the head of `mlflow_load.py`.
    pub(super) load: &'static str,
}

pub(super) const APPLICATIONS: &[Application] = &[Application {
    name: "mlflow",
    versions: ["2.9.2", "2.22.1"],
    // What was current when they were published.
    beside: &["sqlalchemy<2.1", "setuptools<80", "psycopg2-binary"],
    serve: r#"exec "$BIN/mlflow" server --host 127.0.0.1 --port "$PORT" --workers 2 \
    --backend-store-uri "$DATABASE_URL" --default-artifact-root s3://nowhere"#,
    migrate: include_str!("mlflow_migrate.py"),
    ready: "/health",
    load: include_str!("mlflow_load.py"),
}];

impl Application {
    /// Installs both versions, each in a folder of its own, where they are not there yet.
    pub(super) fn install(&self, home: &Path) -> Result<(), String> {
        machine::ensure(&[("virtualenv", "virtualenv")])?;
        for at in [0, 1] {
            let place = self.place(home, at);
            let whole = place.join("whole");
            if whole.exists() {
                continue;
            }
            println!("   installing {} {}", self.name, self.versions[at]);
            machine::run(Command::new("virtualenv").arg("--quiet").arg(&place))?;
            let mut pip = Command::new(place.join("bin/pip"));
            pip.args(["install", "--quiet"]).arg(format!("{}=={}", self.name, self.versions[at]));
            machine::run(pip.args(self.beside))?;
            write(&whole, "")?;
        }
        Ok(())
    }

    fn place(&self, home: &Path, at: usize) -> PathBuf {
        home.join(format!("{}-{}", self.name, self.versions[at]))
    }

    /// Writes the config.
    pub(super) fn configure(&self, folder: &Path, address: SocketAddr, database: &str) -> Result<(), String> {
        let text = format!(
            r#"service = "{}"

[run]
command   = ["sh", "serve.sh"]
instances = 2
ready     = {{ http = "{}", within = "3m", timeout = "20s" }}

[[listen]]
address = "{address}"

[database]
url     = "{database}"
migrate = ["sh", "migrate.sh"]
keep    = "20s"
"#,
            self.name, self.ready
        );
        write(&folder.join("tandem.toml"), &text)
    }

    /// One of the two versions.
    pub(super) fn deliverable(&self, folder: &Path, home: &Path, at: usize) -> Result<String, String> {
        let made = folder.join("deliverables").join(self.versions[at]);
        fs::create_dir_all(&made).map_err(|why| format!("can't make {}: {why}", made.display()))?;
        let programs = self.place(home, at).join("bin");
        write(&made.join("serve.sh"), &format!("BIN='{}'\n{}\n", programs.display(), self.serve))?;
        write(
            &made.join("migrate.sh"),
            &format!("exec '{}' migrate.py\n", programs.join("python").display()),
        )?;
        write(&made.join("migrate.py"), self.migrate)?;
        Ok(made.to_string_lossy().into_owned())
    }

    /// Makes the tables of the newer version as the application itself does: those of the older first.
    pub(super) fn migrate(&self, home: &Path, database: &str) -> Result<(), String> {
        for at in [0, 1] {
            let mut python = Command::new(self.place(home, at).join("bin/python"));
            python.args(["-c", self.migrate]).env("DATABASE_URL", database);
            machine::run(python.stdout(Stdio::null()).stderr(Stdio::null()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configs_are_good() {
        for application in APPLICATIONS {
            let folder = tempfile::tempdir().expect("a folder");
            let address = SocketAddr::from(([127, 0, 0, 1], 18_000));
            application.configure(folder.path(), address, "postgres://app@127.0.0.1/app").expect("written");
            let text = fs::read_to_string(folder.path().join("tandem.toml")).expect("there");
            let problems = tandem_core::spec::read(&text).err();
            assert!(problems.is_none(), "{}: {problems:?}", application.name);
        }
    }
}

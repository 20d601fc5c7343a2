//! What the migrations of a deliverable are, and a deliverable unpacked for as long as somebody looks at them.
//!
//! Tested end to end in `crates/cli/tests/e2e/command.rs`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tandem_core::base::VersionLabel;
use tandem_core::spec::DatabaseSpec;
use tandem_drivers::process::ProcessDriver;
use tandem_drivers::process::keeper::KeeperCommand;
use tandem_drivers::{Driver, DriverError, RunCommand};
use tempfile::TempDir;

use super::examination::Examined;
use super::recorded::MigrationCommand;
use super::trouble::Trouble;
use super::{Name, Site};

/// What a deliverable's migrations are.
pub enum Source {
    /// SQL files in this folder.
    Folder(String),
    /// Whatever this command does.
    Command(Command),
}

/// A framework's own command.
pub struct Command {
    /// Program and arguments.
    words: Vec<String>,
    /// The file in the deliverable with what is to be said beside it.
    texts: Option<String>,
    /// The environment of instances, and the variable in which it finds the URL.
    env: BTreeMap<String, String>,
    variable: String,
    /// How long it may take.
    within: Duration,
}

impl Source {
    /// As the configuration says; `env` is the environment of instances.
    pub fn of(spec: &DatabaseSpec, env: &BTreeMap<String, String>) -> Source {
        match &spec.migrate {
            None => Source::Folder(spec.migrations.clone()),
            Some(words) => Source::Command(Command {
                words: words.clone(),
                texts: spec.texts.clone(),
                env: env.clone(),
                variable: spec.variable.clone(),
                within: spec.within.to_std(),
            }),
        }
    }

    /// What a version that is prepared asks of a database. `known` is the revision that the same deliverable was found to be
    /// written for before.
    pub(crate) fn examine(
        &self,
        site: &Site,
        driver: &dyn Driver,
        version: &VersionLabel,
        known: Option<&str>,
    ) -> Result<Examined, Trouble> {
        match self {
            Source::Folder(path) => match driver.folder(version, path).map_err(unusable)? {
                Some(migrations) => Site { migrations, ..site.clone() }.examine(),
                // It knows nothing of migrations: it is for the schema that is there.
                None => Ok(Examined::There(site.revision()?)),
            },
            Source::Command(command) => {
                let run = |url: &str| command.run(driver, version, url);
                let texts = command.texts(driver, version)?;
                let command = MigrationCommand { words: command.words.join(" "), texts, run: &run };
                site.examine_command(&command, known)
            }
        }
    }
}

impl Command {
    fn run(&self, driver: &dyn Driver, version: &VersionLabel, url: &str) -> Result<(), String> {
        let mut env = self.env.clone();
        env.insert(self.variable.clone(), url.to_owned());
        let (words, within) = (self.words.clone(), self.within);
        let run = RunCommand { version: version.clone(), words, env, within };
        driver.run(&run).map_err(|error| error.to_string())
    }

    /// What the team wrote beside its command.
    fn texts(&self, driver: &dyn Driver, version: &VersionLabel) -> Result<String, Trouble> {
        let Some(path) = &self.texts else { return Ok(String::new()) };
        match driver.file_of(version, path, LONGEST).map_err(unusable)? {
            None => Ok(String::new()),
            Some(bytes) => {
                String::from_utf8(bytes).map_err(|_| Trouble::Unusable(format!("{path} is not UTF-8 text")))
            }
        }
    }
}

/// Texts beside a command are not longer.
const LONGEST: u64 = 16 << 20;

/// The tables that a configuration names: at home, where it names no other schema.
pub fn tables(names: &[String], home: &str) -> Vec<Name> {
    let table = |name: &String| match name.split_once('.') {
        Some((schema, table)) => Name::new(schema, table),
        None => Name::new(home, name),
    };
    names.iter().map(table).collect()
}

/// A deliverable that was made ready to run in a folder of its own, which goes with it.
pub struct Unpacked {
    driver: ProcessDriver,
    version: VersionLabel,
    _folder: TempDir,
}

impl Unpacked {
    /// Unpacks a folder or an archive, as a deployment would.
    pub fn of(deliverable: &Path) -> Result<Unpacked, Trouble> {
        let no_folder = |error: io::Error| Trouble::Unusable(format!("no folder to unpack it in: {error}"));
        let folder = tempfile::Builder::new().prefix("tandem-plan-").tempdir().map_err(no_folder)?;
        let driver = ProcessDriver::open(folder.path(), KeeperCommand::this_program()).map_err(unusable)?;
        let version: VersionLabel = "plan".parse().map_err(|error| Trouble::Unusable(format!("{error}")))?;
        driver.prepare(&version, deliverable).map_err(unusable)?;
        Ok(Unpacked { driver, version, _folder: folder })
    }

    /// A folder of it, if it has that.
    pub fn folder(&self, path: &str) -> Result<Option<PathBuf>, Trouble> {
        self.driver.folder(&self.version, path).map_err(unusable)
    }

    /// What its migrations ask of a database. Changes nothing there.
    pub fn examine(&self, site: &Site, source: &Source) -> Result<Examined, Trouble> {
        source.examine(site, &self.driver, &self.version, None)
    }
}

impl Drop for Unpacked {
    /// What is read-only goes only so.
    fn drop(&mut self) {
        if let Err(error) = self.driver.discard(&self.version) {
            tracing::debug!(%error, "a deliverable that was unpacked to be looked at stays");
        }
    }
}

fn unusable(error: DriverError) -> Trouble {
    Trouble::Unusable(error.to_string())
}

//! What a file says of the service, whatever file it is.

use std::collections::BTreeMap;

/// What was found in one file, or in several that belong together.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Which file, and what kind of service it tells of.
    pub(super) of: String,
    /// Program and arguments.
    pub(super) command: Option<Vec<String>>,
    /// The path of the health check.
    pub(super) ready: Option<String>,
    pub(super) instances: Option<u64>,
    /// Where clients come to.
    pub(super) port: Option<u64>,
    pub(super) hosts: Vec<String>,
    /// Clients speak https.
    pub(super) encrypted: bool,
    /// Names, and what they are set to; `env:NAME`: by the environment of `tandem up`.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) migrations: Option<Migrations>,
    /// What somebody should know, and nothing here can say.
    pub(super) remarks: Vec<String>,
}

/// How the database gets its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Migrations {
    /// SQL files in this folder.
    Folder(String),
    /// A command of the framework.
    Command(Vec<String>),
}

impl Finding {
    pub(super) fn of(what: impl Into<String>) -> Finding {
        Finding { of: what.into(), ..Finding::default() }
    }

    pub(super) fn command(mut self, words: &[&str]) -> Finding {
        self.command = Some(words.iter().map(|word| (*word).to_owned()).collect());
        self
    }

    pub(super) fn migrate(mut self, words: &[&str]) -> Finding {
        self.migrations = Some(Migrations::Command(words.iter().map(|word| (*word).to_owned()).collect()));
        self
    }

    pub(super) fn set(mut self, name: &str, value: &str) -> Finding {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable that holds a secret, or what only the machine knows.
    pub(super) fn secret(self, name: &str) -> Finding {
        self.set(name, &format!("env:{name}"))
    }

    pub(super) fn ready(mut self, path: &str) -> Finding {
        self.ready = Some(path.to_owned());
        self
    }

    pub(super) fn remark(mut self, text: impl Into<String>) -> Finding {
        self.remarks.push(text.into());
        self
    }
}

//! The database whose schema goes along with the versions: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Wrong, reference};
use super::vocabulary::words;
use crate::base::Millis;

/// The database whose schema is changed, and where its migrations are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSpec {
    /// The URL of the role that owns the tables, or `env:NAME`. None: deployments carry no schema.
    pub url: Option<String>,
    /// The URL with which instances connect, or `env:NAME`. None: that of the owner.
    pub app_url: Option<String>,
    /// The variable in which an instance finds the URL of its own revision.
    pub variable: String,
    /// The folder of migrations: in a deliverable, or beside the configuration.
    pub migrations: String,
    /// The framework's own command, where migrations are no SQL files. None: they are.
    pub migrate: Option<Vec<String>>,
    /// A file in the deliverable with `-- @up` and `-- @down` for what the command does.
    pub texts: Option<String>,
    /// Small tables whose rows the command looks at, with a schema or without.
    #[serde(default)]
    pub rows: Vec<String>,
    /// How long the command may take.
    pub within: Millis,
    /// The schema where the tables live.
    pub home: String,
    /// How instances write the names of tables.
    #[serde(default)]
    pub names: Names,
    /// How an instance is told its revision.
    #[serde(default)]
    pub access: Access,
    /// Who says what instances call themselves at the server.
    #[serde(default)]
    pub application_name: Naming,
    /// How many bytes of write-ahead log the server may write in a second while rows are filled. 0: no limit.
    #[serde(default)]
    pub wal: u64,
    /// Another server for scratch copies, or `env:NAME`. None: the same server.
    pub scratch_url: Option<String>,
    /// How long after a deployment the old revision is kept, so that going back is possible.
    pub keep: Millis,
}

impl Default for DatabaseSpec {
    fn default() -> Self {
        DatabaseSpec {
            url: None,
            app_url: None,
            variable: "DATABASE_URL".to_owned(),
            migrations: "db/migrations".to_owned(),
            migrate: None,
            texts: None,
            rows: Vec::new(),
            within: Millis::from_secs(600),
            home: "public".to_owned(),
            names: Names::Bare,
            access: Access::Url,
            application_name: Naming::Url,
            wal: 0,
            scratch_url: None,
            keep: Millis::from_secs(600),
        }
    }
}

/// How clients of a database write the names of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// Without a schema, found by `search_path`.
    #[default]
    Bare,
    /// With the schema that a setting of the client's says, as Prisma does.
    Qualified,
}

words!(Names: Bare = "bare", Qualified = "qualified");

/// How an instance is told which revision is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// By its URL, which says where names are found.
    #[default]
    Url,
    /// By a role of the revision's own, of which the server knows where its names are found: poolers that share sessions
    /// forget what a URL says.
    Role,
}

words!(Access: Url = "url", Role = "role");

/// Who says what the sessions of instances are called at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// The URL that an instance is given: its sessions are known by their name.
    #[default]
    Url,
    /// The app itself: the name tells nothing of the revision.
    Own,
}

words!(Naming: Url = "url", Own = "own");

/// A PostgreSQL URL, or the variable that holds it. What a wrong one says is not shown: it may hold a password.
pub(super) fn url(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if let Some(reference) = reference(text, "env:DATABASE_URL") {
        return reference;
    }
    if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err(Wrong::new(
            "is not the URL of a PostgreSQL database",
            "write \"env:DATABASE_URL\", or for example \"postgres://owner@127.0.0.1:5432/shop\"",
        ));
    }
    match text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) => Err(Wrong::new(format!("holds {c:?}"), "write such characters as %XX")),
        None => Ok(text.to_owned()),
    }
}

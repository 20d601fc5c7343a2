//! An instance that talks to the database, but not as the revision that it was started for.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, Revision, VersionLabel};
use crate::database::Session;
use crate::spec::Access;

/// So many sessions are named.
const SHOWN: usize = 3;

/// An instance of whose sessions none is of its revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stray {
    /// The instance.
    pub instance: InstanceId,
    /// What it runs.
    pub version: VersionLabel,
    /// The revision that it was started for.
    pub revision: Revision,
    /// The variable in which it was given the URL of that.
    pub variable: String,
    /// How it was told its revision.
    #[serde(default)]
    pub access: Access,
    /// Its sessions.
    pub sessions: Vec<Session>,
}

impl Stray {
    /// Who it is, for lists: without what to do.
    pub fn brief(&self) -> String {
        format!("{} does not use the database as {}", self.instance, self.revision)
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stray { instance, version, revision, variable, access, sessions } = self;
        write!(f, "{instance} of {version} uses the database, and none of its sessions is of {revision}: ")?;
        let shown: Vec<String> = sessions.iter().take(SHOWN).map(ToString::to_string).collect();
        f.write_str(&shown.join(", "))?;
        if let Some(more @ 1..) = sessions.len().checked_sub(SHOWN) {
            write!(f, " and {more} more")?;
        }
        write!(
            f,
            "; let the app connect with the URL in {variable} as it is, and drop any URL or search_path of its own"
        )?;
        match sessions.iter().find_map(|session| session.revision.as_ref()) {
            Some(other) => write!(f, " (the one in use is of {other})"),
            None if *access == Access::Role => Ok(()),
            None => f.write_str(
                " (if it does so already and only calls itself something else: application_name = \"own\" in [database])",
            ),
        }
    }
}

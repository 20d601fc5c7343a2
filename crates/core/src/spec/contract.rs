//! The contract with clients, and how its calls are counted: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::Millis;

/// What versions promise to their clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractSpec {
    /// The OpenAPI document: a file in the deliverable, or a path at which instances have it. None: there is no contract, and nothing is counted.
    pub document: Option<String>,
    /// The header field by which callers are told apart: its first word.
    pub caller: String,
    /// What was called within this time is taken to be in use.
    pub window: Millis,
    /// By service that is called: the OpenAPI document in the deliverable for which it was written.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
    /// A folder in which services tell each other what their live versions promise and need.
    #[serde(default)]
    pub shared: Option<String>,
}

impl ContractSpec {
    /// The path at which an instance is asked for the document. None: it lies in the deliverable, or there is none.
    pub fn asked(&self) -> Option<&str> {
        self.document.as_deref().filter(|document| document.starts_with('/'))
    }
}

impl Default for ContractSpec {
    fn default() -> Self {
        ContractSpec {
            document: None,
            caller: "User-Agent".to_owned(),
            window: Millis::from_secs(24 * 60 * 60),
            needs: BTreeMap::new(),
            shared: None,
        }
    }
}

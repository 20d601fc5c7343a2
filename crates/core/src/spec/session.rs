//! How clients are held to versions, and where files are whose names tell their content: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::vocabulary::words;
use crate::base::Millis;

/// How clients are held to the version that served them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Whether, and to what.
    pub pin: Pin,
    /// The name of the cookie by which clients are known again, and of the parameter of links.
    pub cookie: String,
    /// `stay`: a session without a request for so long is over.
    pub idle: Millis,
    /// `stay`: sessions hold the old version no longer than this after the switch.
    pub limit: Millis,
}

impl Default for SessionSpec {
    fn default() -> Self {
        SessionSpec {
            pin: Pin::Forward,
            cookie: "tandem".to_owned(),
            idle: Millis::from_secs(15 * 60),
            limit: Millis::from_secs(60 * 60),
        }
    }
}

/// What a client is held to while two versions serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pin {
    /// Each request goes to any version.
    None,
    /// A client that the new version served is not served by the old one again.
    Forward,
    /// The same, and after a flip a client that the old version served stays with it until its session is over.
    Stay,
}

words!(Pin: None = "none", Forward = "forward", Stay = "stay");

/// Files whose names tell their content, of which pages of other versions may still ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetSpec {
    /// From the path in the URL to the folder in the deliverable.
    pub folders: BTreeMap<String, String>,
    /// How many bytes of them are kept, of all versions together.
    pub size: u64,
    /// How long they are kept after the last version that had them was deployed.
    pub keep: Millis,
}

impl Default for AssetSpec {
    fn default() -> Self {
        AssetSpec {
            folders: BTreeMap::new(),
            size: 1024 * 1024 * 1024,
            keep: Millis::from_secs(7 * 24 * 60 * 60),
        }
    }
}

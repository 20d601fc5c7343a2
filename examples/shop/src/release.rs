//! What a release looks like: `release.json` in the folder in which the shop is started.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The looks and abilities of a release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    /// The label, for when the environment gives none.
    pub(crate) label: String,
    /// The shop's name.
    pub(crate) title: String,
    /// The line below it.
    pub(crate) tagline: String,
    /// A CSS colour.
    pub(crate) accent: String,
    /// Light letters on a dark ground.
    pub(crate) dark: bool,
    /// Whether there is a search.
    pub(crate) search: bool,
    /// Per cent off, by product.
    pub(crate) discounts: BTreeMap<u32, u32>,
    /// Which schema of the database its statements are written for.
    pub(crate) schema: Schema,
}

/// The schemas of the database, by the migration that made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Schema {
    /// One column for the customer's name.
    #[serde(rename = "0001_orders")]
    Orders,
    /// Two of them, and other names and types.
    #[serde(rename = "0002_names")]
    Names,
}

impl Release {
    /// Reads `release.json`; a shop started without one is the first release.
    pub(crate) fn read() -> Result<Release, String> {
        let text = match std::fs::read_to_string("release.json") {
            Ok(text) => text,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                include_str!("../releases/v1/release.json").to_owned()
            }
            Err(why) => return Err(format!("can't read release.json: {why}")),
        };
        serde_json::from_str(&text).map_err(|why| format!("release.json: {why}"))
    }
}

//! The name of an operation: its method and its path, whatever the parameters of the path are called.
//!
//! Tested through `document` and `template`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A method and the template of a path, such as `GET /orders/{}`. Two documents that call the parameter differently mean the
/// same operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Operation(String);

/// What is remembered of a version's contract.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Contract {
    /// Its version, as the document says (`info.version`).
    pub version: String,
    /// Its operations, in order.
    pub operations: Vec<Operation>,
}

impl Operation {
    /// The operation of a method on a path whose parameters stand in braces.
    pub fn new(method: &str, path: &str) -> Operation {
        let mut name = format!("{} ", method.to_ascii_uppercase());
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((_, after)) = after.split_once('}') else { break };
            name.push_str(before);
            name.push_str("{}");
            rest = after;
        }
        name.push_str(rest);
        Operation(name)
    }

    /// The method, in upper case.
    pub fn method(&self) -> &str {
        self.0.split_once(' ').map_or("", |(method, _)| method)
    }

    /// The template of the path.
    pub fn path(&self) -> &str {
        self.0.split_once(' ').map_or("", |(_, path)| path)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

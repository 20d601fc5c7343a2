//! Where people are answered over the network: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests/admin.rs`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::text::{self, Wrong, quoted};

/// Where people are answered over the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AdminSpec {
    /// The address. None: nobody is answered but at the Unix sockets.
    pub listen: Option<SocketAddr>,
    /// The names under which it is asked for, beside its address.
    pub hosts: Vec<String>,
    /// The file with the certificate and its chain. None: connections are not encrypted.
    pub certificate: Option<String>,
    /// The file with its key.
    pub key: Option<String>,
}

/// A name under which it is asked for.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    match text::host(text)? {
        name if name.starts_with('*') => Err(Wrong::new(
            format!("holds {}, and whoever asks must name the very host", quoted(text)),
            "name the hosts one by one",
        )),
        name => Ok(name),
    }
}

//! The database of a service: whether it answers, and whether the role may do what changes of its schema need.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tandem_core::base::{Millis, Timestamp};
use tandem_core::spec::ServiceSpec;

use super::Finding;
use crate::verb::schema;

/// Clocks may differ by this.
const APART: Millis = Millis::from_secs(5);

/// Nothing, if the service has no database.
pub(super) fn look(config: &Path, spec: &ServiceSpec) -> Vec<Finding> {
    if spec.database.url.is_none() {
        return Vec::new();
    }
    let service = &spec.service;
    let bad = |what: String, help: &str| vec![Finding::bad("database", format!("{service}: {what}"), help)];
    let site = match schema::site(config, spec.database.clone()) {
        Ok(site) => site,
        Err(failure) => return bad(failure.to_string(), "set it where `tandem up` is started, too"),
    };
    let found = match site.checkup() {
        Ok(found) => found,
        Err(trouble) => return bad(trouble.to_string(), "mend `url` in [database], or start the server"),
    };
    let mut all = vec![Finding::good(
        "database",
        format!("{service}: PostgreSQL {} answers, and knows us as {}", found.version, found.who),
    )];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let apart = now.since(found.clock).max(found.clock.since(now));
    if apart > APART {
        all.push(Finding::care(
            "clock",
            format!("{service}: the database's differs from ours by {}", apart.rough()),
            "keep both set by the network (`timedatectl set-ntp true`)",
        ));
    }
    let lacks = found.lacks.into_iter();
    all.extend(lacks.map(|lack| Finding::bad("database", format!("{service}: {}", lack.what), lack.help)));
    all
}

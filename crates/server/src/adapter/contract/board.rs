//! The board: a folder in which the services of a machine tell each other what their live versions promise and need.
//!
//! Each service has a file of its own there and writes no other. A version is told of before it is compared with those of other
//! services: of two that are deployed at once, one at least sees the other. Decides nothing. Tested in place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tandem_core::base::{ServiceName, VersionLabel};

use crate::state::write_shared_file;

/// The most that one service tells, in bytes.
const LARGEST: u64 = 256 << 20;

/// The most files that are looked at.
const FILES: usize = 1000;

/// What a version promises to its clients, and needs of the services that it calls: OpenAPI documents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Claim {
    /// None: nothing is written down.
    pub(super) document: Option<Value>,
    /// By service that is called.
    pub(super) needs: BTreeMap<ServiceName, Value>,
}

/// The claims of a service's live versions.
pub(super) type Claims = BTreeMap<VersionLabel, Claim>;

/// The board, as one service sees it.
pub(super) struct Board {
    folder: PathBuf,
    service: ServiceName,
    own: Mutex<Own>,
}

#[derive(Default)]
struct Own {
    claims: Claims,
    /// Told since the live versions were last asked for: whoever was asked may not know of them yet.
    fresh: BTreeSet<VersionLabel>,
}

impl Board {
    /// The board in a folder. What this service told there before is remembered.
    pub(super) fn open(folder: &Path, service: &ServiceName) -> Board {
        let board = Board { folder: folder.to_owned(), service: service.clone(), own: Mutex::default() };
        match board.read(service) {
            Ok(claims) => board.own().claims = claims.unwrap_or_default(),
            Err(why) => tracing::warn!("what this service told others before is lost: {why}"),
        }
        board
    }

    /// Tells of a version that is about to live.
    pub(super) fn tell(&self, version: &VersionLabel, claim: Claim) -> Result<(), String> {
        let mut own = self.own();
        own.fresh.insert(version.clone());
        own.claims.insert(version.clone(), claim);
        self.write(&own.claims)
    }

    /// Tells of these versions and no others; `claim` is asked for those that were not told of yet.
    pub(super) fn keep(
        &self,
        live: &BTreeSet<VersionLabel>,
        claim: impl Fn(&VersionLabel) -> Option<Claim>,
    ) -> Result<(), String> {
        let mut own = self.own();
        let fresh = std::mem::take(&mut own.fresh);
        let before = own.claims.len();
        own.claims.retain(|version, _| live.contains(version) || fresh.contains(version));
        let gone = own.claims.len() < before;
        let new: Vec<&VersionLabel> = live.iter().filter(|one| !own.claims.contains_key(*one)).collect();
        let new: Claims = new.into_iter().filter_map(|one| Some((one.clone(), claim(one)?))).collect();
        if !gone && new.is_empty() {
            return Ok(());
        }
        own.claims.extend(new);
        self.write(&own.claims)
    }

    /// What all other services tell.
    pub(super) fn others(&self) -> Result<BTreeMap<ServiceName, Claims>, String> {
        let unread = |error: io::Error| format!("{} can't be read: {error}", self.folder.display());
        let mut others = BTreeMap::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(others),
            entries => entries.map_err(unread)?,
        };
        for entry in entries.take(FILES) {
            let name = entry.map_err(unread)?.file_name();
            let service = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            let Some(service) = service.filter(|service| *service != self.service) else { continue };
            if let Some(claims) = self.read(&service)? {
                others.insert(service, claims);
            }
        }
        Ok(others)
    }

    fn path(&self, service: &ServiceName) -> PathBuf {
        self.folder.join(format!("{service}.json"))
    }

    fn read(&self, service: &ServiceName) -> Result<Option<Claims>, String> {
        let path = self.path(service);
        let unread = |why: String| {
            format!("{}: {why}; remove it if there is no service {service} any more", path.display())
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(error.to_string())),
        };
        let mut text = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut text).map_err(|error| unread(error.to_string()))?;
        if text.len() as u64 > LARGEST {
            return Err(unread(format!("it is larger than {LARGEST} bytes")));
        }
        serde_json::from_slice(&text).map(Some).map_err(|error| unread(error.to_string()))
    }

    fn write(&self, claims: &Claims) -> Result<(), String> {
        let untold =
            |why: String| format!("other services can't be told in {}: {why}", self.folder.display());
        fs::create_dir_all(&self.folder).map_err(|error| untold(error.to_string()))?;
        let text = serde_json::to_vec(claims).map_err(|error| untold(error.to_string()))?;
        write_shared_file(&self.path(&self.service), &text).map_err(|error| untold(error.to_string()))
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_see_the_versions_that_live() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Board::open(folder.path(), &name.parse().unwrap());
        let label = |name: &str| name.parse::<VersionLabel>().unwrap();
        let (web, orders) = (open("web"), open("orders"));
        let seen = || orders.others().unwrap().remove(&"web".parse().unwrap()).unwrap_or_default();
        let labels = || seen().into_keys().map(String::from).collect::<Vec<_>>();
        web.tell(&label("v1"), Claim::default()).unwrap();
        assert_eq!((labels(), web.others().unwrap().len()), (vec!["v1".to_owned()], 0));
        // It may be told of before anybody knows that it lives, and no longer.
        let live = |names: &[&str]| names.iter().map(|name| label(name)).collect::<BTreeSet<_>>();
        web.keep(&live(&["v0"]), |_| Some(Claim::default())).unwrap();
        assert_eq!(labels(), ["v0", "v1"]);
        web.keep(&live(&["v0"]), |_| None).unwrap();
        assert_eq!(labels(), ["v0"]);
        // Another controller goes on with what was told.
        open("web").keep(&live(&["v0", "v2"]), |_| None).unwrap();
        assert_eq!(labels(), ["v0"]);
        fs::write(folder.path().join("web.json"), "{").unwrap();
        let why = orders.others().unwrap_err();
        assert!(why.contains("web.json") && why.contains("remove it if"), "{why}");
    }
}

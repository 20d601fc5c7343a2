//! How far deliverables are from being ready to run. Follows the journal, so that each deployment's deliverable is looked
//! at anew. Must not know how they are made ready (`adapter::instances`). Tested in place.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tandem_core::base::{DeploymentId, VersionLabel};
use tandem_core::deploy::Preparation;
use tandem_core::workflow::{Event, Kind};

/// How far deliverables are from being ready to run.
///
/// A deployment brings its deliverable along. That its label is ready already does not say that the content is the
/// same, and that it failed once does not say that it fails again: each deployment's deliverable is looked at anew.
#[derive(Debug, Default)]
pub(crate) struct Preparations {
    inner: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The last deployment that brought a deliverable.
    last: DeploymentId,
    /// Its version, until its deliverable was looked at.
    expected: Option<VersionLabel>,
    /// What came, or comes, of looking.
    found: BTreeMap<VersionLabel, Preparation>,
}

impl Preparations {
    /// Follows the journal: a deployment may bring a new deliverable.
    pub(crate) fn follow(&self, event: &Event) {
        let Event::Requested(request) = event else { return };
        let mut known = self.lock();
        if request.deployment <= known.last {
            return;
        }
        known.last = request.deployment;
        // One that is being unpacked goes on; its end is recognised by its being there.
        known.found.retain(|_, found| *found == Preparation::Running);
        known.expected = (request.kind == Kind::Deploy).then(|| request.version.clone());
    }

    /// False: it is being worked on already.
    pub(crate) fn begin(&self, version: &VersionLabel) -> bool {
        let mut known = self.lock();
        if known.found.get(version) == Some(&Preparation::Running) {
            return false;
        }
        if known.expected.as_ref() == Some(version) {
            known.expected = None;
        }
        known.found.insert(version.clone(), Preparation::Running);
        true
    }

    pub(crate) fn end(&self, version: &VersionLabel, outcome: Preparation) {
        let mut known = self.lock();
        if known.expected.as_ref() == Some(version) {
            // Another deployment has brought another deliverable under this label meanwhile.
            known.found.remove(version);
        } else {
            known.found.insert(version.clone(), outcome);
        }
    }

    pub(crate) fn forget(&self, version: &VersionLabel) {
        self.lock().found.remove(version);
    }

    /// What is known, over what the driver says is ready.
    pub(crate) fn over(
        &self,
        mut ready: BTreeMap<VersionLabel, Preparation>,
    ) -> BTreeMap<VersionLabel, Preparation> {
        let known = self.lock();
        ready.extend(known.found.iter().map(|(version, found)| (version.clone(), found.clone())));
        if let Some(expected) = &known.expected
            && ready.get(expected) != Some(&Preparation::Running)
        {
            ready.remove(expected);
        }
        ready
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tandem_core::base::Digest;
    use tandem_core::spec::{FlipSpec, Strategy};
    use tandem_core::workflow::Request;

    use super::*;

    fn requested(deployment: u64, kind: Kind) -> Event {
        Event::Requested(Request {
            deployment: DeploymentId(deployment),
            kind,
            version: label(),
            source: "/x".to_owned(),
            strategy: Strategy::Flip(FlipSpec::default()),
            break_contract: false,
            queued: None,
        })
    }

    fn label() -> VersionLabel {
        "v1".parse().unwrap()
    }

    fn ready() -> BTreeMap<VersionLabel, Preparation> {
        let digest: Digest = "ab".parse().unwrap();
        BTreeMap::from([(label(), Preparation::Ready { digest, revision: None, key: None, contract: None })])
    }

    #[test]
    fn a_label_that_is_ready_is_looked_at_again_when_a_deployment_brings_it() {
        let preparations = Preparations::default();
        assert_eq!(preparations.over(ready()), ready());
        preparations.follow(&requested(1, Kind::Deploy));
        assert!(preparations.over(ready()).is_empty());
        assert!(preparations.begin(&label()));
        assert_eq!(preparations.over(ready())[&label()], Preparation::Running);
        preparations.end(&label(), Preparation::Failed("other content".to_owned()));
        assert_eq!(preparations.over(ready())[&label()], Preparation::Failed("other content".to_owned()));

        // Mended and tried again; reading the journal once more changes nothing.
        preparations.follow(&requested(2, Kind::Deploy));
        assert!(preparations.over(ready()).is_empty());
        assert!(preparations.begin(&label()));
        preparations.follow(&requested(1, Kind::Deploy));
        preparations.follow(&requested(2, Kind::Deploy));
        assert!(!preparations.begin(&label()));
        preparations.end(&label(), ready()[&label()].clone());
        assert_eq!(preparations.over(BTreeMap::new()), ready());
    }

    #[test]
    fn going_back_takes_what_is_ready() {
        let preparations = Preparations::default();
        preparations.follow(&requested(3, Kind::Rollback));
        assert_eq!(preparations.over(ready()), ready());
    }
}

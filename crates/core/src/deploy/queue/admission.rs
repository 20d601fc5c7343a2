//! What is taken into the queue, and what people may do about it.

use crate::base::{Digest, VersionLabel};
use crate::deploy::Refusal;
use crate::workflow::{Deliverable, Entry, Event, Origin, QueueStanding, State};

/// What is to be recorded for a deliverable that came by itself. Nothing: it is known already.
pub(crate) fn admit(state: &State, deliverable: &Deliverable) -> Vec<Event> {
    let queue = &state.queue;
    // Who hands over once more what was refused wants it looked at once more.
    let is_refused = |entry: &Entry| matches!(entry.standing, QueueStanding::Refused { .. });
    if queue.entry(&deliverable.digest).is_some_and(|entry| !is_refused(entry)) {
        return Vec::new();
    }
    if let Some(why) = objection(state, deliverable) {
        let (name, mark) = match &deliverable.origin {
            Origin::Folder { file, mark } => (file.clone(), Some(*mark)),
            Origin::Push => (deliverable.version.to_string(), None),
        };
        return vec![Event::Declined { name, mark, why }];
    }
    // A hotfix holds what waits, too; but what waits need not hold the hotfix.
    let overtaken = queue.entries.iter().filter(|entry| deliverable.hotfix || !entry.deliverable.hotfix);
    let arrived = Event::Arrived(deliverable.clone());
    supersede(overtaken, &deliverable.version).chain([arrived]).collect()
}

/// Why a deliverable would not be deployed by itself.
fn objection(state: &State, deliverable: &Deliverable) -> Option<String> {
    let Deliverable { digest, version, .. } = deliverable;
    if state.queue.withdrawn.contains(digest) {
        return Some(
            "the service went back from this content, and it is not tried again by itself: `tandem deploy` does it"
                .to_owned(),
        );
    }
    let known = |label: &VersionLabel| state.releases.get(label).map(|release| &release.digest);
    let current = state.current.as_ref();
    if let Some(current) = current.filter(|current| known(current) == Some(digest)) {
        return Some(format!("this content serves already, as {current}"));
    }
    let comes = state.deployment.as_ref().map(|deployment| &deployment.request.version);
    match known(version) {
        Some(other) if other == digest => Some(format!(
            "{version} was deployed before and is not again by itself: `tandem rollback --to {version}` goes back to it"
        )),
        None if comes != Some(version) => None,
        _ => Some(format!(
            "the label {version} belongs to other content: give it a name with a label of its own"
        )),
    }
}

/// Those of the entries that wait are not deployed: another version is in their place.
pub(crate) fn supersede<'a>(
    entries: impl Iterator<Item = &'a Entry> + 'a,
    by: &'a VersionLabel,
) -> impl Iterator<Item = Event> + 'a {
    let waiting = entries.filter(|entry| entry.waits());
    waiting.map(|entry| Event::Superseded { digest: entry.deliverable.digest.clone(), by: by.clone() })
}

/// What is to be recorded when somebody approves a deliverable; twice is as good as once.
pub(crate) fn approve(state: &State, digest: &Digest) -> Result<Vec<Event>, Refusal> {
    match state.queue.entry(digest) {
        Some(entry) if !entry.waits() => Err(Refusal::NotWaiting {
            version: entry.deliverable.version.clone(),
            standing: entry.standing.to_string(),
        }),
        Some(entry) if entry.approved_at.is_some() => Ok(Vec::new()),
        Some(_) => Ok(vec![Event::Approved { digest: digest.clone() }]),
        None => Err(Refusal::NotQueued(digest.clone())),
    }
}

/// What is to be recorded when somebody pauses the source.
pub(crate) fn pause(state: &State, why: &str) -> Result<Vec<Event>, Refusal> {
    match &state.queue.paused {
        Some(pause) => Err(Refusal::SourcePaused(pause.why.clone())),
        None => Ok(vec![Event::SourcePaused { why: why.to_owned() }]),
    }
}

/// What is to be recorded when somebody lets the source go on.
pub(crate) fn resume(state: &State) -> Result<Vec<Event>, Refusal> {
    match state.queue.paused {
        Some(_) => Ok(vec![Event::SourceResumed]),
        None => Err(Refusal::SourceNotPaused),
    }
}

//! The store as the engine's journal. Whatever is recorded is also told to those who listen: the feed of the admin
//! API, and the preparation of deliverables.

use std::path::Path;
use std::sync::Arc;

use tandem_core::base::{DeploymentId, ServiceName};
use tandem_core::workflow::{Event, Recorded, State};
use tandem_engine::{Journal, PortError};

use crate::feed::Feed;
use crate::message::JournalEvent;
use crate::store::{NewEvent, Store, StoreError, StoredEvent};

/// How many events are read at a time.
const PAGE: usize = 1000;

/// The journal of one service in the store.
pub(crate) struct StoreJournal {
    store: Store,
    service: ServiceName,
    /// The deployment under way after the last event that was read or written.
    active: Option<DeploymentId>,
    feed: Arc<Feed>,
}

impl StoreJournal {
    pub(crate) fn new(store: Store, service: ServiceName, feed: Arc<Feed>) -> StoreJournal {
        StoreJournal { store, service, active: None, feed }
    }

    fn read(&mut self) -> Result<Vec<Recorded>, JournalError> {
        let (mut all, mut active) = (Vec::new(), None);
        each(&self.store, |stored| {
            if stored.event.service != self.service {
                return Err(JournalError::OtherService { found: stored.event.service, seq: stored.seq });
            }
            let event = decode(stored)?;
            active = follow(active, &event.recorded.event).1;
            all.push(event.recorded.clone());
            self.feed.tell(event);
            Ok(())
        })?;
        self.active = active;
        Ok(all)
    }

    fn write(&mut self, events: &[Recorded]) -> Result<(), JournalError> {
        let mut active = self.active;
        let mut rows = Vec::with_capacity(events.len());
        for recorded in events {
            let (deployment, next) = follow(active, &recorded.event);
            active = next;
            rows.push(NewEvent {
                service: self.service.clone(),
                deployment,
                at: recorded.at,
                body: serde_json::to_string(&recorded.event).map_err(JournalError::Form)?,
            });
        }
        let last = self.store.append(&rows)?;
        self.active = active;
        let first = last + 1 - rows.len() as u64;
        for ((seq, row), recorded) in (first..).zip(rows).zip(events) {
            self.feed.tell(JournalEvent { seq, deployment: row.deployment, recorded: recorded.clone() });
        }
        Ok(())
    }
}

impl Journal for StoreJournal {
    fn load(&mut self) -> Result<Vec<Recorded>, PortError> {
        self.read().map_err(|error| PortError(error.to_string()))
    }

    fn append(&mut self, events: &[Recorded]) -> Result<(), PortError> {
        self.write(events).map_err(|error| PortError(error.to_string()))
    }
}

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("event {seq} in the journal is of the service {found}: this state folder is another service's")]
    OtherService { found: ServiceName, seq: u64 },
    #[error("event {seq} in the journal can't be read: {source}")]
    Event { seq: u64, source: serde_json::Error },
    #[error("an event can't be written as JSON: {0}")]
    Form(serde_json::Error),
}

/// What a journal amounts to, for somebody who only looks at it.
pub(crate) fn look(database: &Path) -> Result<State, String> {
    let store = Store::open(database).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    let read = each(&store, |stored| {
        all.push(decode(stored)?.recorded);
        Ok(())
    });
    read.map_err(|error| error.to_string())?;
    State::fold(&all).map_err(|error| error.to_string())
}

/// Every event of the store, in order.
fn each(
    store: &Store,
    mut take: impl FnMut(StoredEvent) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut after = 0;
    loop {
        let page = store.after(after, PAGE)?;
        let complete = page.len() < PAGE;
        for stored in page {
            after = stored.seq;
            take(stored)?;
        }
        if complete {
            return Ok(());
        }
    }
}

/// An event of the store as the admin API tells it.
pub(crate) fn decode(stored: StoredEvent) -> Result<JournalEvent, JournalError> {
    let event: Event = serde_json::from_str(&stored.event.body)
        .map_err(|source| JournalError::Event { seq: stored.seq, source })?;
    let recorded = Recorded { at: stored.event.at, event };
    Ok(JournalEvent { seq: stored.seq, deployment: stored.event.deployment, recorded })
}

/// To which deployment an event belongs, and which one is under way after it.
fn follow(active: Option<DeploymentId>, event: &Event) -> (Option<DeploymentId>, Option<DeploymentId>) {
    match event {
        Event::Requested(request) => (Some(request.deployment), Some(request.deployment)),
        Event::Finished { deployment, .. } => (Some(*deployment), None),
        _ => (active, active),
    }
}

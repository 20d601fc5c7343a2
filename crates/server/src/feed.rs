//! What was recorded, for those who listen: live, and as the history of deployments.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tandem_core::base::DeploymentId;
use tandem_core::workflow::Event;
use tokio::sync::broadcast;

use crate::message::{DeploymentRecord, JournalEvent, Who};
use crate::preparations::Preparations;

/// A listener that is more than so many events behind reads them from the store.
const BEHIND: usize = 256;

/// So many deployments are in the history; older ones only in the store.
const HISTORY: usize = 1000;

/// Told of every event, in order, each once.
#[derive(Debug)]
pub(crate) struct Feed {
    live: broadcast::Sender<Arc<JournalEvent>>,
    past: Mutex<Past>,
    preparations: Arc<Preparations>,
}

#[derive(Debug, Default)]
struct Past {
    last: u64,
    deployments: BTreeMap<DeploymentId, DeploymentRecord>,
}

impl Feed {
    pub(crate) fn new(preparations: Arc<Preparations>) -> Feed {
        Feed { live: broadcast::Sender::new(BEHIND), past: Mutex::default(), preparations }
    }

    /// Passes an event on, unless it was passed on before.
    pub(crate) fn tell(&self, event: JournalEvent) {
        let mut past = self.past();
        if event.seq <= past.last {
            return;
        }
        past.last = event.seq;
        past.take(&event);
        self.preparations.follow(&event.recorded.event);
        // Nobody listening is no error.
        let _ = self.live.send(Arc::new(event));
    }

    /// The events from now on, and the number of the last one before.
    pub(crate) fn listen(&self) -> (broadcast::Receiver<Arc<JournalEvent>>, u64) {
        let past = self.past();
        (self.live.subscribe(), past.last)
    }

    /// The deployments, the newest first.
    pub(crate) fn history(&self) -> Vec<DeploymentRecord> {
        self.past().deployments.values().rev().cloned().collect()
    }

    /// One deployment.
    pub(crate) fn deployment(&self, id: DeploymentId) -> Option<DeploymentRecord> {
        self.past().deployments.get(&id).cloned()
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    fn take(&mut self, event: &JournalEvent) {
        let at = event.recorded.at;
        match &event.recorded.event {
            Event::Requested(request) => {
                let record = DeploymentRecord {
                    id: request.deployment,
                    kind: request.kind,
                    version: request.version.clone(),
                    strategy: request.strategy.kind(),
                    who: request.queued.as_ref().map_or(Who::Somebody, |_| Who::Source),
                    requested_at: at,
                    finished_at: None,
                    turned_back: None,
                    diagnosis: None,
                    receipt: None,
                };
                self.deployments.insert(request.deployment, record);
                if self.deployments.len() > HISTORY {
                    self.deployments.pop_first();
                }
            }
            Event::TurnedBack { deployment, reason } => {
                self.change(*deployment, |record| record.turned_back = Some(reason.to_string()));
            }
            Event::Diagnosed(diagnosis) => {
                self.change(diagnosis.deployment, |record| record.diagnosis = Some(diagnosis.clone()));
            }
            Event::Finished { deployment, receipt } => self.change(*deployment, |record| {
                record.finished_at = Some(at);
                record.receipt = Some((**receipt).clone());
            }),
            _ => {}
        }
    }

    fn change(&mut self, id: DeploymentId, change: impl FnOnce(&mut DeploymentRecord)) {
        if let Some(record) = self.deployments.get_mut(&id) {
            change(record);
        }
    }
}

//! Where the admin API gets its answers: the last view, the history, the store; and where its commands go.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tandem_core::deploy::{Command, Refusal};
use tandem_core::spec;
use tandem_core::workflow::Event;
use tandem_drivers::Driver;
use tandem_engine::{EngineError, Message};
use tokio::sync::{oneshot, watch};

use crate::adapter::certificates::CertificateKeeper;
use crate::adapter::contract::ContractKeeper;
use crate::adapter::source::SourceKeeper;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::feed::Feed;
use crate::message::{ConfigInForce, Status};
use crate::notify::Notifier;
use crate::seen::Seen;
use crate::state::StateFolder;
use crate::store::Store;
use crate::wake::Wake;

/// Everything that the admin API has to do with.
pub(crate) struct Office {
    pub(crate) config: Config,
    pub(crate) feed: Arc<Feed>,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) seen: watch::Receiver<Arc<Seen>>,
    pub(crate) wake: Wake,
    pub(crate) clock: Clock,
    /// What versions promise. None: nothing that is written down.
    pub(crate) contract: Option<Arc<ContractKeeper>>,
    /// Certificates. None: nothing is encrypted.
    pub(crate) certificates: Option<Arc<CertificateKeeper>>,
    /// What comes by itself.
    pub(crate) source: Arc<SourceKeeper>,
    /// Whoever tells people. None: nobody is to be told.
    pub(crate) notifier: Option<Arc<Notifier>>,
    /// The state folder.
    pub(crate) state: StateFolder,
    /// The configuration as the team edits it.
    pub(crate) path: PathBuf,
    pub(crate) store: Mutex<Store>,
    /// Who did what.
    pub(crate) audit: Audit,
}

/// Why a command was not taken.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// It does not fit how things stand.
    Refused(Refusal),
    /// It could not be recorded.
    Failed(EngineError),
    /// The engine takes no more at the moment.
    Full,
    /// The controller ends.
    Ending,
}

impl Office {
    /// How things stood after the last pass.
    pub(crate) fn seen(&self) -> Arc<Seen> {
        self.seen.borrow().clone()
    }

    /// Tells of each pass.
    pub(crate) fn passes(&self) -> watch::Receiver<Arc<Seen>> {
        self.seen.clone()
    }

    /// How things stand.
    pub(crate) fn status(&self) -> Status {
        let seen = self.seen();
        let mut status = Status::of(&seen.view, &self.config.spec, self.clock.now());
        status.config_changed = self.config_changed();
        status.trouble = seen.trouble.clone();
        status.remarks.extend(self.source.remarks());
        status.remarks.extend(self.certificates.iter().flat_map(|keeper| keeper.remarks()));
        status.remarks.extend(self.notifier.iter().flat_map(|notifier| notifier.remarks()));
        status
    }

    /// The configuration in force.
    pub(crate) fn config_in_force(&self) -> ConfigInForce {
        ConfigInForce {
            shown: spec::show(&self.config.text).unwrap_or_else(|_| self.config.text.clone()),
            path: self.path.display().to_string(),
            changed: self.config_changed(),
        }
    }

    /// A file that can't be read at the moment has not been changed to anything.
    fn config_changed(&self) -> bool {
        fs::read(&self.path).is_ok_and(|text| text != self.config.text.as_bytes())
    }

    /// The store, for reading.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the engine take a command; answered when it is recorded.
    pub(crate) async fn command(&self, command: Command) -> Result<Vec<Event>, CommandError> {
        let (sender, answer) = oneshot::channel();
        let answer_with = Box::new(move |result| drop(sender.send(result)));
        self.wake.send(Message::Command { command, answer: answer_with }).map_err(|_| CommandError::Full)?;
        match answer.await {
            Ok(Ok(events)) => Ok(events),
            Ok(Err(EngineError::Refused(refusal))) => Err(CommandError::Refused(refusal)),
            Ok(Err(error)) => Err(CommandError::Failed(error)),
            Err(_) => Err(CommandError::Ending),
        }
    }
}

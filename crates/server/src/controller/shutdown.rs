//! How the controller ends: leaving the instances to its successor, or stopping them all because `tandem up` ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_type;
use tandem_core::fleet::RunStatus;
use tandem_core::spec::ServiceSpec;
use tandem_core::workflow::{Action, Event, Outcome, Recorded, State};
use tandem_drivers::Driver;
use tandem_engine::Journal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::STOP_ALL;
use crate::adapter::journal::StoreJournal;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::preparations::Preparations;
use crate::state::StateFolder;
use crate::store::Store;

/// What is granted beyond the grace of the configuration.
const MARGIN: Duration = Duration::from_secs(3);

/// How the controller is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The instances run on.
    Leave,
    /// The instances are stopped.
    StopAll,
    /// The engine's thread is over.
    EngineEnded,
}

/// All that can end the controller.
pub(super) struct Ends {
    terminate: Signal,
    interrupt: Signal,
    /// The supervisor, if there is one.
    line: Option<UnixStream>,
    engine: oneshot::Receiver<()>,
}

impl Ends {
    /// Catches signals, and tells the supervisor that all is ready.
    pub(super) async fn watch(engine: oneshot::Receiver<()>) -> io::Result<Ends> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let mut line = line_to_supervisor()?;
        if let Some(supervisor) = &mut line {
            // A supervisor that is gone already does not matter.
            let _ = supervisor.write_all(b"ready\n").await;
        }
        Ok(Ends { terminate, interrupt, line, engine })
    }

    /// Waits for the first of them.
    pub(super) async fn next(self) -> End {
        let Ends { mut terminate, mut interrupt, line, engine } = self;
        tokio::select! {
            _ = terminate.recv() => End::Leave,
            _ = interrupt.recv() => End::Leave,
            () = stop_all_asked(line) => End::StopAll,
            _ = engine => End::EngineEnded,
        }
    }
}

/// Our stdin, if it is the supervisor's socket and not a terminal.
fn line_to_supervisor() -> io::Result<Option<UnixStream>> {
    let stdin = io::stdin();
    if socket_type(stdin.as_fd()).is_err() {
        return Ok(None);
    }
    let line: OwnedFd = stdin.as_fd().try_clone_to_owned()?;
    let line = StdStream::from(line);
    line.set_nonblocking(true)?;
    UnixStream::from_std(line).map(Some)
}

/// Ends when the supervisor asks for it; never when there is none, or when it was killed: its successor decides.
async fn stop_all_asked(line: Option<UnixStream>) {
    if let Some(mut line) = line {
        let mut said = [0; STOP_ALL.len()];
        if line.read_exact(&mut said).await.is_ok() && said == STOP_ALL {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// What is left when the engine has stopped.
pub(crate) struct Stopped {
    pub(super) state: StateFolder,
    pub(super) spec: ServiceSpec,
    pub(super) driver: Arc<dyn Driver>,
    pub(super) clock: Clock,
}

impl Stopped {
    /// Stops every instance and waits until all have ended, at the longest for the grace. The proxy has ended before, so
    /// nothing is in flight. That they were asked is recorded: they did not die by themselves.
    pub(super) fn stop_all(&self) {
        if let Err(error) = self.record() {
            tracing::warn!("that the instances are stopped can't be recorded: {error}");
        }
        let until = Instant::now() + self.spec.run.stop.grace.to_std() + MARGIN;
        let mut asked = false;
        loop {
            let alive = match self.driver.observe() {
                Ok(seen) => seen.into_iter().filter(|(_, i)| !matches!(i.status, RunStatus::Exited(_))),
                Err(error) => {
                    tracing::error!("can't see the instances: {error}");
                    return;
                }
            };
            let alive: Vec<_> = alive.map(|(id, _)| id).collect();
            if alive.is_empty() {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!("{} instances have not ended; their keepers kill them", alive.len());
                return;
            }
            for id in alive.iter().filter(|_| !asked) {
                if let Err(error) = self.driver.stop(*id) {
                    tracing::error!("can't stop {id}: {error}");
                }
            }
            asked = true;
            self.driver.wait(left.min(Duration::from_secs(1)));
        }
    }

    fn record(&self) -> Result<(), Box<dyn std::error::Error>> {
        let store = Store::open(&self.state.database())?;
        let feed = Arc::new(Feed::new(Arc::new(Preparations::default())));
        let mut journal = StoreJournal::new(store, self.spec.service.clone(), feed);
        let mut state = State::fold(&journal.load()?)?;
        let at = self.clock.now();
        let mut events = Vec::new();
        let alive: Vec<_> =
            state.instances.iter().filter(|(_, i)| i.stage.is_alive()).map(|(id, _)| *id).collect();
        for instance in alive {
            let pair = [
                Event::Begun { action: Action::Stop { instance } },
                Event::Done { outcome: Outcome::Stopping { instance } },
            ];
            for event in pair {
                state.apply(at, &event)?;
                events.push(Recorded { at, event });
            }
        }
        journal.append(&events)?;
        Ok(())
    }
}

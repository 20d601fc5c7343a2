//! The answering side: one thread that accepts, one per connection, a bounded number of them.

use std::io::BufReader;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;
use tandem_core::base::ServiceName;
use tandem_core::spec::LogSpec;
use tandem_core::traffic::{Encryption, Table};

use super::message::{Answer, LONGEST_WATCH, Question, read, write};
use crate::handover::{self, Listeners};
use crate::instance::lock;
use crate::saved;
use crate::snapshot::{ApplyError, Shared};

/// So many connections there may be.
const MOST_CONNECTIONS: usize = 64;
/// How long a write may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom the proxy serves, and where is kept what is in force.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) services: Vec<ServiceName>,
    /// The folder of all of it.
    pub(crate) folder: PathBuf,
}

impl Places {
    /// The last table of a service.
    pub(crate) fn table(&self, service: &ServiceName) -> PathBuf {
        self.folder.join(format!("{service}.table"))
    }

    /// The last certificates of a service.
    pub(crate) fn encryption(&self, service: &ServiceName) -> PathBuf {
        self.folder.join(format!("{service}.encryption"))
    }

    /// The rules of the log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// What the server answers from.
struct Server {
    shared: Arc<Shared>,
    listeners: Listeners,
    places: Places,
    /// Held while something is put in force and written, so that the file never falls behind what is in force.
    writing: std::sync::Mutex<()>,
    connections: AtomicUsize,
}

/// Answers on the control socket for as long as the process lives.
pub(crate) fn serve(shared: Arc<Shared>, socket: &UnixListener, listeners: Listeners, places: Places) {
    let writing = std::sync::Mutex::new(());
    let server = Arc::new(Server { shared, listeners, places, writing, connections: AtomicUsize::new(0) });
    loop {
        let Ok((stream, _)) = socket.accept() else {
            // Out of descriptors, most likely: wait for some to come back.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if server.connections.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
            server.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let answering = Arc::clone(&server);
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            if let Err(error) = answering.answer(&stream) {
                tracing::debug!(%error, "a control connection ended");
            }
            answering.connections.fetch_sub(1, Ordering::Relaxed);
        });
        if thread.is_err() {
            server.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Server {
    fn answer(&self, stream: &UnixStream) -> std::io::Result<()> {
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream);
        while let Some(question) = read(&mut lines)? {
            let answer = match question {
                Question::Apply { service, table } => self.apply(&service, table),
                Question::Encrypt { service, encryption } => self.encrypt(&service, &encryption),
                Question::Log(spec) => self.log(&spec),
                Question::Watch { service, seen, at_most } => {
                    let at_most = at_most.to_std().min(LONGEST_WATCH);
                    let (change, report) = self.shared.watch(&service, seen, at_most);
                    Answer::Report { change, report }
                }
                Question::Calls => Answer::Calls(self.shared.calls()),
                Question::Metrics { service } => Answer::Metrics(Box::new(self.shared.metrics(&service))),
                Question::Listeners => {
                    handover::send(stream, &self.listeners).map_err(std::io::Error::other)?;
                    continue;
                }
                Question::Process => {
                    let services = self.places.services.clone();
                    Answer::Process { pid: std::process::id(), services }
                }
            };
            write(&mut &*stream, &answer)?;
        }
        Ok(())
    }

    fn apply(&self, service: &ServiceName, table: Table) -> Answer {
        if let Some(refusal) = self.stranger(service) {
            return refusal;
        }
        let _one_at_a_time = lock(&self.writing);
        match self.shared.apply(service, table.clone(), false) {
            Ok(generation) => {
                // The table is in force; a disk that fails costs only the next restart its head start.
                keep(&self.places.table(service), &table);
                Answer::Applied(generation)
            }
            Err(ApplyError::Fenced { current, .. }) => Answer::Fenced { current },
            Err(error @ ApplyError::Invalid { .. }) => Answer::Invalid(error.to_string()),
        }
    }

    fn encrypt(&self, service: &ServiceName, encryption: &Encryption) -> Answer {
        if let Some(refusal) = self.stranger(service) {
            return refusal;
        }
        let _one_at_a_time = lock(&self.writing);
        match self.shared.encrypt(service, encryption) {
            Ok(()) => {
                keep(&self.places.encryption(service), encryption);
                Answer::Encrypted
            }
            Err(error) => Answer::Invalid(error.to_string()),
        }
    }

    /// The answer to a service that this proxy was not started for: its controller outlived it.
    fn stranger(&self, service: &ServiceName) -> Option<Answer> {
        let known = self.places.services.contains(service);
        (!known).then(|| Answer::Invalid(format!("{service} is none of the services of this proxy")))
    }

    fn log(&self, spec: &LogSpec) -> Answer {
        let _one_at_a_time = lock(&self.writing);
        match self.shared.log.set(spec) {
            Ok(()) => {
                keep(&self.places.log(), spec);
                Answer::Logged
            }
            Err(error) => Answer::Invalid(format!("the log of requests can't be begun: {error}")),
        }
    }
}

fn keep(path: &Path, value: &impl Serialize) {
    if let Err(error) = saved::write(path, value) {
        tracing::warn!(path = %path.display(), %error, "what is in force could not be saved");
    }
}

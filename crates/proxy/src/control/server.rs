//! The answering side: one thread that accepts, one per connection, a bounded number of them.

use std::io::BufReader;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::message::{Answer, LONGEST_WATCH, Question, read, write};
use crate::handover::{self, Listeners};
use crate::instance::lock;
use crate::snapshot::{ApplyError, Shared};
use crate::table_file;

/// So many connections there may be.
const MOST_CONNECTIONS: usize = 64;
/// How long a write may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server answers from.
struct Server {
    shared: Arc<Shared>,
    listeners: Listeners,
    table: PathBuf,
    /// Held while a table is applied and written, so that the file never falls behind the table in force.
    writing: std::sync::Mutex<()>,
    connections: AtomicUsize,
}

/// Answers on the control socket for as long as the process lives.
pub(crate) fn serve(shared: Arc<Shared>, socket: &UnixListener, listeners: Listeners, table: PathBuf) {
    let writing = std::sync::Mutex::new(());
    let server = Arc::new(Server { shared, listeners, table, writing, connections: AtomicUsize::new(0) });
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
                Question::Apply(table) => self.apply(table),
                Question::Watch { seen, at_most } => {
                    let (change, report) = self.shared.watch(seen, at_most.to_std().min(LONGEST_WATCH));
                    Answer::Report { change, report }
                }
                Question::Calls => Answer::Calls(self.shared.calls()),
                Question::Listeners => {
                    handover::send(stream, &self.listeners).map_err(std::io::Error::other)?;
                    continue;
                }
                Question::Process => Answer::Process { pid: std::process::id() },
            };
            write(&mut &*stream, &answer)?;
        }
        Ok(())
    }

    fn apply(&self, table: tandem_core::traffic::Table) -> Answer {
        let _one_at_a_time = lock(&self.writing);
        match self.shared.apply(table.clone(), false) {
            Ok(generation) => {
                // The table is in force; a disk that fails costs only the next restart its head start.
                if let Err(error) = table_file::write(&self.table, &table) {
                    tracing::warn!(path = %self.table.display(), %error, "the table could not be saved");
                }
                Answer::Applied(generation)
            }
            Err(ApplyError::Fenced { current, .. }) => Answer::Fenced { current },
            Err(error @ ApplyError::Invalid { .. }) => Answer::Invalid(error.to_string()),
        }
    }
}

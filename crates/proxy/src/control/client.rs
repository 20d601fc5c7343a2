//! The asking side: blocking, with a time limit on each call.

use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tandem_core::base::{Generation, Millis, ServiceName};
use tandem_core::contract::CallReport;
use tandem_core::spec::LogSpec;
use tandem_core::traffic::metrics::Metrics;
use tandem_core::traffic::{Encryption, Table, TrafficReport};

use super::message::{Answer, LONGEST_WATCH, Question, read, write};
use crate::handover::{self, HandoverError, Listeners};

/// How long an answer may take, beyond the time that was asked to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the proxy did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It could not be reached, or did not answer in time.
    #[error("the proxy could not be asked: {0}")]
    Io(#[from] io::Error),
    /// A newer table, or another one of the same generation, is in force.
    #[error("the table was refused: {current} is in force")]
    Fenced {
        /// The generation in force.
        current: Generation,
    },
    /// The table makes no sense, or a certificate can't be used.
    #[error("{0}")]
    Invalid(String),
    /// It answered something else.
    #[error("the proxy answered something that was not asked")]
    Confused,
    /// The sockets did not arrive.
    #[error(transparent)]
    Handover(#[from] HandoverError),
}

/// A connection to a proxy.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Opens the control socket of a running proxy.
    pub fn connect(path: &Path) -> Result<Self, ControlError> {
        let stream = UnixStream::connect(path)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    fn ask(&mut self, question: &Question, patience: Duration) -> Result<Answer, ControlError> {
        self.stream.get_ref().set_read_timeout(Some(patience))?;
        write(&mut self.stream.get_ref(), question)?;
        match read(&mut self.stream)? {
            Some(answer) => Ok(answer),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// Puts a service's table in force. When this returns, no new request goes to an instance of it that does not serve in
    /// it. The table that is in force already is a success; an older one is refused.
    pub fn apply(&mut self, service: &ServiceName, table: &Table) -> Result<Generation, ControlError> {
        let question = Question::Apply { service: service.clone(), table: table.clone() };
        match self.ask(&question, PATIENCE)? {
            Answer::Applied(generation) => Ok(generation),
            Answer::Fenced { current } => Err(ControlError::Fenced { current }),
            Answer::Invalid(why) => Err(ControlError::Invalid(why)),
            _ => Err(ControlError::Confused),
        }
    }

    /// Has handshakes that begin from now on use these certificates of a service. What can't be used is refused, and those
    /// in force stay.
    pub fn encrypt(&mut self, service: &ServiceName, encryption: &Encryption) -> Result<(), ControlError> {
        let question = Question::Encrypt { service: service.clone(), encryption: encryption.clone() };
        match self.ask(&question, PATIENCE)? {
            Answer::Encrypted => Ok(()),
            Answer::Invalid(why) => Err(ControlError::Invalid(why)),
            _ => Err(ControlError::Confused),
        }
    }

    /// Has requests that end from now on written down by these rules.
    pub fn log(&mut self, spec: &LogSpec) -> Result<(), ControlError> {
        match self.ask(&Question::Log(spec.clone()), PATIENCE)? {
            Answer::Logged => Ok(()),
            Answer::Invalid(why) => Err(ControlError::Invalid(why)),
            _ => Err(ControlError::Confused),
        }
    }

    /// The report of a service and its change number: at once if the number exceeds `seen`, else when something changes (health,
    /// the last request of an instance that takes no new ones, a table), or after `at_most` (a minute at the most).
    /// Numbers begin anew with each run of the proxy: on another `run`, begin with 0 again.
    pub fn watch(
        &mut self,
        service: &ServiceName,
        seen: u64,
        at_most: Duration,
    ) -> Result<(u64, TrafficReport), ControlError> {
        let at_most = at_most.min(LONGEST_WATCH);
        let millis = Millis(at_most.as_millis() as u64);
        let question = Question::Watch { service: service.clone(), seen, at_most: millis };
        match self.ask(&question, at_most + PATIENCE)? {
            Answer::Report { change, report } => Ok((change, report)),
            _ => Err(ControlError::Confused),
        }
    }

    /// How often the operations of each service that has a contract were called in this run of the proxy.
    pub fn calls(&mut self) -> Result<CallReport, ControlError> {
        match self.ask(&Question::Calls, PATIENCE)? {
            Answer::Calls(report) => Ok(report),
            _ => Err(ControlError::Confused),
        }
    }

    /// What this run of the proxy has measured so far of a service, and of itself.
    pub fn metrics(&mut self, service: &ServiceName) -> Result<Metrics, ControlError> {
        match self.ask(&Question::Metrics { service: service.clone() }, PATIENCE)? {
            Answer::Metrics(metrics) => Ok(*metrics),
            _ => Err(ControlError::Confused),
        }
    }

    /// The listening sockets, which stay open in the proxy too.
    pub fn listeners(&mut self) -> Result<Listeners, ControlError> {
        write(&mut self.stream.get_ref(), &Question::Listeners)?;
        self.stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        // What follows carries sockets: it must not be read ahead, so the answer is read without the buffer.
        Ok(handover::receive(self.stream.get_ref())?)
    }

    /// The process id of the proxy, and the services that it was started for.
    pub fn process(&mut self) -> Result<(u32, Vec<ServiceName>), ControlError> {
        match self.ask(&Question::Process, PATIENCE)? {
            Answer::Process { pid, services } => Ok((pid, services)),
            _ => Err(ControlError::Confused),
        }
    }
}

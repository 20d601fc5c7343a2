//! The suite that every driver has to pass: what [`Driver`] promises, whatever engine is behind it.
//!
//! Must not know any particular driver. It is a test itself, kept beside the interface so that a driver of another package
//! can run it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::time::{Duration, Instant};

use tandem_core::base::{InstanceId, VersionLabel};
use tandem_core::fleet::{Exit, RunStatus};
use tandem_core::spec::RunSpec;

use crate::driver::{Driver, DriverError, LogPosition, RunCommand, StartInstance};

/// What a driver is tried with.
#[derive(Debug)]
pub struct Samples<'a> {
    /// Service and version to use; the rest of it is replaced.
    pub start: StartInstance,
    /// A deliverable.
    pub deliverable: &'a Path,
    /// One with other content.
    pub other: &'a Path,
    /// Writes the line `begun`, runs until it is asked to stop, and then exits with code 0.
    pub lasting: RunSpec,
    /// Exits at once with code 3.
    pub failing: RunSpec,
    /// Cannot be executed.
    pub missing: RunSpec,
    /// Nothing takes longer than this unless it is broken.
    pub patience: Duration,
}

/// Tries the driver, which must be empty. The error says which promise it broke.
pub fn check(driver: &dyn Driver, samples: &Samples<'_>) -> Result<(), String> {
    let suite = Suite { driver, samples, version: samples.start.version.clone() };
    suite.versions()?;
    suite.commands()?;
    suite.life()?;
    suite.endings()?;
    suite.removal()
}

struct Suite<'a> {
    driver: &'a dyn Driver,
    samples: &'a Samples<'a>,
    version: VersionLabel,
}

const LASTING: InstanceId = InstanceId(1);
const FAILING: InstanceId = InstanceId(2);
const MISSING: InstanceId = InstanceId(3);
const NOBODY: InstanceId = InstanceId(99);

impl Suite<'_> {
    /// Commands that end, and the folders of a version.
    fn commands(&self) -> Result<(), String> {
        let run = |words: &[&str], within: Duration| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            let env = BTreeMap::from([("WORD".to_owned(), "said".to_owned())]);
            self.driver.run(&RunCommand { version: self.version.clone(), words, env, within })
        };
        let patience = self.samples.patience;
        hold("a command that ends well is success", run(&["true"], patience).is_ok())?;
        let failed = run(&["sh", "-c", "echo $WORD; exit 3"], patience).map_err(|error| error.to_string());
        let told = failed.err().unwrap_or_default();
        hold("a failed command tells its code and its words", told.contains("code 3: said"))?;
        let begun = Instant::now();
        let slow = run(&["sh", "-c", "sleep 600"], Duration::from_millis(50));
        hold("a command that takes too long is ended", slow.is_err() && begun.elapsed() < patience)?;
        let nobody = RunCommand {
            version: "nobody".parse().map_err(|error| format!("{error}"))?,
            words: vec!["true".to_owned()],
            env: BTreeMap::new(),
            within: patience,
        };
        hold(
            "a version that is not there runs nothing",
            matches!(self.driver.run(&nobody), Err(DriverError::NotPrepared(_))),
        )?;
        let folder = |path: &str| self.driver.folder(&self.version, path);
        hold("a folder that is not there is none", matches!(folder("no/such/folder"), Ok(None)))?;
        hold("a folder outside of the version is none", matches!(folder("../.."), Ok(None)))?;
        hold("the version's own folder is there", matches!(folder("."), Ok(Some(_))))
    }

    fn versions(&self) -> Result<(), String> {
        let Samples { deliverable, other, .. } = self.samples;
        let start = self.start(LASTING, &self.samples.lasting);
        hold("no version is prepared", self.driver.prepared().is_ok_and(|all| all.is_empty()))?;
        hold("what is not prepared is not started", matches!(start, Err(DriverError::NotPrepared(_))))?;
        let digest = done("prepare", self.driver.prepare(&self.version, deliverable))?;
        hold("prepare twice", done("prepare", self.driver.prepare(&self.version, deliverable))? == digest)?;
        let refused = self.driver.prepare(&self.version, other);
        hold("a label stands for one content", matches!(refused, Err(DriverError::OtherContent { .. })))?;
        let prepared = done("prepared", self.driver.prepared())?;
        hold(
            "a prepared version is listed",
            prepared.get(&self.version) == Some(&digest) && prepared.len() == 1,
        )
    }

    fn life(&self) -> Result<(), String> {
        let address = done("start", self.start(LASTING, &self.samples.lasting))?;
        hold("start twice", done("start", self.start(LASTING, &self.samples.lasting))? == address)?;
        self.until("it has begun", || {
            let chunk = self.driver.log(LASTING, LogPosition::START, 1000);
            chunk.is_ok_and(|chunk| chunk.bytes == b"begun\n" && chunk.next == chunk.end)
        })?;
        let observed = done("observe", self.driver.observe())?;
        let seen = observed.get(&LASTING).ok_or("a running instance is not observed")?;
        hold("it runs", seen.status == RunStatus::Running && seen.address == address)?;
        hold("its version is known", seen.version == self.version && observed.len() == 1)?;
        let connections = done("connections", self.driver.connections())?;
        let held = connections.get(&LASTING);
        hold(
            "who talks to nobody has no connection",
            held.is_none_or(Vec::is_empty) && connections.len() <= 1,
        )?;
        let findings = done("findings", self.driver.findings(LASTING))?;
        hold("findings show the log", findings.exit.is_none() && findings.log == ["begun"])?;
        hold(
            "a running instance is not removed",
            matches!(self.driver.remove(LASTING), Err(DriverError::Running(_))),
        )
    }

    fn endings(&self) -> Result<(), String> {
        done("start", self.start(FAILING, &self.samples.failing))?;
        done("start", self.start(MISSING, &self.samples.missing))?;
        self.until("it failed", || self.exit(FAILING) == Some(Exit::Code(3)))?;
        self.until("it was not executed", || matches!(self.exit(MISSING), Some(Exit::NotExecuted(_))))?;
        done("stop", self.driver.stop(LASTING))?;
        done("stop twice", self.driver.stop(LASTING))?;
        self.until("it stopped", || self.exit(LASTING) == Some(Exit::Code(0)))?;
        done("stop what has ended", self.driver.stop(LASTING))?;
        done("start what has ended", self.start(LASTING, &self.samples.lasting))?;
        hold("what has ended is not started again", self.exit(LASTING) == Some(Exit::Code(0)))
    }

    fn removal(&self) -> Result<(), String> {
        done("stop nobody", self.driver.stop(NOBODY))?;
        done("remove nobody", self.driver.remove(NOBODY))?;
        hold("nobody has findings", matches!(self.driver.findings(NOBODY), Err(DriverError::NoInstance(_))))?;
        let used = self.driver.discard(&self.version);
        hold("a version in use is not discarded", matches!(used, Err(DriverError::InUse { .. })))?;
        for instance in [LASTING, FAILING, MISSING] {
            done("remove", self.driver.remove(instance))?;
            done("remove twice", self.driver.remove(instance))?;
        }
        hold("nothing is left", self.driver.observe().is_ok_and(|all| all.is_empty()))?;
        hold("nothing talks to anybody", self.driver.connections().is_ok_and(|all| all.is_empty()))?;
        let chunk = done("log", self.driver.log(LASTING, LogPosition::START, 1000))?;
        hold("the log of a removed instance is kept", chunk.bytes.starts_with(b"begun\n"))?;
        let again = self.start(LASTING, &self.samples.lasting);
        hold("a removed instance is not started again", matches!(again, Err(DriverError::Removed(_))))?;
        done("discard", self.driver.discard(&self.version))?;
        done("discard twice", self.driver.discard(&self.version))?;
        hold("no version is left", self.driver.prepared().is_ok_and(|all| all.is_empty()))
    }

    fn start(&self, instance: InstanceId, run: &RunSpec) -> Result<std::net::SocketAddr, DriverError> {
        self.driver.start(&StartInstance { instance, run: run.clone(), ..self.samples.start.clone() })
    }

    fn exit(&self, instance: InstanceId) -> Option<Exit> {
        match self.driver.observe().ok()?.remove(&instance)?.status {
            RunStatus::Exited(exit) => Some(exit),
            RunStatus::Running | RunStatus::Orphaned => None,
        }
    }

    fn until(&self, what: &str, condition: impl Fn() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + self.samples.patience;
        while !condition() {
            hold(what, Instant::now() < deadline)?;
            self.driver.wait(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn hold(promise: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("broken: {promise}")) }
}

fn done<T: Debug>(what: &str, result: Result<T, DriverError>) -> Result<T, String> {
    result.map_err(|error| format!("{what} failed: {error}"))
}

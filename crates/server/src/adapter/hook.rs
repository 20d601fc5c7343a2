//! Hooks: commands of the team's, each run to its end with what it is asked about on its stdin; and the one that a deliverable
//! brings, run by the driver as an instance would be.
//!
//! One at a time; whoever asks another one, or none, has the one before cut off. Tested in place, and end to end in `crates/cli`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tandem_core::base::{DeploymentId, InstanceId, ServiceName, Timestamp, VersionLabel};
use tandem_core::deploy::{Asked, Call, Rounds};
use tandem_core::spec::{HookSpec, Moment, ServiceSpec};
use tandem_drivers::{Driver, DriverError, RunCommand};
use tandem_engine::Hooks;

use crate::adapter::instances::InstanceDatabase;
use crate::clock::Clock;
use crate::errand;
use crate::wake::Wake;

/// The hooks of one service.
pub(crate) struct HookPort {
    service: ServiceName,
    spec: HookSpec,
    /// Where they are run.
    folder: PathBuf,
    clock: Clock,
    wake: Wake,
    runner: Runner,
    run: Option<Run>,
    watch: Option<Watch>,
}

/// A command that is run again and again, until this is dropped.
struct Watch {
    of: DeploymentId,
    /// What it is told the next time.
    call: Arc<Mutex<Call>>,
    rounds: Arc<Mutex<Rounds>>,
    is_unwanted: Arc<AtomicBool>,
    /// Closed, it ends a pause.
    _open: Sender<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_unwanted.store(true, Ordering::Release);
    }
}

/// Runs a command that a deliverable brings, as an instance of it would be.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) driver: Arc<dyn Driver>,
    /// What instances find in their environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Where each revision's instances find their schema. None: there is no database.
    pub(crate) database: Option<InstanceDatabase>,
    /// Held while one is run: none can be cut off, and no two are run at the same time.
    pub(crate) turn: Arc<Mutex<()>>,
}

/// One run of one.
struct Run {
    of: (DeploymentId, Moment),
    since: Timestamp,
    outcome: Arc<Mutex<Option<Asked>>>,
    is_unwanted: Arc<AtomicBool>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.is_unwanted.store(true, Ordering::Release);
    }
}

/// What a hook reads. Fields may be added.
#[derive(Serialize)]
struct Question<'a> {
    hook: Moment,
    service: &'a ServiceName,
    deployment: DeploymentId,
    version: &'a VersionLabel,
    previous: Option<&'a VersionLabel>,
    strategy: &'static str,
    instances: Vec<Ready>,
}

/// An instance that can be tried.
#[derive(Serialize)]
struct Ready {
    instance: InstanceId,
    address: std::net::SocketAddr,
}

impl HookPort {
    /// The hooks that a configuration names; `base` is its folder. None: it names none.
    pub(crate) fn new(
        spec: &ServiceSpec,
        base: &Path,
        (clock, wake): (Clock, &Wake),
        runner: Runner,
    ) -> Option<HookPort> {
        spec.hooks.is_any().then(|| HookPort {
            service: spec.service.clone(),
            spec: spec.hooks.clone(),
            folder: base.to_owned(),
            clock,
            wake: wake.clone(),
            runner,
            run: None,
            watch: None,
        })
    }

    fn begin(&self, call: &Call) -> Run {
        let run = Run {
            of: (call.deployment, call.moment),
            since: self.clock.now(),
            outcome: Arc::default(),
            is_unwanted: Arc::new(AtomicBool::new(false)),
        };
        let (outcome, is_unwanted) = (run.outcome.clone(), run.is_unwanted.clone());
        let (wake, clock, since) = (self.wake.clone(), self.clock, run.since);
        let tell = move |found: Result<(), String>| {
            let asked = match found {
                Ok(()) => Asked::Agreed { took: clock.now().since(since) },
                Err(why) => Asked::Objected(why),
            };
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
            wake.wake();
        };
        let failed = tell.clone();
        let work = self.work(call, is_unwanted);
        let work = move || {
            if let Some(found) = work() {
                tell(found);
            }
        };
        if let Err(error) = thread::Builder::new().name("hook".to_owned()).spawn(work) {
            failed(Err(format!("can't be begun: {error}")));
        }
        run
    }

    /// Begins to run a command again and again.
    fn begin_watch(&self, call: &Call) -> Watch {
        let (open, closed) = channel();
        let watch = Watch {
            of: call.deployment,
            call: Arc::new(Mutex::new(call.clone())),
            rounds: Arc::default(),
            is_unwanted: Arc::new(AtomicBool::new(false)),
            _open: open,
        };
        let (asked, rounds, is_unwanted) =
            (watch.call.clone(), watch.rounds.clone(), watch.is_unwanted.clone());
        let (asker, wake) = (self.asker(), self.wake.clone());
        let (within, every) = (self.spec.within.to_std(), self.spec.watch_every.to_std());
        let work = move || loop {
            let call = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some((command, given)) = asker.command(&call) else { return };
            let Some(outcome) = errand::run(command, &given, within, &is_unwanted) else { return };
            rounds.lock().unwrap_or_else(PoisonError::into_inner).take(outcome);
            wake.wake();
            if closed.recv_timeout(every) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        };
        if let Err(error) = thread::Builder::new().name("watch".to_owned()).spawn(work) {
            let why = Err(format!("can't be begun: {error}"));
            watch.rounds.lock().unwrap_or_else(PoisonError::into_inner).take(why);
        }
        watch
    }

    fn asker(&self) -> Asker {
        Asker { service: self.service.clone(), spec: self.spec.clone(), folder: self.folder.clone() }
    }

    /// What is to be done, with what came of it. None: nobody wants to know any more.
    fn work(
        &self,
        call: &Call,
        is_unwanted: Arc<AtomicBool>,
    ) -> Box<dyn FnOnce() -> Option<Result<(), String>> + Send> {
        let within = self.spec.within.to_std();
        if call.moment == Moment::Release {
            let (runner, call) = (self.runner.clone(), call.clone());
            let words = self.spec.release.clone().unwrap_or_default();
            return Box::new(move || runner.run(&call, words, within, &is_unwanted));
        }
        match self.asker().command(call) {
            Some((command, given)) => Box::new(move || errand::run(command, &given, within, &is_unwanted)),
            None => Box::new(|| Some(Err("is not there any more".to_owned()))),
        }
    }
}

/// Knows what a command is told.
struct Asker {
    service: ServiceName,
    spec: HookSpec,
    folder: PathBuf,
}

impl Asker {
    /// The command, and what it is given.
    fn command(&self, call: &Call) -> Option<(Command, Vec<u8>)> {
        let (program, words) = self.spec.command(call.moment)?.split_first()?;
        let instances = call.instances.iter().map(|(&instance, &address)| Ready { instance, address });
        let question = Question {
            hook: call.moment,
            service: &self.service,
            deployment: call.deployment,
            version: &call.version,
            previous: call.from.as_ref(),
            strategy: call.strategy.name(),
            instances: instances.collect(),
        };
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(&self.folder)
            .env("TANDEM_HOOK", call.moment.name())
            .env("TANDEM_SERVICE", self.service.as_str())
            .env("TANDEM_DEPLOYMENT", call.deployment.to_string())
            .env("TANDEM_VERSION", call.version.as_str())
            .env("TANDEM_PREVIOUS", call.from.as_ref().map_or("", VersionLabel::as_str));
        Some((command, serde_json::to_vec(&question).unwrap_or_default()))
    }
}

impl Runner {
    /// Runs the command of a version to its end.
    fn run(
        &self,
        call: &Call,
        words: Vec<String>,
        within: Duration,
        is_unwanted: &AtomicBool,
    ) -> Option<Result<(), String>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if is_unwanted.load(Ordering::Acquire) {
            return None;
        }
        let mut env = self.env.clone();
        match self.database.as_ref().map(|database| database.environment(call.revision.as_ref())).transpose()
        {
            Ok(database) => env.extend(database.into_iter().flatten()),
            Err(why) => return Some(Err(format!("has no database: {why}"))),
        }
        env.insert("TANDEM_VERSION".to_owned(), call.version.to_string());
        env.insert("TANDEM_DEPLOYMENT".to_owned(), call.deployment.to_string());
        let version = call.version.clone();
        Some(self.driver.run(&RunCommand { version, words, env, within }).map_err(|error| match error {
            DriverError::Command { why, .. } => why,
            error => format!("can't be run: {error}"),
        }))
    }
}

impl Hooks for HookPort {
    fn observe(&mut self, call: Option<&Call>) -> Option<Asked> {
        let Some(call) = call else {
            self.run = None;
            return None;
        };
        let of = (call.deployment, call.moment);
        if self.run.as_ref().is_none_or(|run| run.of != of) {
            self.run = Some(self.begin(call));
        }
        let run = self.run.as_ref()?;
        let outcome = run.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (since, until) = (run.since, run.since + self.spec.within);
        Some(outcome.unwrap_or(Asked::Running { since, until }))
    }

    fn watch(&mut self, call: Option<&Call>) -> Option<Rounds> {
        let Some(call) = call else {
            self.watch = None;
            return None;
        };
        if self.watch.as_ref().is_none_or(|watch| watch.of != call.deployment) {
            self.watch = Some(self.begin_watch(call));
        }
        let watch = self.watch.as_ref()?;
        watch.call.lock().unwrap_or_else(PoisonError::into_inner).clone_from(call);
        Some(watch.rounds.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tandem_core::base::Millis;
    use tandem_core::spec::StrategyKind;
    use tandem_drivers::process::ProcessDriver;
    use tandem_drivers::process::keeper::KeeperCommand;

    use super::*;
    use crate::state::StateFolder;
    use crate::wake::bell;

    fn port(folder: &Path, script: &str, within: Millis) -> HookPort {
        let state = StateFolder::at(folder);
        state.prepare().unwrap();
        let ready = Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
        HookPort {
            service: "shop".parse().unwrap(),
            spec: HookSpec { ready, within, ..HookSpec::default() },
            folder: folder.to_owned(),
            clock: Clock::open(&state, Timestamp(0)).unwrap(),
            wake: bell().0,
            runner: Runner {
                driver: Arc::new(ProcessDriver::open(folder, KeeperCommand::this_program()).unwrap()),
                env: BTreeMap::new(),
                database: None,
                turn: Arc::default(),
            },
            run: None,
            watch: None,
        }
    }

    fn call(deployment: u64) -> Call {
        Call {
            deployment: DeploymentId(deployment),
            moment: Moment::Ready,
            version: "v2".parse().unwrap(),
            from: Some("v1".parse().unwrap()),
            revision: None,
            strategy: StrategyKind::Flip,
            instances: [(InstanceId(5), "127.0.0.1:20005".parse().unwrap())].into(),
        }
    }

    fn outcome(port: &mut HookPort, call: &Call) -> Asked {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match port.observe(Some(call)) {
                Some(Asked::Running { .. }) | None => {}
                Some(asked) => return asked,
            }
            assert!(Instant::now() < until, "no outcome");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_hook_is_told_what_it_is_about_and_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            "cat > given; echo $TANDEM_HOOK $TANDEM_DEPLOYMENT $TANDEM_VERSION $TANDEM_PREVIOUS >> asked";
        let mut port = port(folder.path(), script, Millis::from_secs(60));
        for _ in 0..2 {
            assert!(matches!(outcome(&mut port, &call(7)), Asked::Agreed { .. }));
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("asked"), "ready d7 v2 v1\n");
        let given: serde_json::Value = serde_json::from_str(&read("given")).unwrap();
        assert_eq!(given["instances"], serde_json::json!([{"instance": 5, "address": "127.0.0.1:20005"}]));
        assert_eq!(given["previous"], "v1");
    }

    #[test]
    fn what_is_run_again_and_again_counts_failures_in_a_row_until_nobody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let mut port = port(folder.path(), "", Millis::from_secs(60));
        let script = "echo x >> rounds; test $(wc -l < rounds) -lt 2 || { echo too slow; exit 1; }";
        port.spec.watch = Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
        port.spec.watch_every = Millis(10);
        let watched = Call { moment: Moment::Watch, ..call(3) };
        let until = Instant::now() + Duration::from_secs(30);
        let rounds = loop {
            let rounds = port.watch(Some(&watched)).unwrap();
            if rounds.failures >= 2 {
                break rounds;
            }
            assert!(Instant::now() < until, "{rounds:?}");
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(rounds.last.as_deref(), Some("failed (exit status: 1): too slow"));
        assert_eq!(rounds.runs, rounds.failures + 1);
        assert_eq!(port.watch(None), None);
    }

    #[test]
    fn one_that_fails_or_hangs_objects() {
        let folder = tempfile::tempdir().unwrap();
        let mut failing = port(folder.path(), "echo no such page; exit 4", Millis::from_secs(60));
        let told = Asked::Objected("failed (exit status: 4): no such page".to_owned());
        assert_eq!(outcome(&mut failing, &call(1)), told);
        let mut hanging = port(folder.path(), "sleep 600", Millis(100));
        assert_eq!(outcome(&mut hanging, &call(1)), Asked::Objected("was not done within 100ms".to_owned()));
        assert_eq!(hanging.observe(None), None);
    }
}

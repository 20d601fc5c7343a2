//! The engine's ports, fitted to the world. Each call may fail or kill the controller, before or after its effect.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use tandem_core::base::{Digest, InstanceId, Revision, Timestamp, VersionLabel};
use tandem_core::database::{Job, ObservedDatabase};
use tandem_core::deploy::{Asked, Call, Preparation, Promise, Question, Rounds};
use tandem_core::fleet::{Exit, Findings, ObservedInstance, ObservedInstances, RunStatus};
use tandem_core::traffic::{Table, TrafficReport};
use tandem_core::workflow::Recorded;
use tandem_engine::{
    Clock, Contracts, Database, Hooks, Instances, Journal, PortError, Ports, Start, Traffic,
};

use crate::world::{Crash, Moment, World};

#[derive(Clone)]
pub(crate) struct Port(pub(crate) Rc<RefCell<World>>);

impl Port {
    pub(crate) fn all(world: &Rc<RefCell<World>>) -> Ports {
        let port = Port(Rc::clone(world));
        let has_hooks = world.borrow().scenario.spec.hooks.is_any();
        Ports {
            journal: Box::new(port.clone()),
            instances: Box::new(port.clone()),
            traffic: Box::new(port.clone()),
            database: Some(Box::new(port.clone())),
            contracts: Some(Box::new(port.clone())),
            hooks: has_hooks.then(|| Box::new(port.clone()) as Box<dyn Hooks>),
            source: None,
            clock: Box::new(port),
        }
    }

    /// One call: `effect` on the world, with what may go wrong around it.
    fn call<T>(&self, name: &str, effect: impl FnOnce(&mut World) -> T) -> Result<T, PortError> {
        let (call, error) = {
            let mut world = self.0.borrow_mut();
            let call = world.calls;
            world.calls += 1;
            let faults = world.scenario.faults;
            let faulty = world.faulty();
            let error = if faulty && world.random.chance(faults.error) {
                Some(if world.random.chance(500) { Moment::Before } else { Moment::After })
            } else {
                None
            };
            (call, error)
        };
        self.crash(name, call, Moment::Before);
        if error == Some(Moment::Before) {
            return Err(PortError(format!("{name} failed before its effect")));
        }
        let answer = effect(&mut self.0.borrow_mut());
        self.crash(name, call, Moment::After);
        match error {
            Some(_) => Err(PortError(format!("{name} failed after its effect"))),
            None => Ok(answer),
        }
    }

    fn crash(&self, name: &str, call: u64, moment: Moment) {
        let mut world = self.0.borrow_mut();
        let planned = world.crash_at.iter().any(|at| at.call == call && at.moment == moment);
        let per_mille = world.scenario.faults.crash;
        let struck = world.faulty() && world.random.chance(per_mille);
        if planned || struck {
            world.note(format!("the controller is killed at call {call}, {moment:?} {name}"));
            world.drop_job();
            world.hook = None;
            drop(world);
            std::panic::panic_any(Crash);
        }
    }
}

impl Journal for Port {
    fn load(&mut self) -> Result<Vec<Recorded>, PortError> {
        self.call("journal.load", |world| world.journal.clone())
    }

    fn append(&mut self, events: &[Recorded]) -> Result<(), PortError> {
        self.call("journal.append", |world| {
            for recorded in events {
                let text = format!("{:?}", recorded.event);
                world.note(text);
            }
            world.journal.extend_from_slice(events);
        })
    }
}

impl Instances for Port {
    fn prepare(
        &mut self,
        version: &VersionLabel,
        _source: &str,
        _known: &BTreeMap<Digest, Revision>,
        _serving: Option<&VersionLabel>,
    ) -> Result<(), PortError> {
        self.call("prepare", |world| {
            world.check_begun(version);
            let ready = world.now + world.random.between(1, 500);
            let done = |(_, found): &(u64, Option<Preparation>)| found.is_some();
            if world.prepared.get(version).is_none_or(done) {
                world.prepared.insert(version.clone(), (ready, None));
            }
        })
    }

    fn prepared(&mut self) -> Result<BTreeMap<VersionLabel, Preparation>, PortError> {
        self.call("prepared", |world| {
            let mut prepared = std::mem::take(&mut world.prepared);
            for (version, (ready, found)) in &mut prepared {
                if found.is_none() && world.now >= *ready {
                    *found = Some(world.examine(version));
                }
            }
            world.prepared = prepared;
            let seen =
                |(_, found): &(u64, Option<Preparation>)| found.clone().unwrap_or(Preparation::Running);
            world.prepared.iter().map(|(version, one)| (version.clone(), seen(one))).collect()
        })
    }

    fn start(&mut self, starts: &[Start]) -> Vec<Result<SocketAddr, PortError>> {
        let start = |one: &Start| self.call("start", |world| world.start(one.instance, &one.version));
        starts.iter().map(start).collect()
    }

    fn observe(&mut self) -> Result<ObservedInstances, PortError> {
        self.call("observe", |world| {
            let seen = world.processes.iter().map(|(id, process)| {
                let status = process.exit.clone().map_or(RunStatus::Running, RunStatus::Exited);
                (*id, ObservedInstance { version: process.version.clone(), address: process.address, status })
            });
            seen.collect()
        })
    }

    fn stop(&mut self, instance: InstanceId) -> Result<(), PortError> {
        self.call("stop", |world| world.stop(instance))
    }

    fn remove(&mut self, instance: InstanceId) -> Result<(), PortError> {
        self.call("remove", |world| {
            if world.processes.get(&instance).is_some_and(|p| p.lives()) {
                world.broke("order by construction", format!("{instance} was removed alive"));
            } else if let Some(process) = world.processes.remove(&instance) {
                world.gone.insert(instance, process.version);
            }
        })
    }

    fn findings(&mut self, instance: InstanceId) -> Findings {
        let exit = |world: &mut World| world.processes.get(&instance).and_then(|p| p.exit.clone());
        let exit: Option<Exit> = self.call("findings", exit).unwrap_or_default();
        Findings { exit, ..Findings::default() }
    }
}

impl Traffic for Port {
    fn apply(&mut self, table: &Table) -> Result<(), PortError> {
        let applied = self.call("apply", |world| {
            if world.now < world.proxy.down_until {
                Err("the proxy is away".to_owned())
            } else {
                world.apply(table)
            }
        })?;
        applied.map_err(PortError)
    }

    fn observe(&mut self) -> Option<TrafficReport> {
        self.call("report", |world| world.report()).ok().flatten()
    }
}

impl Database for Port {
    fn observe(&mut self, _since: Timestamp) -> Option<ObservedDatabase> {
        self.call("database", |world| world.see_database()).ok().flatten()
    }

    fn begin(&mut self, job: &Job) -> Result<(), PortError> {
        self.call("job", |world| world.begin_job(job))?.map_err(PortError)
    }
}

impl Contracts for Port {
    fn observe(&mut self, question: &Question) -> Option<Promise> {
        self.call("contract", |world| world.ask(question)).ok().flatten()
    }
}

impl Hooks for Port {
    fn observe(&mut self, call: Option<&Call>) -> Option<Asked> {
        self.call("hook", |world| world.ask_hook(call)).ok().flatten()
    }

    fn watch(&mut self, call: Option<&Call>) -> Option<Rounds> {
        let call = call?;
        self.call("watch", |world| world.watch_hook(call)).ok().flatten()
    }
}

impl Clock for Port {
    fn now(&mut self) -> Timestamp {
        self.0.borrow().time()
    }
}

//! The world: instances, a proxy with requests in flight, a journal, and a clock that only moves when told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tandem_core::base::{InstanceId, Timestamp, VersionLabel};
use tandem_core::deploy::{Call, Preparation};
use tandem_core::fleet::Exit;
use tandem_core::traffic::{Answers, Counts, Health, InFlight, InstanceReport, Role, Table, TrafficReport};
use tandem_core::workflow::Recorded;

use crate::database::Database;
use crate::random::Random;
use crate::scenario::{Behaviour, Scenario};

/// At which port call the controller is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashAt {
    /// The number of the call, from 0.
    pub call: u64,
    /// Before or after its effect.
    pub moment: Moment,
}

/// Before or after the effect of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and nobody was told.
    After,
}

/// What unwinds when the controller is killed.
pub(crate) struct Crash;

pub(crate) struct Process {
    pub(crate) version: VersionLabel,
    pub(crate) address: SocketAddr,
    pub(crate) started: u64,
    /// When it had its first request.
    pub(crate) asked: Option<u64>,
    ready_from: u64,
    dies_at: Option<u64>,
    stop_asked: bool,
    pub(crate) exit: Option<Exit>,
}

impl Process {
    pub(crate) fn lives(&self) -> bool {
        self.exit.is_none()
    }

    pub(crate) fn answers(&self, now: u64) -> bool {
        self.lives() && now >= self.ready_from
    }
}

struct Flight {
    instance: InstanceId,
    ends: u64,
}

#[derive(Default)]
pub(crate) struct Proxy {
    run: u64,
    pub(crate) down_until: u64,
    pub(crate) table: Table,
    unrouted_at: BTreeMap<InstanceId, u64>,
    health: BTreeMap<InstanceId, Health>,
    flights: Vec<Flight>,
    counts: Counts,
    pub(crate) answers: BTreeMap<VersionLabel, Answers>,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) scenario: Scenario,
    pub(crate) random: Random,
    pub(crate) journal: Vec<Recorded>,
    pub(crate) processes: BTreeMap<InstanceId, Process>,
    pub(crate) gone: BTreeMap<InstanceId, VersionLabel>,
    /// When each deliverable has been looked at, and what came of it.
    pub(crate) prepared: BTreeMap<VersionLabel, (u64, Option<Preparation>)>,
    pub(crate) database: Database,
    /// The hook that is asked: when it is done, and whether it agrees.
    pub(crate) hook: Option<(Call, u64, bool)>,
    pub(crate) proxy: Proxy,
    pub(crate) calls: u64,
    pub(crate) crash_at: Vec<CrashAt>,
    pub(crate) broken: Vec<String>,
    pub(crate) trace: Vec<String>,
    /// Deaths that nobody planned, of instances.
    faults: u64,
    pub(crate) lost: u64,
}

impl World {
    pub(crate) fn new(scenario: Scenario, crash_at: Vec<CrashAt>) -> World {
        World {
            now: 0,
            random: Random::new(scenario.seed, 2),
            scenario,
            journal: Vec::new(),
            processes: BTreeMap::new(),
            gone: BTreeMap::new(),
            prepared: BTreeMap::new(),
            database: Database::default(),
            hook: None,
            proxy: Proxy::default(),
            calls: 0,
            crash_at,
            broken: Vec::new(),
            trace: Vec::new(),
            faults: 0,
            lost: 0,
        }
    }

    pub(crate) fn time(&self) -> Timestamp {
        Timestamp(1_000_000 + self.now)
    }

    pub(crate) fn note(&mut self, what: String) {
        self.trace.push(format!("{:>7} ms  {what}", self.now));
    }

    /// A promise is broken.
    pub(crate) fn broke(&mut self, promise: &str, how: String) {
        self.note(format!("BROKEN {promise}: {how}"));
        self.broken.push(format!("{promise}: {how} (at {} ms)", self.now));
    }

    pub(crate) fn faulty(&self) -> bool {
        self.now < self.scenario.faults_until
    }

    pub(crate) fn start(&mut self, id: InstanceId, version: &VersionLabel) -> SocketAddr {
        if let Some(process) = self.processes.get(&id) {
            return process.address;
        }
        if self.gone.contains_key(&id) {
            self.broke("no step takes effect twice", format!("{id} was started again after it was removed"));
        }
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + id.0 as u16));
        let took = self.random.between(50, 3000);
        let (ready_from, dies_at) = match self.scenario.behaviours.get(version).unwrap_or(&Behaviour::Good) {
            Behaviour::Good
            | Behaviour::Stubborn
            | Behaviour::Strays
            | Behaviour::StraysLate
            | Behaviour::Breaks
            | Behaviour::Silent
            | Behaviour::Fails
            | Behaviour::Unwell
            | Behaviour::Slow => (self.now + took, None),
            Behaviour::NeverReady => (u64::MAX, None),
            Behaviour::ExitsEarly => (u64::MAX, Some(self.now + took)),
            // What dies for ever is never wholly there: in the end it stops.
            Behaviour::DiesAfter(lives) => {
                let until = self.scenario.faults_until;
                let dies = until == 0 || self.now < until;
                (self.now + took, dies.then_some(self.now + took + lives))
            }
        };
        let version = version.clone();
        let (started, asked) = (self.now, None);
        let process =
            Process { version, address, started, asked, ready_from, dies_at, stop_asked: false, exit: None };
        self.processes.insert(id, process);
        address
    }

    pub(crate) fn stop(&mut self, id: InstanceId) {
        let now = self.now;
        let (quick, grace) = (self.random.between(1, 500), self.scenario.spec.run.stop.grace.0);
        let Some(process) = self.processes.get_mut(&id).filter(|p| p.lives()) else { return };
        if !process.stop_asked {
            process.stop_asked = true;
            let stubborn = self.scenario.behaviours.get(&process.version) == Some(&Behaviour::Stubborn);
            let ends = now + if stubborn { grace } else { quick };
            process.dies_at = Some(process.dies_at.map_or(ends, |at| at.min(ends)));
            self.check_stop(id);
        }
    }

    /// Promise 4: out of the table, nothing in flight (or its deadline passed), then the signal.
    fn check_stop(&mut self, id: InstanceId) {
        let in_flight = self.proxy.flights.iter().filter(|f| f.instance == id).count();
        if self.role(id) == Some(Role::Serve) {
            self.broke("order by construction", format!("{id} was stopped while it was routed"));
        }
        if in_flight > 0 {
            self.broke(
                "order by construction",
                format!("{id} was stopped with {in_flight} requests in flight"),
            );
        }
    }

    fn role(&self, id: InstanceId) -> Option<Role> {
        self.proxy.table.routes.iter().flat_map(|r| &r.members).find(|m| m.instance == id).map(|m| m.role)
    }

    pub(crate) fn serving(&self, table: &Table) -> Vec<InstanceId> {
        let members = table.routes.iter().flat_map(|r| &r.members);
        members.filter(|m| m.role == Role::Serve).map(|m| m.instance).collect()
    }

    pub(crate) fn truly_up(&self, ids: &[InstanceId]) -> u32 {
        ids.iter().filter(|id| self.processes.get(id).is_some_and(|p| p.answers(self.now))).count() as u32
    }

    pub(crate) fn apply(&mut self, table: &Table) -> Result<(), String> {
        if table.generation < self.proxy.table.generation {
            return Err(format!("{} is older than {}", table.generation, self.proxy.table.generation));
        }
        let now = self.now;
        for member in table.routes.iter().flat_map(|r| &r.members) {
            match member.role {
                Role::Drain => {
                    self.proxy.unrouted_at.entry(member.instance).or_insert(now);
                }
                Role::Serve | Role::Standby => {
                    self.proxy.unrouted_at.remove(&member.instance);
                }
            }
            self.proxy.health.entry(member.instance).or_default();
        }
        self.check_swap(table);
        self.check_strays(table);
        self.check_contract(table);
        self.check_hooks(table);
        self.proxy.table = table.clone();
        let routed =
            self.serving(table).into_iter().filter_map(|id| Some(self.processes.get(&id)?.version.clone()));
        routed.collect::<Vec<_>>().iter().for_each(|version| self.uses_schema(version));
        Ok(())
    }

    pub(crate) fn report(&self) -> Option<TrafficReport> {
        if self.now < self.proxy.down_until {
            return None;
        }
        let members = self.proxy.table.routes.iter().flat_map(|r| &r.members).map(|m| m.instance);
        let instances = members.map(|id| {
            let requests = self.proxy.flights.iter().filter(|f| f.instance == id).count() as u64;
            let health = self.proxy.health.get(&id).cloned().unwrap_or_default();
            let in_flight = InFlight { requests, ..InFlight::default() };
            (id, InstanceReport { health, in_flight, ..InstanceReport::default() })
        });
        Some(TrafficReport {
            run: self.proxy.run,
            generation: self.proxy.table.generation,
            instances: instances.collect(),
            counts: BTreeMap::from([(self.scenario.spec.service.clone(), self.proxy.counts)]),
            sessions: BTreeMap::new(),
            answers: BTreeMap::from([(self.scenario.spec.service.clone(), self.proxy.answers.clone())]),
        })
    }

    /// Lets time pass: processes end, health is seen, requests come and go, faults strike.
    pub(crate) fn advance(&mut self, by: u64) {
        self.now += by;
        self.end_processes();
        self.strike();
        self.end_job();
        self.probe();
        self.end_flights();
        if self.now >= self.proxy.down_until {
            for _ in 0..self.random.between(0, 3) {
                self.arrive();
            }
        }
        self.check_schema();
    }

    fn end_processes(&mut self) {
        let now = self.now;
        let due: Vec<InstanceId> = self
            .processes
            .iter()
            .filter(|(_, p)| p.lives() && p.dies_at.is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.end(id, Exit::Code(0));
        }
    }

    fn end(&mut self, id: InstanceId, exit: Exit) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.exit = Some(exit);
        let asked = process.stop_asked;
        self.note(format!("{id} ends{}", if asked { "" } else { " unasked" }));
        if !asked {
            self.faults += 1;
        }
        let before = self.proxy.flights.len();
        self.proxy.flights.retain(|f| f.instance != id);
        if asked && self.proxy.flights.len() < before {
            self.broke("no request is lost", format!("{id} ended with requests in flight"));
        }
    }

    fn strike(&mut self) {
        if !self.faulty() {
            return;
        }
        let faults = self.scenario.faults;
        if self.random.chance(faults.kill) {
            let living: Vec<InstanceId> =
                self.processes.iter().filter(|(_, p)| p.lives()).map(|(id, _)| *id).collect();
            if !living.is_empty() {
                let at = self.random.between(0, living.len() as u64 - 1) as usize;
                self.end(living[at], Exit::Signal(9));
            }
        }
        if self.now >= self.proxy.down_until && self.random.chance(faults.proxy) {
            let back = self.now + self.random.between(1, 3000);
            self.note("the proxy is killed".to_owned());
            let serving = self.serving(&self.proxy.table);
            self.proxy.run += 1;
            self.proxy.down_until = back;
            self.proxy.flights.clear();
            self.proxy.counts = Counts::default();
            self.proxy.answers.clear();
            self.proxy.health.clear();
            // From the table on disk: whoever served is taken to be healthy.
            self.proxy.health.extend(serving.into_iter().map(|id| (id, Health::Up)));
        }
    }

    fn probe(&mut self) {
        let members: Vec<InstanceId> =
            self.proxy.table.routes.iter().flat_map(|r| &r.members).map(|m| m.instance).collect();
        for id in members {
            let answers = self.processes.get(&id).is_some_and(|p| p.answers(self.now));
            let health = self.proxy.health.entry(id).or_default();
            *health = match (answers, &*health) {
                (true, _) => Health::Up,
                (false, Health::Up | Health::Down { .. }) => Health::Down { last: "refused".to_owned() },
                (false, _) => Health::Failing { last: "connection refused".to_owned() },
            };
        }
    }

    fn end_flights(&mut self) {
        let (now, drain) = (self.now, self.scenario.spec.run.stop.drain.requests.0);
        let unrouted = &self.proxy.unrouted_at;
        self.proxy.flights.retain(|flight| {
            let cut = unrouted.get(&flight.instance).is_some_and(|since| now >= since + drain);
            flight.ends > now && !cut
        });
    }

    /// A request: it goes to an instance that is routed and answers; one that is refused is tried on another.
    fn arrive(&mut self) {
        let routed = self.serving(&self.proxy.table);
        if routed.is_empty() {
            return;
        }
        self.proxy.counts.requests += 1;
        let able: Vec<InstanceId> = routed
            .iter()
            .copied()
            .filter(|id| self.processes.get(id).is_some_and(|p| p.answers(self.now)))
            .collect();
        if able.is_empty() {
            self.lost += 1;
            let unasked = routed.iter().any(|id| self.died_unasked(*id));
            if !unasked {
                self.broke(
                    "no request is lost",
                    "no routed instance answers, and none of them died".to_owned(),
                );
            }
            return;
        }
        let able = self.fall(&able);
        let instance = able[self.random.between(0, able.len() as u64 - 1) as usize];
        let long = self.random.chance(50);
        let ends =
            self.now + if long { self.random.between(1000, 6000) } else { self.random.between(1, 300) };
        self.proxy.flights.push(Flight { instance, ends });
        if let Some(process) = self.processes.get_mut(&instance) {
            process.asked.get_or_insert(self.now);
            let version = process.version.clone();
            self.answered(&version);
        }
    }

    fn died_unasked(&self, id: InstanceId) -> bool {
        self.processes.get(&id).is_none_or(|p| !p.lives() && !p.stop_asked)
    }
}

//! What happens in a run: the service, the versions, what people ask for, and which faults there are.

use std::collections::BTreeMap;

use tandem_core::base::{Amount, Millis, Revision, Share, VersionLabel};
use tandem_core::deploy::Command;
use tandem_core::spec::{
    CanarySpec, CanaryStep, DrainSpec, FlipSpec, HookSpec, LatencyLimit, RollingSpec, ServiceSpec, Strategy,
    Unclear,
};
use tandem_core::workflow::{Deliverable, Origin};

use crate::random::Random;

/// How instances of a version behave. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Ready after a while, ends when asked to.
    Good,
    /// Runs but never answers its checks.
    NeverReady,
    /// Ends soon after it was started.
    ExitsEarly,
    /// Ready, and dies so long after.
    DiesAfter(u64),
    /// Ends only when it is killed at the end of the grace.
    Stubborn,
    /// Good, but its sessions on the database are of no revision, from its start on.
    Strays,
    /// The same, but it connects with its first request.
    StraysLate,
    /// Good, but what it promises breaks clients.
    Breaks,
    /// Good, but it does not tell what it promises.
    Silent,
    /// Good, but many of its answers are failures.
    Fails,
    /// Good, but what the team watches by a command of its own is not.
    Unwell,
    /// Good, but its answers take four times as long.
    Slow,
}

/// How often things go wrong, per mille of the occasions, while faults are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The controller is killed at a port call.
    pub crash: u64,
    /// A port call fails: before its effect, or after it.
    pub error: u64,
    /// An instance is killed, per step.
    pub kill: u64,
    /// The proxy is killed, per step.
    pub proxy: u64,
}

/// What happens in a run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// The service.
    pub spec: ServiceSpec,
    /// How each version behaves; those that are not named are good.
    pub behaviours: BTreeMap<VersionLabel, Behaviour>,
    /// Which revision of the schema each version is written for.
    pub revisions: BTreeMap<VersionLabel, Revision>,
    /// Whether sessions of the database go through a pooler, so that they tell nothing of instances.
    pub pooled: bool,
    /// What is asked for, and when (milliseconds from the start).
    pub commands: Vec<(u64, Command)>,
    /// What goes wrong until `faults_until`.
    pub faults: Faults,
    /// From then on nothing goes wrong any more, and everything must come to its end.
    pub faults_until: u64,
}

/// A service of `instances` with times that make runs short.
pub fn service(instances: u32) -> ServiceSpec {
    let second = Millis::from_secs;
    let address = "127.0.0.1:80".parse().expect("an address");
    let mut spec = ServiceSpec::new("shop".parse().expect("a name"), vec!["shop".to_owned()], address);
    spec.run.instances = instances;
    spec.run.ready.within = second(8);
    spec.run.stop.drain =
        DrainSpec { requests: second(3), uploads: second(3), streams: second(3), websockets: second(3) };
    spec.run.stop.grace = second(2);
    spec.run.restart.longest = second(2);
    spec.deploy.bake = second(2);
    spec.deploy.guard.p95 = Some(LatencyLimit::Times(150));
    (spec.deploy.guard.sample, spec.deploy.guard.extend) = (20, second(20));
    spec.deploy.guard.patience = second(10);
    spec.database.keep = second(3);
    spec
}

/// A label for tests.
pub fn version(label: &str) -> VersionLabel {
    label.parse().expect("a label")
}

/// A request to deploy.
pub fn deploy(label: &str, strategy: Strategy) -> Command {
    Command::Deploy { version: version(label), source: format!("/{label}"), strategy, break_contract: false }
}

/// A deliverable that comes by itself; its label is `v` and a number.
pub fn offer(label: &str) -> Command {
    let digest = label.replace('v', "d").parse().expect("a digest");
    let (version, source) = (version(label), format!("/{label}"));
    Command::Offer {
        deliverable: Deliverable { digest, version, source, origin: Origin::Push, hotfix: false },
    }
}

impl Scenario {
    /// First v1 comes by itself, then v2, and while that is deployed v3 and v4; with nothing going wrong.
    pub fn by_itself(instances: u32) -> Scenario {
        let came = [(0, "v1"), (20_000, "v2"), (21_000, "v3"), (21_500, "v4")];
        let commands = came.iter().map(|(at, label)| (*at, offer(label))).collect();
        Scenario { commands, ..Scenario::plain(instances, Strategy::Rolling(RollingSpec::default())) }
    }

    /// First v1, then v2 by `strategy`, with nothing going wrong.
    pub fn plain(instances: u32, strategy: Strategy) -> Scenario {
        Scenario {
            seed: 0,
            spec: service(instances),
            behaviours: BTreeMap::new(),
            revisions: BTreeMap::new(),
            pooled: false,
            commands: vec![(0, deploy("v1", strategy.clone())), (20_000, deploy("v2", strategy))],
            faults: Faults::default(),
            faults_until: 0,
        }
    }

    /// The same with a database, whose schema v2 and v3 change.
    #[must_use]
    pub fn with_schema(mut self) -> Scenario {
        self.spec.database.url = Some("postgres://db/shop".to_owned());
        self.revisions = revisions(&["1_a", "2_b", "3_c"]);
        self
    }

    /// The same with contracts that instances are asked for.
    #[must_use]
    pub fn with_contract(mut self) -> Scenario {
        self.spec.contract.document = Some("/openapi.json".to_owned());
        self
    }

    /// The same with commands that are asked at each moment.
    #[must_use]
    pub fn with_hooks(mut self) -> Scenario {
        self.spec.hooks = hooks();
        self
    }

    /// Everything by chance.
    pub fn of_seed(seed: u64) -> Scenario {
        let mut random = Random::new(seed, 1);
        let instances = random.between(1, 5) as u32;
        let strategy = strategy(&mut random, instances);
        let behaviour = match random.between(0, 16) {
            0 => Behaviour::NeverReady,
            1 => Behaviour::ExitsEarly,
            2 => Behaviour::DiesAfter(random.between(1, 4000)),
            3 => Behaviour::Stubborn,
            4 => Behaviour::Strays,
            5 => Behaviour::StraysLate,
            6 => Behaviour::Breaks,
            7 => Behaviour::Silent,
            8 => Behaviour::Fails,
            9 => Behaviour::Slow,
            10 => Behaviour::Unwell,
            _ => Behaviour::Good,
        };
        let mut commands =
            vec![(0, deploy("v1", strategy.clone())), (20_000, deploy("v2", strategy.clone()))];
        let mut at = 20_000;
        for _ in 0..random.between(0, 4) {
            at += random.between(1, 12_000);
            commands.push((at, by_chance(&mut random, instances)));
        }
        commands.push((at + random.between(100, 40_000), deploy("v3", strategy)));
        commands.push((at + 50_000, Command::Resume { deployment: None }));
        let faults = Faults {
            crash: [0, 5, 20, 60][random.between(0, 3) as usize],
            error: [0, 0, 20, 80][random.between(0, 3) as usize],
            kill: [0, 0, 2, 6][random.between(0, 3) as usize],
            proxy: [0, 0, 1, 4][random.between(0, 3) as usize],
        };
        let written =
            [["1_a", "2_b", "3_c"], ["1_a", "2_b", "2_b"], ["1_a", "1_a", "2_b"], ["1_a", "2_b", "1_a"]];
        let revisions = revisions(&written[random.between(0, 3) as usize]);
        let mut spec = service(instances);
        if random.chance(400) {
            spec.contract.document = Some("/openapi.json".to_owned());
        }
        if random.chance(600) {
            spec.database.url = Some("postgres://db/shop".to_owned());
        }
        if random.chance(300) {
            spec.hooks = hooks();
        }
        spec.deploy.guard.unclear =
            [Unclear::Ask, Unclear::Pass, Unclear::Back][random.between(0, 2) as usize];
        Scenario {
            seed,
            spec,
            behaviours: BTreeMap::from([(version("v2"), behaviour)]),
            revisions,
            pooled: random.chance(400),
            commands,
            faults,
            faults_until: at + 60_000,
        }
    }
}

/// A command at each moment.
fn hooks() -> HookSpec {
    let command = || Some(vec!["may-it".to_owned()]);
    HookSpec {
        begin: command(),
        release: command(),
        ready: command(),
        watch: command(),
        serving: command(),
        within: Millis::from_secs(5),
        ..HookSpec::default()
    }
}

/// The revisions of v1, v2 and v3.
fn revisions(names: &[&str; 3]) -> BTreeMap<VersionLabel, Revision> {
    let revision = |name: &str| name.parse().expect("a revision");
    ["v1", "v2", "v3"].iter().zip(names).map(|(label, name)| (version(label), revision(name))).collect()
}

fn strategy(random: &mut Random, instances: u32) -> Strategy {
    if random.chance(400) {
        return Strategy::Flip(FlipSpec { warm: Millis(random.between(0, 5000)) });
    }
    if random.chance(400) {
        return canary(random);
    }
    let batch = random.between(1, u64::from(instances)) as u32;
    let surge = [None, Some(Amount::Count(0)), Some(Amount::Count(2)), Some(Amount::Percent(25))];
    let floor = [None, None, Some(Amount::Percent(50)), Some(Amount::Count(0))];
    Strategy::Rolling(RollingSpec {
        batch: Amount::Count(batch),
        surge: surge[random.between(0, 3) as usize],
        floor: floor[random.between(0, 3) as usize],
    })
}

fn canary(random: &mut Random) -> Strategy {
    let chosen = random.chance(300);
    let first = if chosen { 0 } else { random.between(1, 20) as u32 };
    let shares = [first, random.between(25, 50) as u32, random.between(60, 90) as u32];
    let kept = random.between(1, 3) as usize;
    let step = |share: &u32| CanaryStep { share: Share::percent(*share), least: Millis(500) };
    let headers = if chosen { [("x-canary".to_owned(), "1".to_owned())].into() } else { BTreeMap::new() };
    Strategy::Canary(CanarySpec {
        steps: shares[..kept].iter().map(step).collect(),
        headers,
        cookies: BTreeMap::new(),
        warm: Millis(random.between(0, 3000)),
    })
}

fn by_chance(random: &mut Random, instances: u32) -> Command {
    let strategy = strategy(random, instances);
    match random.between(0, 6) {
        0 => Command::Pause { deployment: None },
        1 => Command::Resume { deployment: None },
        2 => Command::Abort { deployment: None },
        3 => Command::Rollback { to: None, strategy },
        5 => Command::Promote { deployment: None, whole: random.chance(300), step: None },
        4 => Command::Scale { instances: random.between(1, 6) as u32 },
        _ => deploy("v2", strategy),
    }
}

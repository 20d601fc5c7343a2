//! The living instances, parted into those of the goal and the others: what strategies think about.

use crate::base::{InstanceId, VersionLabel};
use crate::deploy::{Input, hook, promise, strays};
use crate::workflow::Stage;

/// One living instance, reduced to what matters for a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// The instance.
    pub id: InstanceId,
    /// Where it is in its life.
    pub stage: Stage,
    /// Whether the proxy says that it is healthy.
    pub up: bool,
    /// Whether nothing is against giving it requests.
    pub admitted: bool,
}

impl Copy {
    /// Whether it has requests and answers them.
    pub fn serves(&self) -> bool {
        self.stage == Stage::Serving && self.up
    }

    /// Whether it could be given requests at once: ready and healthy (or draining and not yet asked to stop), and nothing is
    /// against it.
    pub fn can_serve(&self) -> bool {
        self.up && self.admitted && matches!(self.stage, Stage::Standby | Stage::Draining)
    }

    /// Whether it is on its way out.
    pub fn leaves(&self) -> bool {
        matches!(self.stage, Stage::Draining | Stage::Stopping)
    }
}

/// The living instances of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pools {
    /// How many are to serve in the end.
    pub wanted: u32,
    /// Instances of the version that is to serve.
    pub goal: Vec<Copy>,
    /// All others.
    pub others: Vec<Copy>,
}

impl Pools {
    /// The pools, with `goal` as the version that is to serve.
    pub fn of(input: &Input<'_>, goal: Option<&VersionLabel>) -> Pools {
        let mut pools = Pools { wanted: input.wanted(), ..Pools::default() };
        if goal.is_none() {
            pools.wanted = 0;
        }
        for (&id, instance) in input.state.instances.iter().filter(|(_, i)| i.stage.is_alive()) {
            let up = input.observed.is_up(id);
            let admitted = strays::admits(input, id, instance)
                && promise::admits(input, instance)
                && hook::admits(input, instance);
            let copy = Copy { id, stage: instance.stage, up, admitted };
            let pool = if Some(&instance.version) == goal { &mut pools.goal } else { &mut pools.others };
            pool.push(copy);
        }
        pools
    }

    /// How many of all serve and are healthy.
    pub fn capacity(&self) -> u32 {
        count(self.goal.iter().chain(&self.others), Copy::serves)
    }

    /// How many processes there are, those on their way out included.
    pub fn alive(&self) -> u32 {
        (self.goal.len() + self.others.len()) as u32
    }
}

/// How many of `copies` are as `test` says.
pub(super) fn count<'a>(copies: impl IntoIterator<Item = &'a Copy>, test: impl Fn(&Copy) -> bool) -> u32 {
    copies.into_iter().filter(|copy| test(copy)).count() as u32
}

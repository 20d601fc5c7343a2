//! One run: the engine in its world, from the first command until everything has come to its end.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use tandem_core::base::VersionLabel;
use tandem_core::deploy::Command;
use tandem_core::workflow::State;
use tandem_engine::{Engine, EngineError};

use crate::ports::Port;
use crate::scenario::Scenario;
use crate::world::{Crash, CrashAt, World};

/// After the last fault and the last command, everything must end within this time of the world (milliseconds).
const PATIENCE: u64 = 240_000;

/// What a run has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The promises that were broken; empty if all held.
    pub broken: Vec<String>,
    /// The version that serves at the end.
    pub current: Option<VersionLabel>,
    /// How many port calls there were.
    pub calls: u64,
    /// What happened, line by line.
    pub trace: Vec<String>,
}

/// Runs a scenario, with the controller killed at each of `crash_at` besides the scenario's own faults.
pub fn run(scenario: &Scenario, crash_at: &[CrashAt]) -> Outcome {
    let world = Rc::new(RefCell::new(World::new(scenario.clone(), crash_at.to_vec())));
    let mut commands = scenario.commands.iter();
    let mut next = commands.next();
    let last = scenario.commands.last().map_or(0, |(at, _)| *at).max(scenario.faults_until);
    let mut engine: Option<Engine> = None;
    loop {
        let now = world.borrow().now;
        if now > last + PATIENCE {
            break;
        }
        let due = next.filter(|(at, _)| *at <= now);
        let wake = match survive(|| step(&world, &mut engine, due.map(|(_, command)| command))) {
            Some(Ok(wake)) => {
                if due.is_some() {
                    next = commands.next();
                }
                wake
            }
            Some(Err(error)) => {
                report(&world, &error);
                None
            }
            // Killed. Whoever asked for something got no answer and asks again; it is refused if it was recorded.
            None => {
                engine = None;
                None
            }
        };
        let quiet = next.is_none() && now > last && settled(&world, engine.as_ref());
        if quiet || !world.borrow().broken.is_empty() {
            break;
        }
        let mut world = world.borrow_mut();
        let by = world.random.between(1, 150);
        let idle = wake.is_none() && next.is_none();
        world.advance(if idle { 1000 } else { by });
    }
    finish(world)
}

fn finish(world: Rc<RefCell<World>>) -> Outcome {
    let mut world = world.borrow_mut();
    let state = State::fold(&world.journal).unwrap_or_default();
    if world.broken.is_empty() {
        world.check_end(&state);
    }
    Outcome {
        broken: std::mem::take(&mut world.broken),
        current: state.current,
        calls: world.calls,
        trace: std::mem::take(&mut world.trace),
    }
}

/// Runs a piece of the controller; None if it was killed.
fn survive<T>(piece: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(piece)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Crash>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

fn step(
    world: &Rc<RefCell<World>>,
    engine: &mut Option<Engine>,
    command: Option<&Command>,
) -> Result<Option<tandem_core::base::Timestamp>, EngineError> {
    let engine = match engine {
        Some(engine) => engine,
        None => {
            let spec = world.borrow().scenario.spec.clone();
            engine.insert(Engine::load(spec, Port::all(world))?)
        }
    };
    if let Some(command) = command {
        match engine.command(command) {
            Ok(_) | Err(EngineError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let pass = engine.pass()?;
    Ok(pass.wake_at)
}

/// Failures of ports are part of the game; anything else is a fault of the program.
fn report(world: &Rc<RefCell<World>>, error: &EngineError) {
    let mut world = world.borrow_mut();
    world.note(format!("a pass failed: {error}"));
    match error {
        EngineError::Port(_) | EngineError::Refused(_) => {}
        EngineError::Journal(_) | EngineError::Unsafe(_) | EngineError::Restless => {
            world.broke("a decision is always safe", error.to_string());
        }
    }
}

fn settled(world: &Rc<RefCell<World>>, engine: Option<&Engine>) -> bool {
    let Some(engine) = engine else { return false };
    let (state, world) = (&engine.view().state, world.borrow());
    let wanted = if state.current.is_some() { state.wanted(world.scenario.spec.run.instances) } else { 0 };
    state.deployment.is_none()
        && world.schema_is_settled(state)
        && state.instances.len() as u32 == wanted
        && world.truly_up(&world.serving(&world.proxy.table)) == wanted
}

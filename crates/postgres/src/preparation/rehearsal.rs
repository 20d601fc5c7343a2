//! The whole plan tried on an empty copy: start, undo, start again, contract; the catalog compared at each end.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tandem_schema::fingerprint::Fingerprint;
use tandem_schema::plan::Plan;

use super::Unprepared;
use super::proof::{Broken, Proof, Statements};
use crate::execution::{Execution, Options, Watch};
use crate::failure::Failure;
use crate::reading::schema;
use crate::scratch::Scratch;

/// Nobody looks on.
struct Nobody;

impl Watch for Nobody {
    fn step(&mut self, _: &str, _: usize, _: usize) {}
    fn rows(&mut self, _: u64, _: u64, _: f64, _: Option<Duration>) {}
    fn waiting(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
}

/// Tries a plan, and the statements of both versions in each state.
pub(super) fn rehearse(
    pristine: &Scratch,
    plan: &Plan,
    statements: &Statements,
) -> Result<Vec<Broken>, Unprepared> {
    let copy = pristine.again()?;
    let mut plan = plan.clone();
    // What the copy could not repeat was told; from here on it is held against itself.
    let found = Fingerprint::of(&schema(&mut copy.connect()?)?);
    let whole = plan.before == found;
    plan.before = found;
    if plan.qualified {
        crate::lens::complete(&mut copy.connect()?, &plan.home, &plan.old_lens)?;
    }
    let stop = AtomicBool::new(false);
    let failed = |what: &'static str| {
        move |failure: Failure| Unprepared::Rehearsal {
            what: what.to_owned(),
            why: vec![failure.to_string()],
        }
    };
    let mut proof = Proof::begin(&copy, &plan, statements)?;
    let options = Options { by: "rehearsal".to_owned(), ..Options::default() };
    let mut execution = Execution::open(&copy.url(), options, &stop).map_err(failed("could not be begun"))?;
    if !plan.from.is_empty() {
        execution.adopt(&plan.from, &[]).map_err(failed("could not be begun"))?;
    }
    execution.start(&plan, &mut Nobody).map_err(failed("its start failed"))?;
    execution.undo(&mut Nobody).map_err(failed("its undo failed"))?;
    let left = Fingerprint::of(&schema(&mut copy.connect()?)?);
    if whole {
        differ("its undo did not lead back", &plan.undone, &left)?;
    }
    plan.before = left;
    execution.start(&plan, &mut Nobody).map_err(failed("could not be begun again after an undo"))?;
    proof.mixed()?;
    execution.contract(true, &mut Nobody).map_err(failed("its contract failed"))?;
    proof.settled()?;
    if whole {
        let end = Fingerprint::of(&schema(&mut copy.connect()?)?);
        differ("its contract did not end where the plain migrations do", &plan.after, &end)?;
    }
    Ok(proof.broken)
}

/// What an undo leaves, where that can't be told before.
pub(super) fn undone(pristine: &Scratch, plan: &Plan) -> Result<Fingerprint, Unprepared> {
    let copy = pristine.again()?;
    let stop = AtomicBool::new(false);
    let failed = |failure: Failure| Unprepared::Rehearsal {
        what: "failed".to_owned(),
        why: vec![failure.to_string()],
    };
    let options = Options { by: "rehearsal".to_owned(), ..Options::default() };
    let mut plan = plan.clone();
    plan.before = Fingerprint::of(&schema(&mut copy.connect()?)?);
    let mut execution = Execution::open(&copy.url(), options, &stop).map_err(failed)?;
    execution.start(&plan, &mut Nobody).map_err(failed)?;
    execution.undo(&mut Nobody).map_err(failed)?;
    Ok(Fingerprint::of(&schema(&mut copy.connect()?)?))
}

fn differ(what: &str, expected: &Fingerprint, found: &Fingerprint) -> Result<(), Unprepared> {
    let why = expected.differences(found);
    if why.is_empty() { Ok(()) } else { Err(Unprepared::Rehearsal { what: what.to_owned(), why }) }
}

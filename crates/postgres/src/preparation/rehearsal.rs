//! The whole plan tried on an empty copy: start, undo, start again, contract; the catalog compared at each end.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tandem_schema::fingerprint::Fingerprint;
use tandem_schema::locking;
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

/// Whether it is known before where an undo leads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Undone {
    /// To the plan's `undone`.
    Known,
    /// It is what the rehearsal finds.
    Found,
}

/// Tries a plan, and the statements of both versions in each state. Tells the plan with what was learned from it (the locks
/// that its transactions take, what its undo leaves) and the statements that would not work (as they did) in some state.
pub(super) fn rehearse(
    pristine: &Scratch,
    mut plan: Plan,
    undone: Undone,
    statements: &Statements,
) -> Result<(Plan, Vec<Broken>), Unprepared> {
    let copy = pristine.again()?;
    let mut here = plan.clone();
    // What the copy could not repeat was told; from here on it is held against itself.
    let found = Fingerprint::of(&schema(&mut copy.connect()?)?);
    let whole = here.before == found;
    here.before = found;
    if here.qualified {
        crate::lens::complete(&mut copy.connect()?, &here.home, &here.old_lens)?;
    }
    let stop = AtomicBool::new(false);
    let failed = |what: &'static str| {
        move |failure: Failure| Unprepared::Rehearsal {
            what: what.to_owned(),
            why: vec![failure.to_string()],
        }
    };
    let mut proof = Proof::begin(&copy, &here, statements)?;
    let options = Options { by: "rehearsal".to_owned(), ..Options::default() };
    let mut execution = Execution::open(&copy.url(), options, &stop).map_err(failed("could not be begun"))?;
    if !here.from.is_empty() {
        execution.adopt(&here.from, &[]).map_err(failed("could not be begun"))?;
    }
    execution.witness(copy.connect()?);
    execution.start(&here, &mut Nobody).map_err(failed("its start failed"))?;
    locking::complete(&mut plan.start, execution.taken());
    execution.undo(&mut Nobody).map_err(failed("its undo failed"))?;
    locking::complete(&mut plan.undo, execution.taken());
    here.before = Fingerprint::of(&schema(&mut copy.connect()?)?);
    match undone {
        Undone::Known if whole => differ("its undo did not lead back", &plan.undone, &here.before)?,
        Undone::Known => {}
        Undone::Found => plan.undone = here.before.clone(),
    }
    execution.start(&here, &mut Nobody).map_err(failed("could not be begun again after an undo"))?;
    proof.mixed()?;
    execution.taken();
    execution.contract(true, &mut Nobody).map_err(failed("its contract failed"))?;
    locking::complete(&mut plan.contract, execution.taken());
    proof.settled()?;
    if whole {
        let end = Fingerprint::of(&schema(&mut copy.connect()?)?);
        differ("its contract did not end where the plain migrations do", &plan.after, &end)?;
    }
    Ok((plan, proof.broken))
}

fn differ(what: &str, expected: &Fingerprint, found: &Fingerprint) -> Result<(), Unprepared> {
    let why = expected.differences(found);
    if why.is_empty() { Ok(()) } else { Err(Unprepared::Rehearsal { what: what.to_owned(), why }) }
}

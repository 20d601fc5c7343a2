//! The drivers with real processes, real archives and real signals.

mod conformance;
mod connections;
mod containers;
mod crashes;
mod deliverables;
mod endings;
mod findings;
mod logs;
mod rig;
mod starting;

//! The schema engine's decisions: plain SQL in, two live schemas out.
//!
//! Reads from left to right: `source` (migration files: their order, statements and annotations) → `model` (a catalog as
//! a value) → `delta` (two catalogs compared by identity) → `placement` (where everything lives while two revisions
//! are alive) → `change` (one file per kind: what it does at expand, backfill, contract and undo) → `lens` and `sync`
//! (views and trigger bodies) → `plan` (phases of statements, as data). Nothing here connects to a database: what
//! PostgreSQL thinks of a statement comes in as catalogs read from a scratch copy.
//!
//! Tested in place for texts and decisions; as a whole on a real PostgreSQL by `tandem-postgres`.

pub mod book;
mod change;
mod copy;
mod create;
pub mod draft;
pub mod expression;
pub mod fingerprint;
pub mod fresh;
mod lens;
pub mod locking;
pub mod model;
pub mod name;
pub mod placement;
pub mod plan;
pub mod planner;
mod privilege;
pub mod recording;
pub mod source;
pub mod sync;
mod syntax;
pub mod text;
mod trip;
pub mod whole;

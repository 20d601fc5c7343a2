//! Every kind of change on a real PostgreSQL, through all its phases, with clients of both revisions at work.

mod attributes;
mod books;
mod clients;
mod columns;
mod copies;
mod crashes;
mod fresh;
mod interruptions;
mod keys;
mod names;
mod own_types;
mod partitions;
mod pooler;
mod qualified;
mod refusals;
mod routines;
mod rows;
mod rules;
mod splits;
mod stage;
mod tables;
mod triggers;
mod type_changes;
mod views;

pub use stage::{Case, refused};

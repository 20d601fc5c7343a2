//! Every kind of change on a real PostgreSQL, through all its phases, with clients of both revisions at work.

mod clients;
mod columns;
mod keys;
mod rules;
mod splits;
mod stage;
mod type_changes;

pub use stage::{Case, refused};

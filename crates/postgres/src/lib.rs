//! PostgreSQL, done and not decided: catalogs are read, scratch copies made, plans carried out.
//!
//! What a change means is decided by `tandem-schema`; here its statements are run, one step at a time, under lock limits.
//! Blocking by design: a caller gives it a thread. Tested in `tests/postgres` on real servers.

pub mod connection;
mod encryption;
pub mod error;
pub mod reading;

pub use connection::{connect, shown};
pub use error::{Error, Refusal};
pub use reading::catalog;

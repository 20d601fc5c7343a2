//! PostgreSQL, done and not decided: catalogs are read, scratch copies made, plans carried out.
//!
//! What a change means is decided by `tandem-schema`; here its statements are run, one step at a time, under lock limits.
//! Blocking by design: a caller gives it a thread. Tested in `tests/postgres` on real servers.

mod address;
pub mod clients;
pub mod connection;
mod encryption;
pub mod error;
pub mod execution;
pub mod failure;
pub mod finding;
pub mod journal;
pub mod lens;
pub mod phase;
pub mod preparation;
pub mod reading;
pub mod relay;
pub mod role;
mod rows;
pub mod scratch;
pub mod session;
mod statements;

pub use address::shown;
pub use connection::connect;
pub use error::{Error, Refusal};
pub use execution::{End, Execution, Options, Watch, pause};
pub use failure::Failure;
pub use finding::Finding;
pub use phase::Phase;
pub use reading::catalog;
pub use scratch::Scratch;
pub use statements::statements;

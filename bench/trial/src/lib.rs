//! A real Tandem in a folder of its own: started, used and killed as a person would, with nothing left behind.
//!
//! For the demo, the trials of `xtask` and the end-to-end tests. Knows the program only from outside: its command line,
//! its processes, its exit codes.

mod daemon;
mod ledger;
mod processes;
mod shop;
mod wait;

pub use daemon::{Daemon, Said};
pub use ledger::Ledger;
pub use processes::{Kind, Process, kill, of_folder};
pub use shop::{Setup, Shop};
pub use wait::{free_port, until};

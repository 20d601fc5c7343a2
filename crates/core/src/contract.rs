//! Contracts: what a version promises to its clients, written down as an OpenAPI document.
//!
//! `document` reads one (`yaml` what is written in YAML); `comparison` says what of it would break a client that was written for another, `fit` does so for
//! their schemas; `ledger` keeps which operations were really called, and `verdict` puts both together. `template` finds the
//! operation of a request. Documents come from outside: nothing here trusts them, and every walk has a bound. Tested in
//! place.

mod calls;
mod comparison;
mod document;
mod fit;
mod ledger;
mod operation;
mod schema;
mod template;
mod verdict;
mod yaml;

pub use calls::{CallReport, Calls, Counted};
pub use comparison::{Finding, breaks};
pub use document::{Document, DocumentError, Form, LARGEST};
pub use fit::Server;
pub use ledger::Ledger;
pub use operation::{Contract, Operation};
pub use template::Templates;
pub use verdict::{Between, Break, Comparison, Party};
pub use yaml::read as read_yaml;

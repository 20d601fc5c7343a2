//! The search for a file that the chosen instance lacks: the shelf may have it, or an instance of another version.
//!
//! Its name tells its content, so it does not matter where it comes from. Must not know connections. Tested through the
//! whole proxy.

use std::path::{Path, PathBuf};

use crate::request::Request;
use crate::shelf::{self, Shelved};
use crate::worker::View;

/// Where else a file may be.
#[derive(Debug)]
pub(crate) struct Search {
    place: Option<PathBuf>,
    mixed: bool,
}

impl Search {
    /// For a request whose head is built; None if it asks for no such file.
    pub(crate) fn of(view: &View, at: usize, request: &Request, shelf: &Path, head: &[u8]) -> Option<Search> {
        let (start, end) = request.asset?;
        let path = std::str::from_utf8(head.get(start..end)?).ok()?;
        let (route, _) = view.route(at)?;
        let place = shelf::place(shelf, route.service.as_str(), path);
        Some(Search { place, mixed: view.is_mixed(at) })
    }

    /// Whether it is worth looking, now that an instance says that it has no such file.
    pub(crate) fn is_promising(&self) -> bool {
        self.mixed || self.place.as_ref().is_some_and(|place| place.is_file())
    }

    /// The file, if it is on the shelf.
    pub(crate) fn shelved(&self) -> Option<Shelved> {
        self.place.as_ref().and_then(|place| Shelved::open(place).ok())
    }
}

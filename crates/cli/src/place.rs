//! Where the configuration and the state of a service are.
//!
//! Tested in `tests/cli`.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::args::Global;
use crate::failure::Failure;

/// No configuration is longer, in bytes.
const LONGEST: u64 = 1 << 20;
const NAME: &str = "tandem.toml";

/// The places that a command line names or implies.
pub(crate) struct Place {
    /// The configuration file, absolute.
    pub(crate) config: PathBuf,
    /// The state folder, absolute; perhaps not there yet.
    pub(crate) state: PathBuf,
}

impl Place {
    /// As the command line says, else `tandem.toml` here or in the nearest folder above, and `.tandem` beside it.
    ///
    /// # Errors
    /// There is no configuration.
    pub(crate) fn find(global: &Global) -> Result<Place, Failure> {
        let here = std::env::current_dir()
            .map_err(|error| Failure::failed(format!("the current folder can't be read: {error}")))?;
        let config = match &global.config {
            Some(path) if path.is_dir() => here.join(path).join(NAME),
            Some(path) => here.join(path),
            None => here.ancestors().map(|folder| folder.join(NAME)).find(|path| path.is_file()).ok_or_else(
                || {
                    Failure::usage(format!("there is no {NAME} in {} or above it", here.display()))
                        .help("write one with `tandem init`, or name one with --config FILE")
                },
            )?,
        };
        let state = match &global.state {
            Some(path) => here.join(path),
            None => config.parent().unwrap_or(&here).join(".tandem"),
        };
        Ok(Place { config, state })
    }

    /// Only the state folder, for verbs that need nothing else.
    ///
    /// # Errors
    /// It is not named, and there is no configuration beside which it could be.
    pub(crate) fn state(global: &Global) -> Result<PathBuf, Failure> {
        match &global.state {
            Some(path) => Ok(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            None => Place::find(global).map(|place| place.state),
        }
    }
}

/// The text of a configuration file.
///
/// # Errors
/// It can't be read, is too long, or is not UTF-8.
pub(crate) fn read_config(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let wrong = |error: std::io::Error| Failure::usage(format!("{shown} can't be read: {error}"));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(wrong)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::usage(format!("{shown} is longer than 1 MiB: that can't be a configuration")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|&&b| b == b'\n').count();
        Failure::usage(format!("{shown} is not UTF-8 text: line {} holds other bytes", line + 1))
    })
}

/// The path as people would write it from here.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

//! `tandem schema`: the verbs, where the database is, and troubles told to people.

mod adopt;
mod contract;
mod pause;
mod plan;
mod report;
mod resume;
mod role;
mod start;
mod status;
mod undo;
mod url;
mod verify;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tandem_core::spec::{DatabaseSpec, Names};
use tandem_server::config::{self, ConfigError};
use tandem_server::schema::{Folder, Site, Source, Unpacked, tables};

use crate::args::Global;
use crate::args::schema::{Database, Schema, SchemaVerb, Step};
use crate::failure::{Exit, Failure};
use crate::place::{self, Place};
use crate::problems;
use crate::terminal::{Terminal, clean};
use crate::verb::Ending;
use report::told;

pub(super) fn run(schema: &Schema, global: &Global, terminal: &Terminal) -> Ending {
    let (place, spec) = configured(global, terminal)?;
    let (site, by_command) = placed(&schema.database, place.as_ref(), spec)?;
    let folder = || Folder::read(&site.migrations).map_err(|trouble| told(trouble, terminal));
    match &schema.verb {
        SchemaVerb::Plan(step) => plan::run(step, &site, &folder()?, terminal),
        SchemaVerb::Start(step) => start::run(step, &site, &folder()?, terminal),
        SchemaVerb::Resume => resume::run(&site, terminal),
        SchemaVerb::Pause => pause::run(&site, terminal),
        SchemaVerb::Status => status::run(&site, terminal),
        SchemaVerb::Verify => verify::run(&site, terminal),
        SchemaVerb::Contract { force } => contract::run(*force, &site, terminal),
        SchemaVerb::Undo => undo::run(&site, terminal),
        SchemaVerb::Adopt { at } if by_command => adopt::run(at.as_deref(), &site, None, terminal),
        SchemaVerb::Adopt { at } => adopt::run(at.as_deref(), &site, Some(&folder()?), terminal),
        SchemaVerb::Url { revision, form } => url::run(revision, *form, &site, terminal),
        SchemaVerb::Role { revision, member_of, no_login, print } => role::run(
            &role::Wanted { revision, of: member_of.as_deref(), login: !no_login, print: *print },
            &site,
            terminal,
        ),
    }
}

/// The plan of the migrations that a deliverable brings along, if the configuration names a database and it brings any.
pub(super) fn plan_of(deliverable: &Path, global: &Global, terminal: &Terminal) -> Ending {
    let (Some(place), spec) = configured(global, terminal)? else { return Ok(Exit::Done) };
    if spec.url.is_none() {
        return Ok(Exit::Done);
    }
    if super::deploy::image(deliverable).is_some() {
        terminal.line("");
        terminal.line("migrations: they are in the image, and looked at when it is deployed");
        return Ok(Exit::Done);
    }
    let tell = |trouble| told(trouble, terminal);
    let (site, by_command) = placed(&Database::default(), Some(&place), spec.clone())?;
    let unpacked = (by_command || deliverable.is_file()).then(|| Unpacked::of(deliverable)).transpose();
    let unpacked = unpacked.map_err(tell)?;
    let migrations = match &unpacked {
        Some(unpacked) => unpacked.folder(&spec.migrations).map_err(tell)?,
        None => Some(deliverable.join(&spec.migrations)).filter(|folder| folder.is_dir()),
    };
    let folder = match migrations.filter(|_| !by_command) {
        Some(migrations) => {
            let read = Folder::read(&migrations).map_err(tell)?;
            Some(Folder { path: deliverable.join(&spec.migrations), ..read })
        }
        None if by_command => None,
        None => return Ok(Exit::Done),
    };
    let standing = site.standing(folder.as_ref()).map_err(tell)?;
    terminal.line("");
    if let Some(change) = &standing.state.change {
        // A deployment contracts what is kept before it begins.
        terminal.line(format_args!(
            "migrations: planned when the change to `{}` is over ({})",
            clean(&change.to),
            change.phase
        ));
        return Ok(Exit::Done);
    }
    match (&folder, &unpacked) {
        (Some(folder), _) => plan::pending(&Step::default(), &site, folder, &standing, terminal),
        (None, Some(unpacked)) => {
            let source = Source::of(&spec, &environment(&place)?);
            plan::recorded(unpacked.examine(&site, &source).map_err(tell)?, terminal)
        }
        (None, None) => Ok(Exit::Done),
    }
}

/// The database of a service, by its configuration.
///
/// # Errors
/// What it names in the environment is not there.
pub(super) fn site(config: &Path, spec: DatabaseSpec) -> Result<Site, Failure> {
    let place = Place { config: config.to_owned(), state: PathBuf::new() };
    placed(&Database::default(), Some(&place), spec).map(|(site, _)| site)
}

/// The environment that the configuration gives to instances.
fn environment(place: &Place) -> Result<BTreeMap<String, String>, Failure> {
    let unusable = |error: ConfigError| Failure::usage(error.to_string());
    let config = config::load(&place.config).map_err(unusable)?;
    config::environment(&config.spec).map_err(unusable)
}

/// Where the configuration is, if there is one, and what it says of the database.
fn configured(global: &Global, terminal: &Terminal) -> Result<(Option<Place>, DatabaseSpec), Failure> {
    let place = match Place::find(global) {
        Ok(place) => place,
        Err(failure) if global.config.is_some() => return Err(failure),
        Err(_) => return Ok((None, DatabaseSpec::default())),
    };
    let text = place::read_config(&place.config)?;
    let read = tandem_core::spec::read_database(&text);
    let spec = read.map_err(|problems| problems::tell(&place.config, &text, &problems, terminal))?;
    Ok((Some(place), spec))
}

/// As the command line says, else as the configuration does, if there is one; and whether a framework's own command runs the
/// migrations.
fn placed(database: &Database, place: Option<&Place>, spec: DatabaseSpec) -> Result<(Site, bool), Failure> {
    let folder = place.and_then(|place| place.config.parent());
    let migrations = match &database.migrations {
        Some(path) => path.clone(),
        None => {
            folder.map_or_else(|| PathBuf::from(&spec.migrations), |folder| folder.join(&spec.migrations))
        }
    };
    let scratch_url = match (&database.scratch_url, &spec.scratch_url) {
        (Some(url), _) => Some(url.clone()),
        (None, Some(url)) => Some(resolved(url, "--scratch-url")?),
        (None, None) => None,
    };
    let url = match &database.url {
        Some(url) => url.clone(),
        None => resolved(spec.url.as_deref().unwrap_or("env:DATABASE_URL"), "--url")?,
    };
    let home = database.home.clone().unwrap_or(spec.home);
    let by_command = spec.migrate.is_some() && database.migrations.is_none();
    let qualified = database.qualified || spec.names == Names::Qualified;
    let rows = tables(&spec.rows, &home);
    let wal = Some(spec.wal).filter(|limit| *limit > 0);
    Ok((Site { url, scratch_url, home, qualified, wal, migrations, rows }, by_command))
}

/// A URL, or that of the variable that stands for it.
fn resolved(url: &str, option: &str) -> Result<String, Failure> {
    let Some(name) = url.strip_prefix("env:") else { return Ok(url.to_owned()) };
    std::env::var(name).ok().filter(|url| !url.is_empty()).ok_or_else(|| {
        Failure::usage(format!("which database is not known: {name} is not set")).help(format!(
            "set it, name the database with {option} postgres://owner@host/database, or in [database] of tandem.toml"
        ))
    })
}

//! `tandem schema url`: what an app of a revision connects to.

use serde::Serialize;
use tandem_server::schema::{Folder, Form, Site, lens, url};

use super::report::told;
use crate::args::schema::UrlForm;
use crate::failure::{Exit, Failure};
use crate::terminal::{CARE, Terminal};
use crate::verb::Ending;

#[derive(Serialize)]
struct Url<'a> {
    revision: &'a str,
    url: String,
    search_path: [String; 2],
}

pub(super) fn run(revision: &str, form: UrlForm, site: &Site, terminal: &Terminal) -> Ending {
    let revision = known(revision, site, terminal)?;
    let form = match form {
        UrlForm::Libpq => Form::Libpq,
        UrlForm::Jdbc => Form::Jdbc,
        UrlForm::Prisma if !site.qualified => {
            return Err(Failure::new(
                Exit::Refused,
                "clients that write the schema before each name need a lens that holds everything",
            )
            .help("say that the app is one of them: names = \"qualified\" in [database] of tandem.toml, or --qualified"));
        }
        UrlForm::Prisma => {
            site.complete_lens(&revision).map_err(|trouble| told(trouble, terminal))?;
            Form::Prisma
        }
    };
    let url = url(&site.url, &revision, &site.home, form)
        .map_err(|why| Failure::usage(format!("the database's URL can't be used: {why}")))?;
    if terminal.json {
        let search_path = [lens(&revision), site.home.clone()];
        terminal.object(&Url { revision: &revision, url, search_path });
    } else {
        terminal.line(url);
    }
    Ok(Exit::Done)
}

/// A revision's name as the folder has it. A wrong one would be an empty lens, and an app that sees the wrong tables.
pub(super) fn known(revision: &str, site: &Site, terminal: &Terminal) -> Result<String, Failure> {
    if !site.migrations.is_dir() {
        terminal.say(format_args!(
            "{CARE}!{CARE:#} there is no folder of migrations here, so the revision's name is taken as it is"
        ));
        return Ok(revision.to_owned());
    }
    let tell = |trouble| told(trouble, terminal);
    let folder = Folder::read(&site.migrations).map_err(tell)?;
    let place = folder.find(revision).map_err(tell)?;
    Ok(folder.migrations.get(place).map(|found| found.name.clone()).unwrap_or_default())
}

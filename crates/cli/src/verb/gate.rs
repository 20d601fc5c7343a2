//! `tandem maintenance` and `tandem hold`: what becomes of new requests.

use std::io::Read;
use std::path::Path;

use tandem_core::base::Millis;
use tandem_core::traffic::{Gate, Maintenance};

use crate::args::{Global, Hold, MaintenanceOn, MaintenanceVerb};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::place;
use crate::terminal::Terminal;
use crate::verb::Ending;

/// No page is longer, in bytes; the daemon has a smaller limit and says so.
const LONGEST: u64 = 1 << 20;

/// `tandem maintenance`.
pub(crate) async fn maintain(verb: &MaintenanceVerb, global: &Global, terminal: &Terminal) -> Ending {
    match verb {
        MaintenanceVerb::On(told) => {
            let gate = Gate::Closed(closed(told)?);
            tell(
                gate,
                "clients are told to come back from now on; `tandem maintenance off` ends it",
                global,
                terminal,
            )
            .await
        }
        MaintenanceVerb::Off => tell(Gate::Open, "requests are served again", global, terminal).await,
    }
}

/// `tandem hold`.
pub(crate) async fn hold(hold: &Hold, global: &Global, terminal: &Terminal) -> Ending {
    if hold.end {
        return tell(Gate::Open, "requests go on", global, terminal).await;
    }
    let Millis(longest) = hold.longest;
    let said = format!("new requests wait for {} at most; `tandem hold --end` ends it", Millis(longest));
    tell(Gate::Held { longest: hold.longest }, &said, global, terminal).await
}

fn closed(told: &MaintenanceOn) -> Result<Maintenance, Failure> {
    Ok(Maintenance {
        message: told.message.clone(),
        page: told.page.as_deref().map(page).transpose()?,
        retry_after: told.retry_after,
        allow: told.allow.clone(),
    })
}

fn page(path: &Path) -> Result<String, Failure> {
    let shown = place::shown(path);
    let wrong = |error: std::io::Error| Failure::usage(format!("{shown} can't be read: {error}"));
    let mut text = String::new();
    std::fs::File::open(path).map_err(wrong)?.take(LONGEST).read_to_string(&mut text).map_err(wrong)?;
    Ok(text)
}

async fn tell(gate: Gate, said: &str, global: &Global, terminal: &Terminal) -> Ending {
    let gate: Gate = Client::find(global)?.post("/v1/gate", &gate).await?;
    if terminal.json {
        terminal.object(&gate);
    } else {
        terminal.say(said);
    }
    Ok(Exit::Done)
}

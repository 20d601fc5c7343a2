//! `tandem rollback`: back to the version from before.

use tandem_core::base::VersionLabel;
use tandem_server::api::{RollbackAccepted, RollbackRequest, StrategyChoice};

use super::deploy::began;
use crate::args::Global;
use crate::client::Client;
use crate::failure::Exit;
use crate::follow::follow;
use crate::terminal::{CARE, Terminal, clean};
use crate::verb::Ending;

pub(crate) async fn run(
    to: Option<&VersionLabel>,
    detach: bool,
    global: &Global,
    terminal: &Terminal,
) -> Ending {
    let client = Client::find(global)?;
    let request = RollbackRequest { to: to.cloned(), how: StrategyChoice::default() };
    let RollbackAccepted { id, broken } = client.post("/v1/rollback", &request).await?;
    for one in &broken {
        terminal.say(format_args!("{CARE}!{CARE:#} {}", clean(&one.to_string())));
    }
    if detach {
        began(id, &format!("{id} goes back"), terminal);
        return Ok(Exit::Done);
    }
    follow(&client, id, None, true, terminal).await
}

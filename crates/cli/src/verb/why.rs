//! `tandem why`: what is waited for, a sentence for each wait.

use tandem_server::api::Why;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Exit;
use crate::terminal::{CARE, Terminal, clean};
use crate::verb::Ending;

pub(crate) async fn run(global: &Global, terminal: &Terminal) -> Ending {
    let why: Why = Client::find(global)?.get("/v1/why").await?;
    if terminal.json {
        terminal.object(&why);
        return Ok(Exit::Done);
    }
    if let Some(deployment) = &why.deployment {
        terminal.line(clean(deployment));
    }
    for wait in &why.waits {
        terminal.line(format_args!("  {}", clean(wait)));
    }
    for remark in &why.remarks {
        terminal.line(format_args!("  {CARE}!{CARE:#} {}", clean(remark)));
    }
    if why.waits.is_empty() {
        terminal.line("nothing is waited for");
    }
    Ok(Exit::Done)
}

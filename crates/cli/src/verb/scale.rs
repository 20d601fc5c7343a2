//! `tandem scale`: another number of instances.

use tandem_server::api::Scale;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Exit;
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(crate) async fn run(instances: u32, global: &Global, terminal: &Terminal) -> Ending {
    let scale: Scale = Client::find(global)?.post("/v1/scale", &Scale { instances }).await?;
    if terminal.json {
        terminal.object(&scale);
    } else {
        terminal
            .say(format_args!("{} instances are wanted from now on: see `tandem status`", scale.instances));
    }
    Ok(Exit::Done)
}

//! `tandem dashboard`: where it is, with a way in for whoever may use the sockets.

use serde_json::json;
use tandem_server::api::Ticket;

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::terminal::{Terminal, clean};
use crate::verb::Ending;

pub(crate) async fn run(global: &Global, terminal: &Terminal) -> Ending {
    let asked = Client::entrance(global)?.post("/v1/tickets", &json!({})).await;
    let ticket: Ticket = asked.map_err(|failure: Failure| match failure.exit {
        Exit::NoDaemon => failure.help(
            "`tandem up` must run, and its configuration say where: [admin] listen = \"127.0.0.1:7443\"",
        ),
        _ => failure,
    })?;
    if terminal.json {
        terminal.object(&ticket);
    } else {
        terminal.line(clean(&ticket.url));
        terminal.say(format_args!("open it within {}; it is good for one login", ticket.within));
    }
    Ok(Exit::Done)
}

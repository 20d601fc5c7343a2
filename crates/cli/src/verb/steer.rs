//! `tandem pause`, `resume`, `abort` and `promote`: the deployment under way, held, let go, turned back and moved on.

use tandem_core::base::DeploymentId;
use tandem_server::api::{Accepted, PromoteRequest, Status};

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;
use crate::verb::Ending;

/// What is done to a deployment.
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    Pause,
    Resume,
    Abort,
    Promote { whole: bool, step: Option<usize> },
}

pub(crate) async fn run(
    turn: Turn,
    asked: Option<DeploymentId>,
    global: &Global,
    terminal: &Terminal,
) -> Ending {
    let client = Client::find(global)?;
    let id = match asked {
        Some(id) => id,
        None => {
            let status: Status = client.get("/v1/status").await?;
            let none = || Failure::new(Exit::Refused, "no deployment is under way");
            status.deployment.ok_or_else(none)?.id
        }
    };
    let (verb, what) = match turn {
        Turn::Pause => ("pause", "is paused: what has begun is finished, nothing new is begun"),
        Turn::Resume => ("resume", "goes on"),
        Turn::Abort => ("abort", "goes back"),
        Turn::Promote { .. } => ("promote", "goes on"),
    };
    let said = match turn {
        Turn::Promote { whole, step } => PromoteRequest { whole, step },
        Turn::Pause | Turn::Resume | Turn::Abort => PromoteRequest::default(),
    };
    let accepted: Accepted = client.post(&format!("/v1/deployments/{}/{verb}", id.0), &said).await?;
    if terminal.json {
        terminal.object(&accepted);
    } else {
        terminal.say(format_args!("{id} {what}: watch it with `tandem watch {id}`"));
    }
    Ok(Exit::Done)
}

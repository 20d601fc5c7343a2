//! `tandem watch`: follows a deployment until it is over.

use tandem_core::base::DeploymentId;
use tandem_server::api::{DeploymentRecord, Status};

use crate::args::Global;
use crate::client::Client;
use crate::failure::Exit;
use crate::follow::{follow, tell};
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(crate) async fn run(asked: Option<DeploymentId>, global: &Global, terminal: &Terminal) -> Ending {
    let client = Client::find(global)?;
    let id = match asked {
        Some(id) => id,
        None => match client.get::<Status>("/v1/status").await?.deployment {
            Some(deployment) => deployment.id,
            None => {
                terminal.say("no deployment is under way; see what was: tandem history");
                return Ok(Exit::Done);
            }
        },
    };
    let record: DeploymentRecord = client.get(&format!("/v1/deployments/{}", id.0)).await?;
    if record.finished_at.is_some() {
        return Ok(tell(&record, false, terminal));
    }
    follow(&client, id, None, false, terminal).await
}

//! `tandem link`: a link that shows one version, whether it has traffic or not.

use tandem_core::base::VersionLabel;
use tandem_server::api::VersionLink;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Exit;
use crate::terminal::{Terminal, clean};
use crate::verb::Ending;

pub(crate) async fn run(version: Option<&VersionLabel>, global: &Global, terminal: &Terminal) -> Ending {
    let path = match version {
        Some(version) => format!("/v1/link?version={}", version.as_str().replace('+', "%2B")),
        None => "/v1/link".to_owned(),
    };
    let link: VersionLink = Client::find(global)?.get(&path).await?;
    if terminal.json {
        terminal.object(&link);
        return Ok(Exit::Done);
    }
    for url in &link.urls {
        terminal.line(clean(url));
    }
    if link.urls.is_empty() {
        terminal.line(format_args!("append ?{} to any address of the service", clean(&link.query)));
    }
    Ok(Exit::Done)
}

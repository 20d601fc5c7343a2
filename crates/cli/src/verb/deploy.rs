//! `tandem deploy`: hands a deliverable over and follows its deployment.

use std::fs::File;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tandem_core::base::{ImageReference, VersionLabel, label_of};
use tandem_core::workflow::QueueStanding;
use tandem_server::api::{Accepted, DeployRequest, Pushed, QueueStatus, StrategyChoice};

use crate::args::{Deploy, Global, How};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::follow::follow;
use crate::place;
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(crate) async fn run(deploy: &Deploy, global: &Global, terminal: &Terminal) -> Ending {
    let client = Client::find(global)?;
    let source = source(&deploy.path)?;
    let version = version(deploy)?;
    if deploy.hotfix {
        return hotfix(deploy, &client, version, terminal).await;
    }
    let how = choice(&deploy.how);
    let break_contract = deploy.break_contract;
    let request = DeployRequest { source, version: version.clone(), how, break_contract };
    let accepted: Accepted = client.post_once("/v1/deployments", &request, &key()).await?;
    let id = accepted.id;
    if deploy.detach {
        began(id, &format!("{id} to {version} has begun"), terminal);
        return Ok(Exit::Done);
    }
    terminal.say(format_args!("{id}: deploying {version} from {}", place::shown(&deploy.path)));
    follow(&client, id, deploy.timeout, false, terminal).await
}

/// Puts the deliverable into the queue, and follows its deployment when that begins.
async fn hotfix(deploy: &Deploy, client: &Client, version: VersionLabel, terminal: &Terminal) -> Ending {
    let shown = place::shown(&deploy.path);
    let file = File::open(&deploy.path).ok().filter(|file| file.metadata().is_ok_and(|is| is.is_file()));
    let file = file.ok_or_else(|| {
        Failure::usage(format!("{shown} is no file that can be read"))
            .help("a hotfix is an archive: a .tar.gz")
    })?;
    let signature = signature(&deploy.path);
    let fields = [
        ("tandem-version", Some(version.as_str())),
        ("tandem-hotfix", Some("1")),
        ("tandem-signature", signature.as_deref()),
    ];
    // What happens from here on is seen.
    let mut messages = client.messages("/v1/events", None).await?;
    let pushed: Pushed = client.push(file, &fields).await?;
    if deploy.detach {
        terminal.say(format_args!("{version} is in the queue: see `tandem queue`"));
        return Ok(Exit::Done);
    }
    terminal.say(format_args!("{version} is in the queue, before all others: see `tandem why`"));
    let stands = |queue: QueueStatus| queue.entries.into_iter().find(|entry| entry.digest == pushed.digest);
    loop {
        match stands(client.get("/v1/queue").await?).map(|entry| entry.standing) {
            Some(QueueStanding::Waiting) => {}
            Some(
                QueueStanding::Deploying { deployment }
                | QueueStanding::Settled { deployment }
                | QueueStanding::WentBack { deployment, .. },
            ) => return follow(client, deployment, deploy.timeout, false, terminal).await,
            Some(standing) => return Err(Failure::new(Exit::Refused, format!("{version} is {standing}"))),
            None => return Err(Failure::failed(format!("{version} is not in the queue any more"))),
        }
        if messages.next().await.is_none() {
            return Err(Failure::new(
                Exit::NoDaemon,
                "the daemon went away; what is in the queue is not lost",
            ));
        }
    }
}

/// The signature beside a deliverable, as it is sent.
fn signature(path: &Path) -> Option<String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    std::fs::read(name).ok().map(|bytes| STANDARD.encode(bytes))
}

/// Tells of a deployment that goes on by itself.
pub(super) fn began(id: tandem_core::base::DeploymentId, what: &str, terminal: &Terminal) {
    if terminal.json {
        terminal.object(&Accepted { id });
    } else {
        terminal.line(id);
        terminal.say(format_args!("{what}: watch it with `tandem watch {id}`"));
    }
}

/// The deliverable by its absolute path: the daemon may have another working folder.
/// An image goes by its name.
pub(super) fn source(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    if let Some(image) = image(path) {
        return Ok(image.to_string());
    }
    let absolute = path.canonicalize().map_err(|error| {
        Failure::usage(format!("{shown} can't be read: {error}"))
            .help("name a folder or a .tar.gz that holds the new version, or an image with its tag: registry.example/shop:v42")
    })?;
    let name = absolute.to_str().map(str::to_owned);
    name.ok_or_else(|| {
        Failure::usage(format!("the path {shown} is not UTF-8 text, so it can't be sent to the daemon"))
    })
}

/// The image that is meant, if it is one: what is there as a file is a file.
pub(super) fn image(path: &Path) -> Option<ImageReference> {
    if path.exists() {
        return None;
    }
    path.to_str()?.parse().ok()
}

/// The label that a deliverable gets where none is given.
pub(super) fn label(path: &Path) -> Option<VersionLabel> {
    let named = |path: &Path| label_of(path.file_name()?.to_str()?);
    match image(path) {
        Some(image) => image.label(),
        None => named(path).or_else(|| named(&path.canonicalize().ok()?)),
    }
}

fn version(deploy: &Deploy) -> Result<VersionLabel, Failure> {
    deploy.version.clone().or_else(|| label(&deploy.path)).ok_or_else(|| {
        Failure::usage(format!("no label can be made of the name {}", deploy.path.display()))
            .help("give one: --version v42")
    })
}

/// What the command line says of the strategy.
pub(super) fn choice(how: &How) -> StrategyChoice {
    StrategyChoice {
        strategy: how.strategy.map(Into::into),
        batch: how.batch,
        surge: how.surge,
        floor: how.floor,
        warm: how.warm,
        steps: how.steps.clone(),
    }
}

/// Names this request, so that it takes effect once even if it has to be sent twice.
fn key() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}-{now}", std::process::id())
}

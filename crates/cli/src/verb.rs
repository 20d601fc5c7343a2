//! The verbs, one file each, and which of them is run.

mod check;
mod completions;
mod config;
mod daemon;
mod dashboard;
mod deploy;
mod doctor;
mod gate;
mod history;
mod init;
mod link;
mod logs;
mod man;
mod plan;
mod queue;
mod reload;
mod rollback;
mod scale;
mod schema;
mod status;
mod steer;
mod token;
mod top;
mod watch;
mod why;

use std::future::Future;

use crate::args::{Cli, Verb};
use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;
use steer::Turn;

/// What a verb leaves behind.
pub(crate) type Ending = Result<Exit, Failure>;

/// Does what the command line asks for.
pub(crate) fn run(args: &Cli, terminal: &Terminal) -> Ending {
    let global = &args.global;
    match &args.verb {
        Verb::Init => init::run(global, terminal),
        Verb::Check => check::run(global, terminal),
        Verb::Doctor => doctor::run(global, terminal),
        Verb::Config(what) => config::run(*what, global, terminal),
        Verb::Completions { shell } => completions::run(*shell, terminal),
        Verb::Man { folder } => man::run(folder, terminal),
        Verb::Deploy(deploy) => wait_for(deploy::run(deploy, global, terminal)),
        Verb::Plan(plan) => {
            let exit = wait_for(plan::run(plan, global, terminal))?;
            let schema = plan::schema(plan, global, terminal)?;
            Ok(if exit == Exit::Done { schema } else { exit })
        }
        Verb::Status { watch } => wait_for(status::run(*watch, global, terminal)),
        Verb::Top { once } => wait_for(top::run(*once, global, terminal)),
        Verb::Watch { deployment } => wait_for(watch::run(*deployment, global, terminal)),
        Verb::Link { version } => wait_for(link::run(version.as_ref(), global, terminal)),
        Verb::Why => wait_for(why::run(global, terminal)),
        Verb::Rollback { to, plan: true, .. } => wait_for(plan::back(to.as_ref(), global, terminal)),
        Verb::Rollback { to, detach, .. } => wait_for(rollback::run(to.as_ref(), *detach, global, terminal)),
        Verb::Pause(steer) => wait_for(steer::run(Turn::Pause, steer.deployment, global, terminal)),
        Verb::Resume(steer) => wait_for(steer::run(Turn::Resume, steer.deployment, global, terminal)),
        Verb::Abort(steer) => wait_for(steer::run(Turn::Abort, steer.deployment, global, terminal)),
        Verb::Promote(promote) => {
            let turn = Turn::Promote { whole: promote.all, step: promote.step };
            wait_for(steer::run(turn, promote.deployment, global, terminal))
        }
        Verb::History => wait_for(history::run(global, terminal)),
        Verb::Queue => wait_for(queue::list(global, terminal)),
        Verb::Approve(approve) => wait_for(queue::approve(approve, global, terminal)),
        Verb::Source(source) => wait_for(queue::source(&source.verb, global, terminal)),
        Verb::Logs { instance, follow } => wait_for(logs::run(*instance, *follow, global, terminal)),
        Verb::Scale { instances } => wait_for(scale::run(*instances, global, terminal)),
        Verb::Maintenance(what) => wait_for(gate::maintain(what, global, terminal)),
        Verb::Hold(hold) => wait_for(gate::hold(hold, global, terminal)),
        Verb::Schema(what) => schema::run(what, global, terminal),
        Verb::Reload => reload::run(global, terminal),
        Verb::Token(token) => token::run(&token.verb, global, terminal),
        Verb::Dashboard => wait_for(dashboard::run(global, terminal)),
        Verb::Up => daemon::up(global, terminal),
        Verb::Proxy { services } => daemon::proxy(services.clone(), global),
        Verb::Controller { front } => daemon::controller(front.clone(), global),
        Verb::Admin(admin) => daemon::admin(admin, global),
    }
}

/// Runs what talks to the daemon.
fn wait_for(verb: impl Future<Output = Ending>) -> Ending {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed(format!("can't wait for anything: {error}")))?.block_on(verb)
}

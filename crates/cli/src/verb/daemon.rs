//! `tandem up`, and the processes that it starts: `proxy`, `controller` and `admin`.
//!
//! They log to stderr instead of talking to the terminal; what they do is in `tandem-server`.

use std::path::PathBuf;

use tandem_core::base::ServiceName;
use tandem_server::admin::{self, AdminOptions};
use tandem_server::config::ConfigError;
use tandem_server::controller::{self, ControllerOptions};
use tandem_server::data_plane::{self, DataPlaneOptions};
use tandem_server::logging;
use tandem_server::state::StateError;
use tandem_server::supervisor::{self, SupervisorError, SupervisorOptions};

use crate::args::{Admin, Global};
use crate::failure::{Exit, Failure};
use crate::place::Place;
use crate::problems;
use crate::terminal::Terminal;
use crate::verb::Ending;

/// This program, also after its file was replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// `tandem up`: in the foreground until somebody ends it.
pub(super) fn up(global: &Global, terminal: &Terminal) -> Ending {
    let Place { config, state } = Place::front(global)?;
    // Problems of the configuration are told as `tandem check` tells them.
    problems::front(&config, &state, terminal)?;
    logging::start();
    let place = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(THIS_PROGRAM));
    let options = SupervisorOptions { config, state, program: PathBuf::from(THIS_PROGRAM), place };
    supervisor::run(options).map(|_| Exit::Done).map_err(|error| {
        let exit = match &error {
            SupervisorError::Config(ConfigError::Environment { .. })
            | SupervisorError::OtherService { .. } => Exit::Usage,
            SupervisorError::State(StateError::Held { .. }) => Exit::Refused,
            _ => Exit::Failed,
        };
        Failure::new(exit, error.to_string())
    })
}

/// `tandem proxy`.
pub(super) fn proxy(services: Vec<ServiceName>, global: &Global) -> Ending {
    logging::start();
    let state = named(global.state.as_ref())?;
    data_plane::run(DataPlaneOptions { state, services }).map(|()| Exit::Done).map_err(logged)
}

/// `tandem controller`.
pub(super) fn controller(front: PathBuf, global: &Global) -> Ending {
    logging::start();
    let (config, state) = (named(global.config.as_ref())?, named(global.state.as_ref())?);
    controller::run(ControllerOptions { config, state, front }).map(|_| Exit::Done).map_err(logged)
}

/// `tandem admin`.
pub(super) fn admin(admin: &Admin, global: &Global) -> Ending {
    logging::start();
    let options = AdminOptions {
        state: named(global.state.as_ref())?,
        services: admin.services.clone(),
        is_shared: admin.shared,
        hosts: admin.hosts.clone(),
        certificate: admin.certificate.clone().zip(admin.key.clone()),
    };
    admin::run(options).map(|()| Exit::Done).map_err(logged)
}

/// What `tandem up` names to the parts that it starts.
fn named(path: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    path.cloned().ok_or_else(|| Failure::usage("this is started by `tandem up`, not by hand"))
}

/// A part of the daemon fails in the log of the daemon.
fn logged(error: impl std::fmt::Display) -> Failure {
    tracing::error!("{error}");
    Failure::told(Exit::Failed)
}

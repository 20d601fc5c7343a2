//! What `tandem controller` does: the engine on a thread of its own, the threads that wake it, the admin API.
//!
//! It can be killed at any time: requests are served on, and the next one takes up the work from the journal. Must not
//! decide anything itself. Tested end to end in `crates/cli`.

mod shutdown;
mod work;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use tandem_drivers::docker::DockerDriver;
use tandem_drivers::process::ProcessDriver;
use tandem_drivers::process::keeper::KeeperCommand;
use tandem_drivers::{Driver, DriverError};
use tandem_engine::EngineError;

use crate::api;
use crate::config::{self, Config, ConfigError};
use crate::schema::Trouble;
use crate::state::{Part, StateError, StateFolder};
use crate::store::StoreError;

/// What the supervisor writes to the controller's stdin to have all instances stopped, and the controller ended.
pub(crate) const STOP_ALL: &[u8] = b"stop all\n";

/// What `tandem controller` was asked for.
#[derive(Debug, Clone)]
pub struct ControllerOptions {
    /// The configuration as the team edits it. In force is the copy in the state folder that `tandem up` checked; this
    /// one only if there is none.
    pub config: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// The state folder of the proxy.
    pub front: PathBuf,
}

/// Why the controller can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database can't be used.
    #[error(transparent)]
    Database(#[from] Trouble),
    /// The driver can't be used.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The journal can't be taken up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The socket of the admin API can't be bound.
    #[error("can't listen on {}: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A thread or the runtime can't be had.
    #[error("can't {doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A thread ended that should not. A fault of Tandem.
    #[error("the engine ended by itself")]
    EngineEnded,
}

/// What runs the instances, as the configuration says.
fn driver(state: &StateFolder, config: &Config, path: &Path) -> Result<Arc<dyn Driver>, ControllerError> {
    let Some(docker) = &config.spec.run.docker else {
        let program = KeeperCommand::this_program();
        return Ok(Arc::new(ProcessDriver::open(state.path(), program)?));
    };
    let mut docker = docker.clone();
    let base = path.parent().unwrap_or(Path::new("."));
    docker.certificates = docker.certificates.map(|folder| base.join(folder).to_string_lossy().into_owned());
    let password = config::registry_password(&config.spec)?;
    Ok(Arc::new(DockerDriver::open(state.path(), &config.spec.service, &docker, password)?))
}

/// Works for one service until it is told to end. By a signal (SIGTERM, SIGINT) it ends and leaves the instances
/// running; when the supervisor asks for it, it stops them first.
///
/// # Errors
/// It could not begin. Whatever goes wrong later is logged, shown by the status, and tried again.
pub fn run(options: ControllerOptions) -> Result<ExitCode, ControllerError> {
    let _unnamed = rustix::thread::set_name(c"tandem control");
    let state = StateFolder::at(&options.state).behind(&options.front);
    state.prepare()?;
    let _lock = state.lock(Part::Controller)?;
    let in_force = if state.config().exists() { state.config() } else { options.config.clone() };
    let config = config::load(&in_force)?;
    let driver = driver(&state, &config, &options.config)?;
    let mut work = work::Work::begin(&state, &config, &options.config, driver)?;
    let office = work.office(&options.config, config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ControllerError::System { doing: "begin the admin API", source })?;
    let over = work.over();
    let end = runtime.block_on(async {
        let listener = api::listen(&state.admin_socket())
            .map_err(|source| ControllerError::Socket { path: state.admin_socket(), source })?;
        let office = Arc::new(office);
        if let Some(address) = office.config.spec.monitoring.metrics.listen {
            tokio::spawn(api::metrics::serve(address, office.clone()));
        }
        tokio::spawn(api::serve(listener, office));
        let ends = shutdown::Ends::watch(over)
            .await
            .map_err(|source| ControllerError::System { doing: "watch for signals", source })?;
        Ok::<_, ControllerError>(ends.next().await)
    });
    runtime.shutdown_background();
    let stopped = work.end()?;
    match end? {
        shutdown::End::Leave => Ok(ExitCode::SUCCESS),
        shutdown::End::EngineEnded => Err(ControllerError::EngineEnded),
        shutdown::End::StopAll => {
            stopped.stop_all();
            Ok(ExitCode::SUCCESS)
        }
    }
}

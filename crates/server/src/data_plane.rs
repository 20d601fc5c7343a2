//! What `tandem proxy` does: the proxy at its places in the state folder.

use std::path::PathBuf;

use tandem_core::base::ServiceName;
use tandem_proxy::process;
pub use tandem_proxy::process::ProcessError;

use crate::state::StateFolder;

/// What `tandem proxy` was asked for.
#[derive(Debug, Clone)]
pub struct DataPlaneOptions {
    /// The state folder.
    pub state: PathBuf,
    /// The services whose requests arrive.
    pub services: Vec<ServiceName>,
}

/// Serves until it is told to end; also without its supervisor.
///
/// # Errors
/// It could not begin.
pub fn run(options: DataPlaneOptions) -> Result<(), ProcessError> {
    let _unnamed = rustix::thread::set_name(c"tandem proxy");
    let state = StateFolder::at(&options.state);
    process::run(process::ProcessOptions {
        control: state.proxy_socket(),
        services: options.services,
        kept: state.proxy(),
        shelf: state.shelf(),
    })
}

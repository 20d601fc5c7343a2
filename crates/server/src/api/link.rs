//! Links that show one version, whether it has traffic or not.

use tandem_core::base::VersionLabel;
use tandem_core::spec::ServiceSpec;
use tandem_core::workflow::{Stage, State};

use super::{Problem, ProblemCode, VersionLink};

/// The links to a version; without a label to the one that is coming, else to the one that serves.
pub(super) fn link(
    state: &State,
    spec: &ServiceSpec,
    version: Option<VersionLabel>,
) -> Result<VersionLink, Problem> {
    let coming = state.deployment.as_ref().map(|deployment| &deployment.request.version);
    let Some(version) = version.or_else(|| coming.or(state.current.as_ref()).cloned()) else {
        return Err(Problem::new(ProblemCode::NotFound, "no version is running"));
    };
    let lives = |stage: Stage| matches!(stage, Stage::Starting | Stage::Standby | Stage::Serving);
    let is_live = state.of_version(&version).any(|(_, instance)| lives(instance.stage));
    let key = state.releases.get(&version).and_then(|release| release.key.as_ref());
    let Some(key) = key.filter(|_| is_live) else {
        let why = format!("no instance of {version} is running; only a version that runs can be shown");
        return Err(Problem::new(ProblemCode::NotFound, why));
    };
    let query = format!("{}={key}", spec.sessions.cookie);
    let mut urls = Vec::new();
    for listen in &spec.listen {
        let port = match listen.address.port() {
            80 => String::new(),
            port => format!(":{port}"),
        };
        let named = listen.hosts.iter().filter(|host| !host.starts_with('*'));
        urls.extend(named.map(|host| format!("http://{host}{port}/?{query}")));
        if listen.hosts.is_empty() {
            let address = listen.address.ip();
            let host = if address.is_unspecified() { "localhost".to_owned() } else { address.to_string() };
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            urls.push(format!("http://{host}{port}/?{query}"));
        }
    }
    Ok(VersionLink { version, query, urls })
}

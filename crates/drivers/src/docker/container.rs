//! Containers of instances: made, started, looked at.
//!
//! Must not know records or which engine is chosen. Tested by `tests/drivers` with real engines.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerState, ContainerStateStatusEnum,
    ContainerSummaryStateEnum, HostConfig, HostConfigLogConfig, NetworkSettings, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions,
};
use tandem_core::base::InstanceId;
use tandem_core::fleet::Exit;
use tandem_core::spec::{DockerSpec, Reach};

use super::engine::{Engine, QUICK, SLOW};
use super::label;
use super::trouble::Trouble;

/// What the engine keeps of a container's log: files, and the size of each.
const LOG: [(&str, &str); 2] = [("max-file", "3"), ("max-size", "10m")];
/// By this name a container finds what listens on its host, a database for example.
pub(super) const OWN_HOST: &str = "host.docker.internal:host-gateway";
/// A container that was made and not started yet was begun at this time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What a container is made of.
pub(super) struct Plan<'a> {
    pub(super) spec: &'a DockerSpec,
    pub(super) reach: Reach,
    pub(super) image: String,
    /// Empty: as the image says.
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) signal: String,
    /// In seconds.
    pub(super) grace: i64,
    /// The address of the host at which a port is to lead to the container.
    pub(super) at: Option<IpAddr>,
}

impl Plan<'_> {
    pub(super) fn body(self) -> ContainerCreateBody {
        let port = format!("{}/tcp", self.spec.port);
        let bindings = self.at.map(|at| {
            let any = PortBinding { host_ip: Some(at.to_string()), host_port: Some(String::new()) };
            HashMap::from([(port.clone(), Some(vec![any]))])
        });
        let positive = |number: u64| i64::try_from(number).ok().filter(|number| *number > 0);
        let memory = positive(self.spec.memory);
        let host_config = HostConfig {
            binds: Some(self.spec.volumes.clone()).filter(|volumes| !volumes.is_empty()),
            // As many replacements as there are is Tandem's to decide.
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(LOG.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            }),
            port_bindings: bindings,
            network_mode: self.spec.network.clone(),
            memory,
            // No swap beside it: a limit is a limit.
            memory_swap: memory,
            nano_cpus: self.spec.cpus.map(|cpus| i64::from(cpus.0) * 1_000_000),
            extra_hosts: Some(vec![OWN_HOST.to_owned()]),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            image: Some(self.image),
            cmd: Some(self.command).filter(|command| !command.is_empty()),
            env: Some(self.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(self.labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            exposed_ports: (self.reach == Reach::Port).then(|| vec![port]),
            stop_signal: Some(self.signal),
            stop_timeout: Some(self.grace),
            host_config: Some(host_config),
            ..ContainerCreateBody::default()
        }
    }
}

/// Makes a container. One that is there under this name is taken as it is.
pub(super) async fn create(engine: &Engine, name: &str, body: ContainerCreateBody) -> Result<(), Trouble> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    match engine.call(SLOW, |docker| async move { docker.create_container(Some(options), body).await }).await
    {
        Err(trouble) if trouble.is_conflict() => Ok(()),
        made => made.map(|_| ()),
    }
}

pub(super) async fn start(engine: &Engine, name: &str) -> Result<(), Trouble> {
    let name = name.to_owned();
    let start = |docker: bollard::Docker| async move {
        docker.start_container(&name, None::<StartContainerOptions>).await
    };
    engine.call(SLOW, start).await
}

/// None: there is no such container.
pub(super) async fn inspect(
    engine: &Engine,
    name: &str,
) -> Result<Option<ContainerInspectResponse>, Trouble> {
    let name = name.to_owned();
    match engine.call(QUICK, |docker| async move { docker.inspect_container(&name, None).await }).await {
        Ok(found) => Ok(Some(found)),
        Err(trouble) if trouble.is_missing() => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Removes a container and its anonymous volumes; one that runs only with `force`. Success if there is none.
pub(super) async fn remove(engine: &Engine, name: &str, force: bool) -> Result<(), Trouble> {
    let name = name.to_owned();
    let options = RemoveContainerOptionsBuilder::default().force(force).v(true).build();
    match engine.call(SLOW, |docker| async move { docker.remove_container(&name, Some(options)).await }).await
    {
        Err(trouble) if trouble.is_missing() => Ok(()),
        removed => removed,
    }
}

/// What the list of an engine says of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was made and never started.
    Made,
    Runs,
    Ended,
}

/// All containers of instances with our identity.
pub(super) async fn list(engine: &Engine, state: &str) -> Result<BTreeMap<InstanceId, Seen>, Trouble> {
    let filters =
        HashMap::from([("label", vec![format!("{}={state}", label::STATE), label::INSTANCE.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed =
        engine.call(QUICK, |docker| async move { docker.list_containers(Some(options)).await }).await?;
    let seen = listed.into_iter().filter_map(|container| {
        let number = container.labels?.get(label::INSTANCE)?.parse().ok()?;
        let seen = match container.state {
            Some(ContainerSummaryStateEnum::CREATED) => Seen::Made,
            Some(
                ContainerSummaryStateEnum::RUNNING
                | ContainerSummaryStateEnum::PAUSED
                | ContainerSummaryStateEnum::RESTARTING
                | ContainerSummaryStateEnum::STOPPING,
            ) => Seen::Runs,
            _ => Seen::Ended,
        };
        Some((InstanceId(number), seen))
    });
    Ok(seen.collect())
}

/// The names of containers that were for a task, of a driver before this one perhaps.
pub(super) async fn tasks(engine: &Engine, state: &str) -> Result<Vec<String>, Trouble> {
    let filters =
        HashMap::from([("label", vec![format!("{}={state}", label::STATE), label::TASK.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed =
        engine.call(QUICK, |docker| async move { docker.list_containers(Some(options)).await }).await?;
    Ok(listed.into_iter().filter_map(|container| container.id).collect())
}

/// Whether it was ever started.
pub(super) fn was_started(state: &ContainerState) -> bool {
    state.status != Some(ContainerStateStatusEnum::CREATED)
        || state.started_at.as_ref().is_some_and(|at| at != NEVER && !at.is_empty())
}

pub(super) fn runs(state: &ContainerState) -> bool {
    state.running == Some(true) || state.paused == Some(true) || state.restarting == Some(true)
}

/// How it ended.
pub(super) fn exit(state: &ContainerState) -> Exit {
    let said = state.error.as_deref().unwrap_or_default();
    match state.exit_code {
        _ if state.oom_killed == Some(true) => Exit::OutOfMemory,
        Some(126..=127) if !said.is_empty() => Exit::NotExecuted(not_executed(said)),
        Some(code) => match i32::try_from(code) {
            // An engine tells a signal as a code beyond 128. Only those that no program chooses by itself are taken for
            // one: many exit with 143 when they are asked to stop.
            Ok(code @ (132 | 134..=137 | 139)) => Exit::Signal(code - 128),
            Ok(code) => Exit::Code(code),
            Err(_) => Exit::Unknown,
        },
        None => Exit::Unknown,
    }
}

/// Why a container could not be started, without what only the engine's makers understand.
pub(super) fn not_executed(said: &str) -> String {
    let known = ["exec: ", "error mounting ", "starting container process caused: "];
    let at = known.iter().find_map(|part| said.find(part)).and_then(|at| said.get(at..));
    let text = at.unwrap_or(said).trim_end_matches(": unknown").to_owned();
    if said.contains("executable file not found") || said.contains("no such file or directory") {
        return format!("{text}: is it in the image, at this place?");
    }
    if said.contains("exec format error") {
        return format!("{text}: the image was built for another kind of machine");
    }
    text
}

/// Where it is reached. None: nowhere (any more).
pub(super) fn address(
    found: &NetworkSettings,
    plan: (Reach, Option<&str>, u16, IpAddr),
) -> Option<SocketAddr> {
    let (reach, network, port, host) = plan;
    match reach {
        Reach::Port => {
            let bindings = found.ports.as_ref()?.get(&format!("{port}/tcp"))?.as_ref()?;
            let published = bindings.iter().find_map(|binding| binding.host_port.as_ref()?.parse().ok())?;
            Some(SocketAddr::new(host, published))
        }
        Reach::Address => {
            let networks = found.networks.as_ref()?;
            let endpoint = match network {
                Some(name) => networks.get(name),
                None => networks.values().next(),
            }?;
            let parse = |text: &Option<String>| text.as_ref()?.parse::<IpAddr>().ok();
            let ip = parse(&endpoint.ip_address).or_else(|| parse(&endpoint.global_ipv6_address))?;
            Some(SocketAddr::new(ip, port))
        }
    }
}

/// Stands for an address where there is none: of an instance that has ended before it had one.
pub(super) fn nowhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_as_they_are() {
        let ended = |code, oom, error: &str| {
            exit(&ContainerState {
                exit_code: Some(code),
                oom_killed: Some(oom),
                error: Some(error.to_owned()),
                ..ContainerState::default()
            })
        };
        assert_eq!(ended(3, false, ""), Exit::Code(3));
        assert_eq!(ended(137, false, ""), Exit::Signal(9));
        assert_eq!(ended(143, false, ""), Exit::Code(143));
        assert_eq!(ended(137, true, ""), Exit::OutOfMemory);
        assert_eq!(ended(127, false, ""), Exit::Code(127));
        let missing = ended(
            127,
            false,
            "OCI runtime create failed: exec: \"x\": executable file not found in $PATH: unknown",
        );
        assert!(matches!(missing, Exit::NotExecuted(why) if why.starts_with("exec: \"x\": executable")));
    }
}

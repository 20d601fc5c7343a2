//! What stands in front of several services: which they are, and whether they go together.
//!
//! Each service has a configuration of its own; what they share is the proxy, and with it the addresses, the log and how
//! connections are encrypted. Knows no files. Tested in place.

use std::collections::BTreeMap;

use crate::base::ServiceName;

use super::admin::AdminSpec;
use super::check::admin::network_is_safe;
use super::check::fill;
use super::found::Found;
use super::monitoring::LogSpec;
use super::problem::{Problem, ProblemCode};
use super::service::ServiceSpec;
use super::value::Value;

/// So many services there may be behind one proxy: each has a controller of its own.
const MOST: usize = 50;

/// Several services behind one proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontSpec {
    /// The folders of the services, or their configurations, as they are written: seen from the file that names them.
    pub services: Vec<String>,
    /// The log of all their requests.
    pub log: LogSpec,
    /// Where people are answered over the network.
    pub admin: AdminSpec,
}

/// Whether a configuration is one of several services, by its first look; it need not be a good one.
pub fn is_front(text: &str) -> bool {
    let (file, _) = toml::de::DeTable::parse_recoverable(text);
    file.get_ref().iter().any(|(name, _)| name.get_ref() == "services")
}

/// The name of the service in a configuration that need not be a good one.
pub fn service_of(text: &str) -> Option<ServiceName> {
    let (file, _) = toml::de::DeTable::parse_recoverable(text);
    let (_, name) = file.get_ref().iter().find(|(name, _)| name.get_ref() == "service")?;
    name.get_ref().as_str()?.parse().ok()
}

/// Reads the configuration of what stands in front of several services.
///
/// # Errors
/// All problems of the text at once.
pub fn read_front(text: &str) -> Result<FrontSpec, Vec<Problem>> {
    let mut found = Found::read_front(text);
    let mut draft = ServiceSpec::draft();
    fill(&mut draft, &found);
    network_is_safe(&draft.admin, &mut found);
    if matches!(found.value("services"), Some(Value::Words(services)) if !(1..=MOST).contains(&services.len()))
    {
        let message = format!("`services` must name 1 to {MOST} services");
        let problem = Problem::new(ProblemCode::OutOfRange, found.span("services"), message);
        found.problems.push(problem.help("name for example services = [\"web\", \"api\"]"));
    }
    if !found.problems.is_empty() {
        found.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        return Err(found.problems);
    }
    let services = match found.value("services") {
        Some(Value::Words(services)) => services.clone(),
        _ => Vec::new(),
    };
    Ok(FrontSpec { services, log: draft.monitoring.log, admin: draft.admin })
}

/// Why services can't be behind one proxy, if they can't: all of it, one sentence each. That two claim the same hosts and
/// paths is seen where they are matched. `admin`: where people are answered about all of them.
pub fn disagreement(services: &[&ServiceSpec], admin: &AdminSpec) -> Vec<String> {
    let mut found = Vec::new();
    let mut names = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    let mut metrics = BTreeMap::new();
    for (at, spec) in services.iter().enumerate() {
        let name = &spec.service;
        if names.insert(name, at).is_some() {
            found.push(format!("two services are called {name}: give one of them another name"));
        }
        for listen in &spec.listen {
            let address = listen.address;
            let (other, before) = *addresses.entry(address).or_insert((name, listen));
            let same = (listen.speaks, listen.told, &listen.trusted)
                == (before.speaks, before.told, &before.trusted);
            if !same {
                found.push(format!(
                    "{other} and {name} want different things at {address}: write the same `speaks`, `trusted` and `told` in \
                     both"
                ));
            }
        }
        if let Some(address) = spec.monitoring.metrics.listen
            && let Some(other) = metrics.insert(address, name)
        {
            found.push(format!(
                "{other} and {name} both tell metrics at {address}: give each a port of its own"
            ));
        }
        if spec.monitoring.log != LogSpec::default() {
            found.push(format!("{name} has a [log] of its own: move it to the file that names the services"));
        }
        if spec.admin != AdminSpec::default() {
            found.push(format!(
                "{name} has an [admin] of its own: move it to the file that names the services"
            ));
        }
    }
    if let Some((first, rest)) = services.split_first() {
        for other in rest {
            let of = |spec: &ServiceSpec| (spec.tls.oldest, spec.tls.client_ca.clone(), spec.tls.client);
            if of(first) != of(other) {
                found.push(format!(
                    "{} and {} want different things of those who connect: write the same `oldest`, `client_ca` and \
                     `client` into [tls] of both",
                    first.service, other.service
                ));
            }
        }
    }
    if let Some(address) = admin.listen
        && let Some(name) = addresses.get(&address).map(|(name, _)| name).or(metrics.get(&address))
    {
        found.push(format!("{name} has {address} already: give [admin] a port of its own"));
    }
    for (address, name) in metrics {
        if addresses.contains_key(&address) {
            found.push(format!(
                "{name} tells metrics at {address}, where requests arrive: give them a port of their own"
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Speaks, TlsVersion, read};

    fn service(name: &str, more: &str) -> ServiceSpec {
        let text = format!(
            "service = \"{name}\"\n[run]\ncommand = [\"x\"]\n[[listen]]\naddress = \"127.0.0.1:8080\"\n{more}"
        );
        read(&text).unwrap()
    }

    #[test]
    fn a_front_names_its_services_and_nothing_that_is_theirs() {
        let front = read_front("services = [\"web\", \"../api/tandem.toml\"]\nlog.access = \"-\"").unwrap();
        assert_eq!(front.services, ["web", "../api/tandem.toml"]);
        assert_eq!(front.log.access.as_deref(), Some("-"));
        assert!(
            is_front("services = 1\nx = ") && !is_front("service = \"a\"") && !is_front("[x]\nservices = 1")
        );
        assert_eq!(service_of("service = \"a\"\nx = "), Some("a".parse().unwrap()));
        let problems = |text| {
            let found = read_front(text).unwrap_err();
            found.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
        };
        assert!(problems("services = []").contains("must name 1 to 50"));
        assert!(problems("services = \"web\"").contains("a list of texts is expected"));
        assert!(problems("services = [\"web\"]\n[run]\ncommand = [\"x\"]").contains("unknown key `run`"));
    }

    #[test]
    fn services_share_what_the_proxy_has_once() {
        let told = |other: ServiceSpec| {
            disagreement(&[&service("web", ""), &other], &AdminSpec::default()).join("; ")
        };
        assert_eq!(told(service("api", "")), "");
        assert!(told(service("web", "")).contains("two services are called web"));
        let mut other = service("api", "");
        other.listen[0].speaks = Speaks::Redirect;
        assert!(told(other).contains("different things at 127.0.0.1:8080"));
        let mut other = service("api", "");
        other.tls.oldest = TlsVersion::V1_3;
        assert!(told(other).contains("`oldest`"));
        assert!(told(service("api", "[log]\naccess = \"-\"\n")).contains("a [log] of its own"));
        let metrics = "[metrics]\nlisten = \"127.0.0.1:9\"\n";
        let both = [&service("web", metrics), &service("api", metrics)];
        assert!(disagreement(&both, &AdminSpec::default()).join("").contains("both tell metrics"));
        assert!(
            told(service("api", "[admin]\nlisten = \"127.0.0.1:9\"\n")).contains("an [admin] of its own")
        );
        let taken = AdminSpec { listen: Some("127.0.0.1:8080".parse().unwrap()), ..AdminSpec::default() };
        let said = disagreement(&[&service("web", "")], &taken).join("");
        assert!(said.contains("web has 127.0.0.1:8080 already"), "{said}");
    }
}

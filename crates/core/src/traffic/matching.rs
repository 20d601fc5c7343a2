//! Which service a request is for, by its host name and path; and whether a table makes sense at all.
//!
//! Knows nothing of HTTP: hosts come in lower case and without a port, paths as they were sent. Tested in place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::table::{Route, Table};
use crate::base::{InstanceId, ServiceName};

/// Host names and paths to the position of their route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostIndex {
    exact: BTreeMap<String, Paths>,
    wildcard: BTreeMap<String, Paths>,
    any: Paths,
}

/// The routes of one host by the beginning of the path, the longest first; an empty one is for all paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Paths(Vec<(String, usize)>);

/// Why routes make no sense, alone or beside others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Two routes claim the same host, and the same paths of it.
    #[error("two services claim the host {0:?}{of}", of = below(.1))]
    HostTwice(String, String),
    /// Two routes claim all hosts, and the same paths.
    #[error("two services claim all hosts{of}: give all but one of them `hosts` or `paths`", of = below(.0))]
    AnyTwice(String),
    /// A host is not written as it must be.
    #[error("{0:?} is not a host name: use lower case, no port, and `*` only as the whole first label")]
    Host(String),
    /// One instance stands in the table twice.
    #[error("instance {0} stands in the table twice")]
    InstanceTwice(InstanceId),
    /// A table names the routes of another service than its own.
    #[error("the table of {0} has a route of {1}")]
    Foreign(ServiceName, ServiceName),
    /// Two services want other things of the connections at one address.
    #[error(
        "two services want different things at {0}: `speaks`, `trusted` and `told` must be the same for both"
    )]
    Listener(SocketAddr),
}

/// The tables of several services as one, by which requests are routed. It has no generation of its own.
///
/// # Errors
/// A table names another service than its own, or two services want different things of one address.
pub fn join(tables: &BTreeMap<ServiceName, Table>) -> Result<Table, RouteError> {
    let mut all = Table::default();
    for (service, table) in tables {
        for route in &table.routes {
            if route.service != *service {
                return Err(RouteError::Foreign(service.clone(), route.service.clone()));
            }
            all.routes.push(route.clone());
        }
        for listener in &table.listeners {
            match all.listeners.iter().find(|known| known.address == listener.address) {
                Some(known) if known == listener => {}
                Some(_) => return Err(RouteError::Listener(listener.address)),
                None => all.listeners.push(listener.clone()),
            }
        }
    }
    Ok(all)
}

/// The path in a message; all of them need no word.
fn below(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" below {path}") }
}

impl HostIndex {
    /// The index of the given routes, if they make sense together.
    pub fn build(routes: &[Route]) -> Result<Self, RouteError> {
        let mut index = HostIndex::default();
        for (at, route) in routes.iter().enumerate() {
            if route.hosts.is_empty() {
                index.any.claim(route, at).map_err(RouteError::AnyTwice)?;
            }
            for host in &route.hosts {
                let (map, name) = match host.strip_prefix("*.") {
                    Some(rest) => (&mut index.wildcard, rest),
                    None => (&mut index.exact, host.as_str()),
                };
                let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._:[]".contains(&b);
                if name.is_empty() || !name.bytes().all(allowed) {
                    return Err(RouteError::Host(host.clone()));
                }
                let paths = map.entry(name.to_owned()).or_default();
                paths.claim(route, at).map_err(|path| RouteError::HostTwice(host.clone(), path))?;
            }
            let mut instances = BTreeSet::new();
            if let Some(twice) = route.members.iter().find(|member| !instances.insert(member.instance)) {
                return Err(RouteError::InstanceTwice(twice.instance));
            }
        }
        Ok(index)
    }

    /// The position of the route that takes everything, if there is no other: then a request needs no look.
    pub fn only(&self) -> Option<usize> {
        let alone = self.exact.is_empty() && self.wildcard.is_empty();
        match self.any.0.as_slice() {
            [(path, at)] if alone && path.is_empty() => Some(*at),
            _ => None,
        }
    }

    /// The position of the route for `host` (lower case, without port) and `path` (with or without a query): an exact name
    /// before a wildcard before "all", and of one name the longest beginning of the path.
    pub fn find(&self, host: &str, path: &str) -> Option<usize> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let exact = || self.exact.get(host)?.find(path);
        let wildcard = || self.wildcard.get(host.split_once('.')?.1)?.find(path);
        exact().or_else(wildcard).or_else(|| self.any.find(path))
    }
}

impl Paths {
    /// Enters a route with its paths, or tells which of them another one has.
    fn claim(&mut self, route: &Route, at: usize) -> Result<(), String> {
        let all = [String::new()];
        let paths = if route.paths.is_empty() { &all[..] } else { &route.paths };
        for path in paths {
            // "/api" and "/api/" are the same, and "/" is all.
            let path = path.trim_end_matches('/');
            if self.0.iter().any(|(known, _)| known == path) {
                return Err(path.to_owned());
            }
            self.0.push((path.to_owned(), at));
        }
        self.0.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Ok(())
    }

    fn find(&self, path: &str) -> Option<usize> {
        let found = self.0.iter().find(|(prefix, _)| is_below(path, prefix))?;
        Some(found.1)
    }
}

/// Whether a path begins with another one, by whole segments.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| prefix.is_empty() || matches!(rest.as_bytes().first(), None | Some(b'/' | b'?')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Generation;
    use crate::traffic::Listener;

    fn route(service: &str, hosts: &[&str]) -> Route {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        Route { hosts, ..Route::new(service.parse().unwrap(), Vec::new()) }
    }

    #[test]
    fn an_exact_host_goes_before_a_wildcard_before_all() {
        let routes = [route("a", &["shop.example.com"]), route("b", &["*.example.com"]), route("c", &[])];
        let index = HostIndex::build(&routes).unwrap();
        assert_eq!(index.find("shop.example.com", "/"), Some(0));
        assert_eq!(index.find("shop.example.com.", "/"), Some(0));
        assert_eq!(index.find("blog.example.com", "/"), Some(1));
        assert_eq!(index.find("a.b.example.com", "/"), Some(2));
        assert_eq!(index.find("example.com", "/"), Some(2));
        assert_eq!(HostIndex::build(&routes[..2]).unwrap().find("other", "/"), None);
    }

    #[test]
    fn conflicts_are_refused() {
        let twice = [route("a", &["x.org"]), route("b", &["x.org"])];
        assert_eq!(HostIndex::build(&twice), Err(RouteError::HostTwice("x.org".to_owned(), String::new())));
        assert_eq!(
            HostIndex::build(&[route("a", &[]), route("b", &[])]),
            Err(RouteError::AnyTwice(String::new()))
        );
        assert_eq!(HostIndex::build(&[route("a", &["X.org"])]), Err(RouteError::Host("X.org".to_owned())));
        assert!(HostIndex::build(&[route("a", &["a.*.org"])]).is_err());
    }

    fn below(service: &str, hosts: &[&str], paths: &[&str]) -> Route {
        Route { paths: paths.iter().map(|&path| path.to_owned()).collect(), ..route(service, hosts) }
    }

    #[test]
    fn of_one_host_the_longest_path_goes_first_by_whole_segments() {
        let routes = [
            below("web", &["x.org"], &[]),
            below("api", &["x.org"], &["/api", "/v1/"]),
            below("admin", &["x.org"], &["/api/admin"]),
            below("all", &[], &["/only"]),
        ];
        let index = HostIndex::build(&routes).unwrap();
        for (path, wanted) in [
            ("/", 0),
            ("/apis", 0),
            ("*", 0),
            ("/api", 1),
            ("/api?x=/api/admin", 1),
            ("/api/", 1),
            ("/v1/a", 1),
            ("/api/admin/x", 2),
            ("/api/administration", 1),
        ] {
            assert_eq!(index.find("x.org", path), Some(wanted), "{path}");
        }
        assert_eq!((index.find("y.org", "/only/x"), index.find("y.org", "/x")), (Some(3), None));
        assert_eq!((index.only(), HostIndex::build(&routes[3..]).unwrap().only()), (None, None));
        assert_eq!(HostIndex::build(&[below("a", &[], &["/"])]).unwrap().only(), Some(0));
    }

    #[test]
    fn one_path_of_one_host_belongs_to_one_service() {
        let twice = [below("a", &["x.org"], &["/api/"]), below("b", &["x.org", "y.org"], &["/api"])];
        assert_eq!(
            HostIndex::build(&twice),
            Err(RouteError::HostTwice("x.org".to_owned(), "/api".to_owned()))
        );
        let apart = [below("a", &["x.org"], &["/api"]), below("b", &["x.org"], &["/api/v2"])];
        assert!(HostIndex::build(&apart).is_ok());
    }

    #[test]
    fn tables_of_several_services_are_one_if_they_agree() {
        let listener = |trusted: &[&str]| Listener {
            trusted: trusted.iter().map(|network| network.parse().unwrap()).collect(),
            ..Listener::new("127.0.0.1:80".parse().unwrap())
        };
        let table = |service: &str, trusted: &[&str]| Table {
            generation: Generation(7),
            listeners: vec![listener(trusted)],
            routes: vec![route(service, &[])],
        };
        let join = |named: &str, second: Table| {
            let (web, named) = ("web".parse().unwrap(), named.parse().unwrap());
            join(&BTreeMap::from([(web, table("web", &["10.0.0.0/8"])), (named, second)]))
        };
        let both = join("api", table("api", &["10.0.0.0/8"])).unwrap();
        assert_eq!(
            both.routes.iter().map(|route| route.service.as_str()).collect::<Vec<_>>(),
            ["api", "web"]
        );
        assert_eq!((both.listeners.len(), both.generation), (1, Generation::default()));
        assert!(matches!(join("api", table("api", &[])), Err(RouteError::Listener(_))));
        assert!(matches!(join("api", table("web", &["10.0.0.0/8"])), Err(RouteError::Foreign(..))));
    }
}

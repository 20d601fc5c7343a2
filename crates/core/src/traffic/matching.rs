//! Which service a request is for, by its host name; and whether a table makes sense at all.
//!
//! Knows nothing of HTTP: hosts come in lower case and without a port. Tested in place.

use std::collections::{BTreeMap, BTreeSet};

use super::table::Route;
use crate::base::InstanceId;

/// Host names to the position of their route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostIndex {
    exact: BTreeMap<String, usize>,
    wildcard: BTreeMap<String, usize>,
    any: Option<usize>,
}

/// Why a list of routes makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Two routes claim the same host.
    #[error("two services claim the host {0:?}")]
    HostTwice(String),
    /// Two routes claim all hosts.
    #[error("two services claim all hosts: give all but one of them a list of hosts")]
    AnyTwice,
    /// A host is not written as it must be.
    #[error("{0:?} is not a host name: use lower case, no port, and `*` only as the whole first label")]
    Host(String),
    /// One instance stands in the table twice.
    #[error("instance {0} stands in the table twice")]
    InstanceTwice(InstanceId),
}

impl HostIndex {
    /// The index of the given routes, if they make sense together.
    pub fn build(routes: &[Route]) -> Result<Self, RouteError> {
        let mut index = HostIndex::default();
        let mut instances = BTreeSet::new();
        for (at, route) in routes.iter().enumerate() {
            if route.hosts.is_empty() && index.any.replace(at).is_some() {
                return Err(RouteError::AnyTwice);
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
                if map.insert(name.to_owned(), at).is_some() {
                    return Err(RouteError::HostTwice(host.clone()));
                }
            }
            for member in &route.members {
                if !instances.insert(member.instance) {
                    return Err(RouteError::InstanceTwice(member.instance));
                }
            }
        }
        Ok(index)
    }

    /// The position of the route that takes all hosts, if there is no other: then the host needs no look.
    pub fn only(&self) -> Option<usize> {
        self.any.filter(|_| self.exact.is_empty() && self.wildcard.is_empty())
    }

    /// The position of the route for `host` (lower case, without port): an exact name before a wildcard before "all".
    pub fn find(&self, host: &str) -> Option<usize> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let wildcard = || self.wildcard.get(host.split_once('.')?.1);
        self.exact.get(host).or_else(wildcard).copied().or(self.any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(service: &str, hosts: &[&str]) -> Route {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        Route { hosts, ..Route::new(service.parse().unwrap(), Vec::new()) }
    }

    #[test]
    fn an_exact_host_goes_before_a_wildcard_before_all() {
        let routes = [route("a", &["shop.example.com"]), route("b", &["*.example.com"]), route("c", &[])];
        let index = HostIndex::build(&routes).unwrap();
        assert_eq!(index.find("shop.example.com"), Some(0));
        assert_eq!(index.find("shop.example.com."), Some(0));
        assert_eq!(index.find("blog.example.com"), Some(1));
        assert_eq!(index.find("a.b.example.com"), Some(2));
        assert_eq!(index.find("example.com"), Some(2));
        assert_eq!(HostIndex::build(&routes[..2]).unwrap().find("other"), None);
    }

    #[test]
    fn conflicts_are_refused() {
        let twice = [route("a", &["x.org"]), route("b", &["x.org"])];
        assert_eq!(HostIndex::build(&twice), Err(RouteError::HostTwice("x.org".to_owned())));
        assert_eq!(HostIndex::build(&[route("a", &[]), route("b", &[])]), Err(RouteError::AnyTwice));
        assert_eq!(HostIndex::build(&[route("a", &["X.org"])]), Err(RouteError::Host("X.org".to_owned())));
        assert!(HostIndex::build(&[route("a", &["a.*.org"])]).is_err());
    }
}

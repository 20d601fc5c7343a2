//! Which role a call needs: one table for what is asked about a service, one for the rest. What is not in them is refused.
//!
//! Pure. Tested in place, against the routes of the admin API, and in `tests/server/admin`.

use http::Method;

use crate::message::Role;

/// A call, and who may make it. `{id}` stands for a number, such as `d7` or `i3`, `{digest}` for one of 64 digits.
pub(super) struct Row {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) role: Role,
}

const fn row(role: Role, method: &'static str, path: &'static str) -> Row {
    Row { method, path, role }
}

/// What is answered here.
pub(super) const HERE: &[Row] = &[
    row(Role::Viewer, "GET", "/v1/me"),
    row(Role::Viewer, "GET", "/v1/services"),
    row(Role::Viewer, "POST", "/v1/logout"),
    row(Role::Admin, "GET", "/v1/audit"),
];

/// What is asked about a service, by its path at the service's own socket.
pub(super) const OF_A_SERVICE: &[Row] = &[
    row(Role::Viewer, "GET", "/v1/status"),
    row(Role::Viewer, "GET", "/v1/why"),
    row(Role::Viewer, "GET", "/v1/events"),
    row(Role::Viewer, "GET", "/v1/deployments"),
    row(Role::Viewer, "GET", "/v1/deployments/{id}"),
    row(Role::Viewer, "GET", "/v1/deployments/{id}/events"),
    row(Role::Viewer, "GET", "/v1/metrics"),
    row(Role::Viewer, "GET", "/v1/traffic"),
    row(Role::Deployer, "POST", "/v1/deployments"),
    row(Role::Deployer, "POST", "/v1/deployments/{id}/pause"),
    row(Role::Deployer, "POST", "/v1/deployments/{id}/resume"),
    row(Role::Deployer, "POST", "/v1/deployments/{id}/abort"),
    row(Role::Deployer, "POST", "/v1/deployments/{id}/promote"),
    row(Role::Deployer, "POST", "/v1/rollback"),
    row(Role::Viewer, "GET", "/v1/queue"),
    row(Role::Deployer, "POST", "/v1/push"),
    row(Role::Deployer, "POST", "/v1/queue/{digest}/approve"),
    row(Role::Deployer, "POST", "/v1/source/pause"),
    row(Role::Deployer, "POST", "/v1/source/resume"),
    row(Role::Deployer, "POST", "/v1/hold"),
    // It looks at whatever path of the machine it is told.
    row(Role::Deployer, "POST", "/v1/plan"),
    // It shows a version that nobody else is to see yet.
    row(Role::Deployer, "GET", "/v1/link"),
    // Apps write down what is their users' business.
    row(Role::Deployer, "GET", "/v1/instances/{id}/log"),
    row(Role::Admin, "POST", "/v1/scale"),
    row(Role::Admin, "POST", "/v1/gate"),
    // Passwords may stand in it.
    row(Role::Admin, "GET", "/v1/config"),
];

/// Why a call is in no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// There is no such path.
    Path,
    /// The path is there, the method is not; these are.
    Method(String),
}

/// The role that a call needs.
pub(super) fn needed(table: &[Row], method: &Method, path: &str) -> Result<Role, Unfit> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let fits = || table.iter().filter(|row| matches(row.path, path));
    match fits().find(|row| row.method == method) {
        Some(row) => Ok(row.role),
        None if fits().next().is_none() => Err(Unfit::Path),
        None => {
            let methods = fits().map(|row| if row.method == "GET" { "GET,HEAD" } else { row.method });
            Err(Unfit::Method(methods.collect::<Vec<_>>().join(",")))
        }
    }
}

/// Whether a method may change something.
pub(super) fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// A segment is taken as it was sent: nothing is decoded, so nothing can mean something else further on.
fn matches(pattern: &str, path: &str) -> bool {
    let is_number = |part: &str, longest| {
        (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let fits = |(pattern, part): (&str, &str)| match pattern {
        "{id}" => is_number(part, 24),
        "{digest}" => is_number(part, 64),
        _ => pattern == part,
    };
    let parts = || pattern.split('/').zip(path.split('/'));
    pattern.split('/').count() == path.split('/').count() && parts().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The routes of a service's socket as they are written: path and methods.
    fn routes() -> Vec<(&'static str, Vec<String>)> {
        let source = include_str!("../api/route.rs");
        assert!(!source.contains(".merge(") && !source.contains(".nest("), "routes that are not seen here");
        let written = source.split(".route(").skip(1).map(|rest| {
            let mut open = 1;
            let is_end = |c: char| {
                open += i32::from(c == '(') - i32::from(c == ')');
                open == 0
            };
            let call = rest.split(is_end).next().unwrap();
            let (path, handlers) = call.split_once("\",").unwrap();
            let methods = ["get", "post", "put", "patch", "delete", "any", "on"];
            let has = |method: &&&str| {
                let words = handlers.split(|c: char| !c.is_alphanumeric() && c != '(' && c != '_');
                words.flat_map(|word| word.split_inclusive('(')).any(|word| word == format!("{method}("))
            };
            let methods = methods.iter().filter(has).map(|method| method.to_uppercase()).collect();
            (path.trim().trim_start_matches('"'), methods)
        });
        written.collect()
    }

    #[test]
    fn every_route_of_a_service_has_a_row_and_every_row_a_route() {
        let routes = routes();
        assert!(routes.len() >= 18, "{routes:?}");
        let mut known = Vec::new();
        for (path, methods) in &routes {
            assert!(!methods.is_empty(), "{path}");
            for method in methods {
                let row = OF_A_SERVICE.iter().find(|row| row.method == method && row.path == *path);
                assert!(row.is_some(), "{method} {path} needs a row: who may call it over the network?");
                known.push((method.as_str(), *path));
            }
        }
        for row in OF_A_SERVICE {
            assert!(
                known.contains(&(row.method, row.path)),
                "{} {} is no route any more",
                row.method,
                row.path
            );
        }
    }

    #[test]
    fn what_is_in_no_row_is_refused_however_it_is_written() {
        let needed = |method: Method, path| needed(OF_A_SERVICE, &method, path);
        assert_eq!(needed(Method::GET, "/v1/deployments/d7"), Ok(Role::Viewer));
        assert_eq!(needed(Method::HEAD, "/v1/status"), Ok(Role::Viewer));
        assert_eq!(needed(Method::POST, "/v1/scale"), Ok(Role::Admin));
        assert_eq!(needed(Method::DELETE, "/v1/status"), Err(Unfit::Method("GET,HEAD".to_owned())));
        let both = Err(Unfit::Method("GET,HEAD,POST".to_owned()));
        assert_eq!(needed(Method::PUT, "/v1/deployments"), both);
        for path in [
            "/v1/status/",
            "/v1//status",
            "//v1/status",
            "/v1/./status",
            "/v1/why/../config",
            "/v1/%73tatus",
            "/v1/deployments/",
            "/v1/deployments/..",
            "/v1/deployments/d7%2fpause",
            "/v1/deployments/d7/../../config",
            "/v1/deployments/{id}",
            "/v1/queue/{digest}/approve",
            "/v1/queue/a.b/approve",
            "/v1/instances/i1/log/",
            "/V1/status",
            "/v1/status;x",
            "",
        ] {
            assert_eq!(needed(Method::GET, path), Err(Unfit::Path), "{path}");
        }
    }
}

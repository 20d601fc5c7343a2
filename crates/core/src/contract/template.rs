//! Which operation a request is for: the templates of paths, as a tree of segments.
//!
//! A request visits each node at most once and allocates nothing. Tested in place.

use std::collections::BTreeMap;

use super::Operation;

/// The operations of a service, to be found by method and path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Templates {
    root: Node,
}

/// What may follow after some segments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Node {
    /// Operations that end here: by method, their place in the list.
    ends: Vec<(String, usize)>,
    /// Segments without parameters.
    plain: BTreeMap<String, Node>,
    /// Segments with parameters, those that say the most first.
    open: Vec<(Open, Node)>,
}

/// A segment with parameters: what stands before the first and after the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    before: String,
    after: String,
}

impl Open {
    fn of(segment: &str) -> Option<Open> {
        let (before, rest) = segment.split_once("{}")?;
        let after = rest.rsplit_once("{}").map_or(rest, |(_, after)| after);
        Some(Open { before: before.to_owned(), after: after.to_owned() })
    }

    fn length(&self) -> usize {
        self.before.len() + self.after.len()
    }

    fn fits(&self, segment: &str) -> bool {
        segment.len() > self.length()
            && segment.starts_with(self.before.as_str())
            && segment.ends_with(self.after.as_str())
    }
}

impl Templates {
    /// The tree of the given operations.
    pub fn build(operations: &[Operation]) -> Templates {
        let mut root = Node::default();
        for (at, operation) in operations.iter().enumerate() {
            let mut node = &mut root;
            for segment in operation.path().split('/') {
                node = node.below(segment);
            }
            node.ends.push((operation.method().to_owned(), at));
        }
        root.sort();
        Templates { root }
    }

    /// The place of the operation that a request is for; `path` may have a query. What has no parameter goes before what
    /// has, as OpenAPI asks for.
    pub fn find(&self, method: &str, path: &str) -> Option<usize> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        self.root.find(method, Some(path))
    }
}

impl Node {
    fn below(&mut self, segment: &str) -> &mut Node {
        let Some(open) = Open::of(segment) else { return self.plain.entry(segment.to_owned()).or_default() };
        let at = self.open.iter().position(|(known, _)| *known == open).unwrap_or_else(|| {
            self.open.push((open, Node::default()));
            self.open.len() - 1
        });
        &mut self.open[at].1
    }

    fn sort(&mut self) {
        self.open.sort_by_key(|(open, _)| std::cmp::Reverse(open.length()));
        let open = self.open.iter_mut().map(|(_, node)| node);
        self.plain.values_mut().chain(open).for_each(Node::sort);
    }

    fn find(&self, method: &str, path: Option<&str>) -> Option<usize> {
        let Some(path) = path else {
            return self.ends.iter().find(|(known, _)| known == method).map(|(_, at)| *at);
        };
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let plain = self.plain.get(segment).and_then(|node| node.find(method, rest));
        let mut open = self.open.iter().filter(|(open, _)| open.fits(segment));
        plain.or_else(|| open.find_map(|(_, node)| node.find(method, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_more_goes_first_and_nothing_fits_half() {
        let operations = [
            Operation::new("get", "/orders/{id}"),
            Operation::new("get", "/orders/recent"),
            Operation::new("post", "/orders"),
            Operation::new("get", "/orders/{id}/lines/{line}"),
            Operation::new("get", "/files/{name}.json"),
            Operation::new("get", "/files/{name}"),
            Operation::new("get", "/compare/{from}...{to}"),
            Operation::new("get", "/"),
            Operation::new("delete", "/orders/recent"),
        ];
        let templates = Templates::build(&operations);
        for (method, path, found) in [
            ("GET", "/orders/7", Some(0)),
            ("GET", "/orders/7?x=/a", Some(0)),
            ("GET", "/orders/recent", Some(1)),
            ("DELETE", "/orders/recent", Some(8)),
            ("POST", "/orders", Some(2)),
            ("GET", "/orders/recent/lines/1", Some(3)),
            ("GET", "/files/a.json", Some(4)),
            ("GET", "/files/.json", Some(5)),
            ("GET", "/compare/v1...v2", Some(6)),
            ("GET", "/", Some(7)),
            ("GET", "/orders", None),
            ("GET", "/orders/", None),
            ("GET", "/orders/7/", None),
            ("GET", "/orders/7/lines", None),
            ("PUT", "/orders/7", None),
            ("OPTIONS", "*", None),
            ("GET", "", None),
        ] {
            assert_eq!(templates.find(method, path), found, "{method} {path}");
        }
    }
}

//! The fields of how a new version replaces the old one.

use std::fmt::Display;
use std::str::FromStr;

use super::super::deploy::{CanaryStep, DeploySpec};
use super::super::guard::{ANY, ErrorLimit, LatencyLimit};
use super::super::value::Value;
use super::{Field, literal};

pub(super) fn visit(deploy: &mut DeploySpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("deploy.strategy", &mut deploy.strategy);
    each("deploy.batch", &mut deploy.rolling.batch);
    each("deploy.surge", &mut deploy.rolling.surge);
    each("deploy.floor", &mut deploy.rolling.floor);
    each("deploy.bake", &mut deploy.bake);
    each("deploy.flip.warm", &mut deploy.flip.warm);
    each("deploy.canary.steps", &mut deploy.canary.steps);
    each("deploy.canary.headers", &mut deploy.canary.headers);
    each("deploy.canary.cookies", &mut deploy.canary.cookies);
    each("deploy.canary.warm", &mut deploy.canary.warm);
    let guard = &mut deploy.guard;
    each("deploy.guard.crashes", &mut guard.crashes);
    each("deploy.guard.errors", &mut guard.errors);
    each("deploy.guard.p50", &mut guard.p50);
    each("deploy.guard.p95", &mut guard.p95);
    each("deploy.guard.p99", &mut guard.p99);
    each("deploy.guard.sample", &mut guard.sample);
    each("deploy.guard.extend", &mut guard.extend);
    each("deploy.guard.unclear", &mut guard.unclear);
    each("deploy.guard.patience", &mut guard.patience);
}

impl Field for Vec<CanaryStep> {
    fn set(&mut self, value: &Value) {
        if let Value::Words(words) = value {
            *self = words.iter().filter_map(|word| word.parse().ok()).collect();
        }
    }

    fn show(&self) -> Option<String> {
        self.iter().map(ToString::to_string).collect::<Vec<_>>().show()
    }
}

/// A limit, or none: then the word for that is shown.
fn set<T: FromStr>(limit: &mut Option<T>, value: &Value) {
    if let Value::Text(text) = value {
        *limit = text.parse().ok();
    }
}

fn show<T: Display>(limit: Option<&T>) -> Option<String> {
    Some(literal(&limit.map_or_else(|| ANY.to_owned(), T::to_string)))
}

impl Field for Option<ErrorLimit> {
    fn set(&mut self, value: &Value) {
        set(self, value);
    }

    fn show(&self) -> Option<String> {
        show(self.as_ref())
    }
}

impl Field for Option<LatencyLimit> {
    fn set(&mut self, value: &Value) {
        set(self, value);
    }

    fn show(&self) -> Option<String> {
        show(self.as_ref())
    }
}

//! The fields of containers.

use super::super::docker::{Cpus, DockerSpec, EngineHost, Reach};
use super::super::value::Value;
use super::{Field, literal};

pub(super) fn visit(docker: Option<&mut DockerSpec>, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    let Some(docker) = docker else { return };
    each("run.docker.hosts", &mut docker.hosts);
    each("run.docker.certificates", &mut docker.certificates);
    each("run.docker.port", &mut docker.port);
    each("run.docker.reach", &mut docker.reach);
    each("run.docker.network", &mut docker.network);
    each("run.docker.memory", &mut docker.memory);
    each("run.docker.cpus", &mut docker.cpus);
    each("run.docker.volumes", &mut docker.volumes);
    each("run.docker.pull_within", &mut docker.pull_within);
    each("run.docker.registry.host", &mut docker.registry.host);
    each("run.docker.registry.user", &mut docker.registry.user);
    each("run.docker.registry.password", &mut docker.registry.password);
}

impl Field for Vec<EngineHost> {
    fn set(&mut self, value: &Value) {
        if let Value::Words(words) = value {
            *self = words.iter().filter_map(|word| word.parse().ok()).collect();
        }
    }

    fn show(&self) -> Option<String> {
        self.iter().map(ToString::to_string).collect::<Vec<_>>().show()
    }
}

impl Field for Option<Reach> {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            *self = Reach::named(text);
        }
    }

    fn show(&self) -> Option<String> {
        self.map(|reach| literal(reach.name()))
    }
}

impl Field for Option<Cpus> {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            *self = text.parse().ok();
        }
    }

    fn show(&self) -> Option<String> {
        self.map(|cpus| literal(&cpus.to_string()))
    }
}

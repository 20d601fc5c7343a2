//! The engines on which a service runs as containers: whether they answer.

use std::path::Path;

use tandem_core::spec::ServiceSpec;
use tandem_drivers::docker::ask_engines;

use super::Finding;

/// Nothing, if instances are processes.
pub(super) fn look(config: &Path, spec: &ServiceSpec) -> Vec<Finding> {
    let Some(mut docker) = spec.run.docker.clone() else { return Vec::new() };
    let base = config.parent().unwrap_or(Path::new("."));
    docker.certificates = docker.certificates.map(|folder| base.join(folder).to_string_lossy().into_owned());
    let service = &spec.service;
    let answers = match ask_engines(&docker) {
        Ok(answers) => answers,
        Err(error) => {
            return vec![Finding::bad(
                "docker",
                format!("{service}: {error}"),
                "see whether the disk is full",
            )];
        }
    };
    let told = answers.into_iter().map(|(host, answer)| match answer {
        Ok(version) => Finding::good("docker", format!("{service}: the engine {version} at {host} answers")),
        Err(why) => Finding::bad(
            "docker",
            format!("{service}: the engine at {host}: {why}"),
            "start it, and see that the user who runs `tandem up` may use its socket, or has its certificates",
        ),
    });
    told.collect()
}

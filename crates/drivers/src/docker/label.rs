//! By which labels and names our containers and images are known on an engine.
//!
//! Several Tandems may share an engine: each has an identity in its state folder, and touches only what carries it.
//! Tested in place.

use tandem_core::base::{Digest, InstanceId, ServiceName};

/// Whose it is: the identity of the state folder.
pub(super) const STATE: &str = "tandem.state";
/// The service.
pub(super) const SERVICE: &str = "tandem.service";
/// The version.
pub(super) const VERSION: &str = "tandem.version";
/// The number of the instance; only instances have it.
pub(super) const INSTANCE: &str = "tandem.instance";
/// What a container that is no instance is for.
pub(super) const TASK: &str = "tandem.task";

/// The name of an instance's container: there is one, whoever asks for it and how often.
pub(super) fn container(state: &str, service: &ServiceName, instance: InstanceId) -> String {
    format!("{service}-{}-{}", instance.0, short(state))
}

/// A name by which we hold an image, so that it stays while a version of ours needs it: repository and tag.
pub(super) fn hold(state: &str, service: &ServiceName, digest: &Digest) -> (String, String) {
    (format!("tandem/{service}-{}", short(state)), digest.as_str().chars().take(32).collect())
}

fn short(state: &str) -> &str {
    state.get(..8).unwrap_or(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_they_are() {
        let (service, state) = ("shop".parse().unwrap(), "0123456789abcdef");
        assert_eq!(container(state, &service, InstanceId(7)), "shop-7-01234567");
        let digest = "ab".repeat(32).parse().unwrap();
        let (repository, tag) = hold(state, &service, &digest);
        assert_eq!((repository.as_str(), tag.len()), ("tandem/shop-01234567", 32));
    }
}

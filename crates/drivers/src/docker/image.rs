//! Images: found, pulled or loaded, held by a name of ours, let go.
//!
//! A version is the digest of its manifest in a registry, or of the bytes of the archive that it came in. Each engine has
//! its own copy. Must not know instances. Tested by `tests/drivers` with real engines and a real registry.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::body_try_stream;
use bollard::errors::Error;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptions, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures_util::TryStreamExt;
use tandem_core::base::{Digest, ImageReference};

use super::engine::{Engine, QUICK, SLOW};
use super::record::ImageRecord;
use super::trouble::Trouble;

/// How long a registry may take to say what a tag stands for.
const ASKING: Duration = Duration::from_secs(30);
/// So much of an archive is sent at a time.
const CHUNK: usize = 256 * 1024;

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A registry, or whoever built it on the engine itself.
    Registry(ImageReference),
    /// An archive made by `docker save`.
    Archive(PathBuf),
    /// It came in an archive, which is not at hand any more.
    Gone,
}

/// Who we are at a registry.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) host: String,
    pub(super) user: String,
    pub(super) password: Secret,
}

/// What is not shown by mistake.
#[derive(Clone)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What is needed to have an image on an engine.
#[derive(Debug, Clone)]
pub(super) struct Supply {
    pub(super) login: Option<Login>,
    /// How long pulling or loading may take.
    pub(super) within: Duration,
}

impl Supply {
    /// Nobody but the one registry is told who we are.
    fn login(&self, image: &ImageReference) -> Option<DockerCredentials> {
        let login = self.login.as_ref().filter(|login| image.registry() == Some(login.host.as_str()))?;
        Some(DockerCredentials {
            username: Some(login.user.clone()),
            password: Some(login.password.0.clone()),
            serveraddress: Some(login.host.clone()),
            ..DockerCredentials::default()
        })
    }

    /// What a reference stands for at this moment. An image that was built on the engine and never was in a registry
    /// stands for itself.
    pub(super) async fn resolve(&self, engine: &Engine, image: &ImageReference) -> Result<Digest, Trouble> {
        if let Some(digest) = image.digest() {
            return Ok(digest.clone());
        }
        if let Some(id) = built_here(engine, image).await? {
            return digest_of(&id);
        }
        let (name, login) = (image.exact(), self.login(image));
        let asked = engine
            .call(ASKING, |docker| async move { docker.inspect_registry_image(&name, login).await })
            .await;
        let found = asked.map_err(|trouble| told(image, trouble))?;
        digest_of(&found.descriptor.digest.unwrap_or_default())
    }

    /// Sees to it that the image is on the engine, held by a name of ours.
    pub(super) async fn ensure(
        &self,
        engine: &Arc<Engine>,
        origin: &Origin,
        (repository, tag): (String, String),
    ) -> Result<ImageRecord, Trouble> {
        let held = format!("{repository}:{tag}");
        let image = match (id(engine, &held).await?, origin) {
            // Names that were made before stand in the record already.
            (Some(id), _) => return Ok(ImageRecord { id, names: vec![held] }),
            (None, Origin::Registry(image)) => self.pulled(engine, image).await?,
            (None, Origin::Archive(archive)) => self.loaded(engine, archive).await?,
            (None, Origin::Gone) => {
                return Err(Trouble::refused(
                    "the image is gone from it: deploy its archive again under another label",
                ));
            }
        };
        let source = image.id.clone();
        let options = TagImageOptionsBuilder::default().repo(&repository).tag(&tag).build();
        engine.call(SLOW, |docker| async move { docker.tag_image(&source, Some(options)).await }).await?;
        let ImageRecord { id, mut names } = image;
        names.insert(0, held);
        Ok(ImageRecord { id, names })
    }

    /// The image of a reference with a digest.
    async fn pulled(&self, engine: &Engine, image: &ImageReference) -> Result<ImageRecord, Trouble> {
        let exact = image.exact();
        let here = match id(engine, &exact).await? {
            Some(id) => Some(id),
            // An image that was built there is known by its own digest.
            None => match image.digest() {
                Some(digest) => id(engine, &format!("sha256:{digest}")).await?,
                None => None,
            },
        };
        if let Some(id) = here {
            return Ok(ImageRecord { id, names: Vec::new() });
        }
        let options = CreateImageOptionsBuilder::default().from_image(&exact).build();
        let login = self.login(image);
        let pull = |docker: bollard::Docker| async move {
            docker.create_image(Some(options), None, login).try_for_each(|_| async { Ok(()) }).await
        };
        engine.call(self.within, pull).await.map_err(|trouble| told(image, trouble))?;
        let id = id(engine, &exact)
            .await?
            .ok_or_else(|| Trouble::refused(format!("{image} was pulled and is not there")))?;
        Ok(ImageRecord { id, names: vec![exact] })
    }

    /// The one image of an archive.
    async fn loaded(&self, engine: &Engine, archive: &Path) -> Result<ImageRecord, Trouble> {
        let unreadable = |error: std::io::Error| Trouble::refused(format!("{}: {error}", archive.display()));
        let file = File::open(archive).map_err(unreadable)?;
        let chunks = futures_util::stream::unfold(Some(file), |file| async move {
            let mut file = file?;
            let mut chunk = vec![0; CHUNK];
            match file.read(&mut chunk) {
                Ok(0) => None,
                Ok(count) => {
                    chunk.truncate(count);
                    Some((Ok(Bytes::from(chunk)), Some(file)))
                }
                Err(error) => Some((Err(error), None)),
            }
        });
        let load = |docker: bollard::Docker| async move {
            let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
            let said = docker.import_image(options, body_try_stream(chunks), None);
            said.map_ok(|line| line.stream.unwrap_or_default()).try_collect::<String>().await
        };
        let said = engine.call(self.within, load).await.map_err(|trouble| match trouble {
            Trouble::Refused { message, status } => {
                Trouble::Refused { status, message: format!("it can't load the image: {message}") }
            }
            away => away,
        })?;
        let names: Vec<String> = loaded_names(&said);
        let [name, ..] = names.as_slice() else {
            return Err(Trouble::refused("it loaded no image from the archive"));
        };
        let id = id(engine, name)
            .await?
            .ok_or_else(|| Trouble::refused(format!("{name} was loaded and is not there")))?;
        let names = names.into_iter().filter(|name| !name.starts_with("sha256:")).collect();
        Ok(ImageRecord { id, names })
    }
}

/// What an engine says that it loaded, names and bare identities.
fn loaded_names(said: &str) -> Vec<String> {
    let known = |line: &str| {
        let name = line
            .trim()
            .strip_prefix("Loaded image ID: ")
            .or_else(|| line.trim().strip_prefix("Loaded image: "));
        name.map(|name| name.trim().to_owned())
    };
    said.lines().filter_map(known).collect()
}

/// The engine's own name for an image. None: it has none of that name.
pub(super) async fn id(engine: &Engine, name: &str) -> Result<Option<String>, Trouble> {
    let wanted = name.to_owned();
    match engine.call(QUICK, |docker| async move { docker.inspect_image(&wanted).await }).await {
        Ok(image) => Ok(image.id.filter(|id| !id.is_empty())),
        Err(trouble) if trouble.is_missing() => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// The identity of an image that is on the engine and in no registry.
async fn built_here(engine: &Engine, image: &ImageReference) -> Result<Option<String>, Trouble> {
    let name = image.exact();
    match engine.call(QUICK, |docker| async move { docker.inspect_image(&name).await }).await {
        Ok(found) if found.repo_digests.as_ref().is_none_or(Vec::is_empty) => Ok(found.id),
        Ok(_) => Ok(None),
        Err(trouble) if trouble.is_missing() => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Lets go of names. What somebody else uses stays, and so does what is not there.
pub(super) async fn release(engine: &Engine, names: &[String]) -> Result<(), Trouble> {
    for name in names {
        let (name, options) = (name.clone(), RemoveImageOptionsBuilder::default().build());
        let remove =
            |docker: bollard::Docker| async move { docker.remove_image(&name, Some(options), None).await };
        match engine.call(SLOW, remove).await {
            Err(trouble) if !trouble.is_missing() && !trouble.is_conflict() => return Err(trouble),
            _ => {}
        }
    }
    Ok(())
}

fn digest_of(id: &str) -> Result<Digest, Trouble> {
    let digest = id.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
    digest.ok_or_else(|| Trouble::refused(format!("{id:?} is not a digest as Tandem knows them (sha256:…)")))
}

/// What an engine says of an image that it could not get, and what to do about it.
fn told(image: &ImageReference, trouble: Trouble) -> Trouble {
    let Trouble::Refused { status, message } = trouble else { return trouble };
    let low = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| low.contains(word));
    let advice = if says(&["no matching manifest", "does not match the specified platform"]) {
        "; it was not built for this kind of machine: build it for the platform of the engine"
    } else if says(&["unauthorized", "denied", "authentication required", "no basic auth"]) {
        "; is its name right, and does [run.docker.registry] say who we are?"
    } else if says(&["manifest unknown", "not found", "no such image", "name unknown"]) {
        "; was it pushed, under this very name and tag?"
    } else if says(&[
        "connection refused",
        "no such host",
        "timeout",
        "i/o",
        "dial tcp",
        "deadline",
        "lookup",
    ]) {
        "; the registry can't be reached from the engine"
    } else {
        ""
    };
    Trouble::Refused { status, message: format!("the image {image} can't be had: {message}{advice}") }
}

/// For a stream of bytes that somebody else made.
pub(super) fn failed(error: std::io::Error) -> Error {
    Error::IOError { err: error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_loaded_is_read_from_what_the_engine_says() {
        assert_eq!(
            loaded_names("Loaded image: shop:v1\nLoaded image ID: sha256:12\n"),
            ["shop:v1", "sha256:12"]
        );
        assert!(loaded_names("something else\n").is_empty());
    }

    #[test]
    fn only_the_one_registry_is_told_who_we_are() {
        let login = Login {
            host: "registry.example".to_owned(),
            user: "u".to_owned(),
            password: Secret("p".to_owned()),
        };
        let supply = Supply { login: Some(login), within: Duration::from_secs(1) };
        assert!(supply.login(&"registry.example/shop:v1".parse().unwrap()).is_some());
        assert!(supply.login(&"other.example/shop:v1".parse().unwrap()).is_none());
        assert!(supply.login(&"shop:v1".parse().unwrap()).is_none());
        assert!(!format!("{supply:?}").contains("\"p\""));
    }

    #[test]
    fn troubles_of_registries_say_what_to_do() {
        let image = "registry.example/shop:v1".parse().unwrap();
        for (said, advice) in [
            ("manifest unknown", "was it pushed"),
            ("pull access denied for shop", "who we are"),
            ("dial tcp: lookup registry.example: no such host", "can't be reached"),
            (
                "no matching manifest for linux/arm64/v8 in the manifest list entries",
                "platform of the engine",
            ),
        ] {
            assert!(told(&image, Trouble::refused(said)).to_string().contains(advice), "{said}");
        }
    }
}

//! What images hold, and commands that are run in them: for migrations, documents and assets.
//!
//! Must not know instances. Tested by the conformance suite, and by `tests/drivers` with real engines.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::models::{ContainerCreateBody, HostConfig};
use tandem_core::base::VersionLabel;

use super::engine::{Engine, SLOW};
use super::task::{self, Outcome};
use super::{DockerDriver, container, files, image, label, no_engine};
use crate::driver::{DriverError, RunCommand};
use crate::process::layout;
use crate::process::release::{self, Limits, archive};

/// What the form of an archive adds to a file.
const FORM: u64 = 1 << 16;

impl DockerDriver {
    /// A container that runs a version and is no instance.
    fn task(&self, image: String, purpose: &str) -> ContainerCreateBody {
        let labels = [(label::STATE, self.state.as_str()), (label::TASK, purpose)];
        ContainerCreateBody {
            image: Some(image),
            // Not every image says what is run, and an engine makes no container that could run nothing.
            cmd: Some(vec!["true".to_owned()]),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            ..ContainerCreateBody::default()
        }
    }

    /// What a task or a copy is made of: the first engine that has the version's image, or can get it.
    pub(super) fn image_somewhere(
        &self,
        version: &VersionLabel,
    ) -> Result<(Arc<Engine>, String), DriverError> {
        let mut last = None;
        let (here, away): (Vec<_>, Vec<_>) = self.engines.iter().partition(|engine| !engine.is_away());
        for engine in here.into_iter().chain(away) {
            match self.image_on(version, engine) {
                Ok(image) => return Ok((engine.clone(), image.id)),
                Err(error @ DriverError::NotPrepared(_)) => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_engine))
    }

    /// Copies what is at a path of an image into a file in the form of tar. None: there is nothing.
    fn copied(
        &self,
        engine: &Arc<Engine>,
        image: String,
        path: &str,
        most: u64,
    ) -> Result<Option<tempfile::NamedTempFile>, DriverError> {
        let root = self.layout.root();
        let to = tempfile::NamedTempFile::new_in(root).map_err(DriverError::io("writing in", root))?;
        let writer = to.reopen().map_err(DriverError::io("writing in", root))?;
        let (asked, wanted, body) = (engine.clone(), path.to_owned(), self.task(image, "copy"));
        let copied =
            self.within(SLOW * 8, async move { files::copy(&asked, body, &wanted, writer, most).await });
        let copied = copied
            .map_err(|trouble| self.told(engine, &format!("copying {path} out of an image"), trouble))?;
        Ok(copied.then_some(to))
    }
    pub(super) fn copied_folder(
        &self,
        version: &VersionLabel,
        path: &str,
    ) -> Result<Option<PathBuf>, DriverError> {
        let files = self.layout.files(version);
        if self.version(version)?.is_none() {
            return Err(DriverError::NotPrepared(version.clone()));
        }
        layout::create_private(&files).map_err(DriverError::io("making the folder", &files))?;
        let Some(inner) = files::within(None, path).filter(|_| !path.starts_with('/')) else {
            return Ok(None);
        };
        let inner = inner.trim_start_matches('/');
        let folder = files.join(inner);
        if folder.is_dir() {
            return Ok(Some(folder));
        }
        let (engine, image) = self.image_somewhere(version)?;
        let limits = Limits::default();
        let Some(copied) = self.copied(&engine, image, inner, limits.bytes)? else { return Ok(None) };
        let unpacked = files::unpack(&copied, &folder, &limits);
        let unpacked = unpacked.map_err(|why| DriverError::Deliverable {
            source_path: PathBuf::from(inner),
            why: format!("it can't be copied out of the image of {version}: {why}"),
        })?;
        Ok(unpacked.then_some(folder))
    }

    pub(super) fn copied_file(
        &self,
        source: &Path,
        path: &str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, DriverError> {
        if source.is_dir() {
            // Copied before.
            return release::file(source, Path::new(path), most, &Limits::default());
        }
        let (digest, origin) = self.resolve(source)?;
        let hold = label::hold(&self.state, &self.service, &digest);
        let (engine, image) =
            self.first(&format!("getting {}", source.display()), self.supply.within + SLOW, |engine| {
                let (supply, origin, hold) = (self.supply.clone(), origin.clone(), hold.clone());
                async move {
                    let image = supply.ensure(&engine, &origin, hold).await?;
                    Ok((engine, image))
                }
            })?;
        let found = self.file_in(&engine, image.id.clone(), path, most);
        if !self.versions()?.iter().any(|(_, record)| record.digest == digest) {
            let (asked, names) = (engine.clone(), image.names);
            let released = self.within(SLOW, async move { image::release(&asked, &names).await });
            if let Err(trouble) = released {
                tracing::warn!(engine = %engine.host, %trouble, "an image that was only looked into could not be removed");
            }
        }
        found
    }

    /// A file of an image.
    pub(super) fn file_in(
        &self,
        engine: &Arc<Engine>,
        image: String,
        path: &str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, DriverError> {
        let Some(copied) = self.copied(engine, image, path, most.saturating_add(FORM))? else {
            return Ok(None);
        };
        let name = Path::new(path).file_name().map(PathBuf::from).unwrap_or_default();
        let found = archive::file(copied.path(), &name, most, &Limits::default());
        found.map_err(|refused| DriverError::Deliverable {
            source_path: PathBuf::from(path),
            why: format!("it can't be copied out of the image: {refused}"),
        })
    }

    pub(super) fn run_command(&self, command: &RunCommand) -> Result<(), DriverError> {
        let (engine, image) = self.image_somewhere(&command.version)?;
        let mut body = self.task(image, "command");
        body.cmd = Some(command.words.clone());
        body.env = Some(command.env.iter().map(|(name, value)| format!("{name}={value}")).collect());
        body.host_config = Some(HostConfig {
            network_mode: self.spec.network.clone(),
            binds: Some(self.spec.volumes.clone()).filter(|volumes| !volumes.is_empty()),
            extra_hosts: Some(vec![container::OWN_HOST.to_owned()]),
            ..Default::default()
        });
        let (asked, within) = (engine.clone(), command.within);
        let ran = self.within(within + SLOW * 5, async move { task::run(&asked, body, within).await });
        match ran.map_err(|trouble| self.told(&engine, "running a command", trouble))? {
            Outcome::Done => Ok(()),
            Outcome::Failed(why) => Err(DriverError::Command { command: command.words.join(" "), why }),
        }
    }
}

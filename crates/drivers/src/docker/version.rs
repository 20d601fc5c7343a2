//! Versions of the driver: images that are on all engines which answer, under a label.
//!
//! Must not know instances. Tested by `tests/drivers` with real engines.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tandem_core::base::{Digest, ImageReference, VersionLabel};

use super::engine::{Engine, QUICK, SLOW};
use super::image::{self, Origin};
use super::record::{ImageRecord, VersionRecord};
use super::trouble::Trouble;
use super::{DockerDriver, label};
use crate::driver::DriverError;
use crate::process::layout;
use crate::process::record;
use crate::process::release::sink::remove_tree;
use crate::process::release::{self, Limits, Refused, archive};

/// The list of what is in an archive of `docker save`.
const MANIFEST: &str = "manifest.json";
/// That list is not longer.
const LONGEST: u64 = 4 << 20;

impl DockerDriver {
    pub(super) fn version(&self, version: &VersionLabel) -> Result<Option<VersionRecord>, DriverError> {
        record::read(&self.layout.release(version))
    }

    /// What a deliverable is: an image in a registry, or an archive.
    pub(super) fn origin(&self, source: &Path) -> Result<Origin, DriverError> {
        if source.is_dir() {
            let why = "it is a folder, and instances run as containers: name an image, or an archive made by `docker save`";
            return Err(DriverError::Deliverable { source_path: source.to_owned(), why: why.to_owned() });
        }
        if source.is_absolute() {
            return Ok(Origin::Archive(source.to_owned()));
        }
        let text = source.to_str().unwrap_or_default();
        text.parse().map(Origin::Registry).map_err(|why: tandem_core::base::NotAnImage| {
            DriverError::Deliverable { source_path: source.to_owned(), why: why.to_string() }
        })
    }

    /// The digest of a deliverable, and where it comes from, held to that.
    pub(super) fn resolve(&self, source: &Path) -> Result<(Digest, Origin), DriverError> {
        match self.origin(source)? {
            Origin::Registry(image) => {
                let digest = self.ask(&image)?;
                Ok((digest.clone(), Origin::Registry(image.pinned(digest))))
            }
            origin => Ok((archive_digest(source)?, origin)),
        }
    }

    /// What a reference stands for, by the first engine that can tell.
    fn ask(&self, image: &ImageReference) -> Result<Digest, DriverError> {
        if let Some(digest) = image.digest() {
            return Ok(digest.clone());
        }
        self.first(&format!("looking for {image}"), SLOW, |engine| {
            let (supply, image) = (self.supply.clone(), image.clone());
            async move { supply.resolve(&engine, &image).await }
        })
    }

    pub(super) fn make_ready(&self, version: &VersionLabel, source: &Path) -> Result<Digest, DriverError> {
        let (offered, origin) = self.resolve(source)?;
        let known = self.version(version)?;
        if let Some(VersionRecord { digest: prepared, .. }) =
            known.as_ref().filter(|known| known.digest != offered)
        {
            return Err(DriverError::OtherContent {
                version: version.clone(),
                prepared: prepared.clone(),
                offered,
            });
        }
        if let Origin::Archive(archive) = &origin {
            self.holds_one_image(archive)?;
        }
        let reference = match &origin {
            Origin::Registry(image) => Some(image.to_string()),
            _ => None,
        };
        let mut record = known.unwrap_or_else(|| VersionRecord {
            digest: offered.clone(),
            reference,
            images: Default::default(),
        });
        let mut troubles = Vec::new();
        for (engine, image) in self.supply_all(&record.digest, &origin) {
            match image {
                Ok(image) => remember(&mut record, &engine, image),
                Err(trouble) => troubles.push((engine, trouble)),
            }
        }
        // One that does not answer gets the image when it is to run something. One that refuses would refuse then, too.
        let all_failed = troubles.len() == self.engines.len();
        let worst = troubles.iter().position(|(_, trouble)| !trouble.is_away() || all_failed);
        if let Some((engine, trouble)) = worst.map(|at| troubles.swap_remove(at)) {
            return Err(self.told(&engine, &format!("making {version} ready"), trouble));
        }
        for (engine, trouble) in troubles {
            tracing::warn!(engine = %engine.host, %version, %trouble, "an engine has not got the image yet");
        }
        self.write_version(version, &record)?;
        Ok(offered)
    }

    /// Sees to it that the image is on all engines, at once.
    fn supply_all(
        &self,
        digest: &Digest,
        origin: &Origin,
    ) -> Vec<(Arc<Engine>, Result<ImageRecord, Trouble>)> {
        let all: Vec<_> = self
            .engines
            .iter()
            .map(|engine| {
                let (engine, supply, origin) = (engine.clone(), self.supply.clone(), origin.clone());
                let hold = label::hold(&self.state, &self.service, digest);
                async move {
                    let image = supply.ensure(&engine, &origin, hold).await;
                    (engine, image)
                }
            })
            .collect();
        let within = self.supply.within + SLOW * 2;
        let done = self.runtime.wait(within, async move { futures_util::future::join_all(all).await });
        done.unwrap_or_else(|| {
            let late = || Err(Trouble::Away(format!("it took longer than {} s", within.as_secs())));
            self.engines.iter().map(|engine| (engine.clone(), late())).collect()
        })
    }

    /// Puts an image on an engine that has lost it, or never had it.
    pub(super) fn supply_again(
        &self,
        version: &VersionLabel,
        mut record: VersionRecord,
        engine: &Arc<Engine>,
    ) -> Result<ImageRecord, DriverError> {
        let origin = match record.reference.as_deref().map(str::parse) {
            Some(Ok(image)) => Origin::Registry(image),
            _ => Origin::Gone,
        };
        let hold = label::hold(&self.state, &self.service, &record.digest);
        let (supply, asked) = (self.supply.clone(), engine.clone());
        let had =
            self.within(self.supply.within + SLOW, async move { supply.ensure(&asked, &origin, hold).await });
        let image = had.map_err(|trouble| {
            self.told(engine, &format!("putting the image of {version} there"), trouble)
        })?;
        remember(&mut record, engine, image.clone());
        self.write_version(version, &record)?;
        Ok(image)
    }

    fn write_version(&self, version: &VersionLabel, record: &VersionRecord) -> Result<(), DriverError> {
        let folder = self.layout.release(version);
        layout::create_private(&folder).map_err(DriverError::io("making the folder", &folder))?;
        record::write(&folder, record)
    }

    /// The versions that have a record.
    pub(super) fn versions(&self) -> Result<Vec<(VersionLabel, VersionRecord)>, DriverError> {
        let folder = self.layout.releases();
        let mut versions = Vec::new();
        for entry in fs::read_dir(&folder).map_err(DriverError::io("reading", &folder))? {
            let entry = entry.map_err(DriverError::io("reading", &folder))?;
            let Some(version) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            versions.extend(record::read(&entry.path())?.map(|record| (version, record)));
        }
        Ok(versions)
    }

    /// Lets go of a version's images and forgets it.
    pub(super) fn let_go(&self, version: &VersionLabel) -> Result<(), DriverError> {
        let versions = self.versions()?;
        let Some((_, record)) = versions.iter().find(|(label, _)| label == version) else { return Ok(()) };
        for engine in &self.engines {
            let host = engine.host.to_string();
            let Some(image) = record.images.get(&host) else { continue };
            let others = versions.iter().filter(|(label, _)| label != version);
            let needed: Vec<&String> = others
                .filter_map(|(_, other)| other.images.get(&host))
                .flat_map(|image| &image.names)
                .collect();
            let names: Vec<String> =
                image.names.iter().filter(|name| !needed.contains(name)).cloned().collect();
            let asked = engine.clone();
            let released = self.within(SLOW + QUICK, async move { image::release(&asked, &names).await });
            if let Err(trouble) = released {
                tracing::warn!(engine = %engine.host, %version, %trouble, "an image could not be removed");
            }
        }
        let folder = self.layout.release(version);
        remove_tree(&folder).map_err(DriverError::io("removing", &folder))
    }

    /// What is no archive of an image is told before anything is sent.
    pub(super) fn holds_one_image(&self, archive: &Path) -> Result<(), DriverError> {
        let wrong =
            |why: &str| DriverError::Deliverable { source_path: archive.to_owned(), why: why.to_owned() };
        let list = release::file(archive, Path::new(MANIFEST), LONGEST, &Limits::default())?;
        let list = list.ok_or_else(|| wrong("it holds no image: make it with `docker save IMAGE | gzip`"))?;
        let images: Vec<serde_json::Value> = serde_json::from_slice(&list)
            .map_err(|_| wrong("its list of images is damaged: save it anew"))?;
        match images.len() {
            1 => Ok(()),
            _ => Err(wrong("it holds several images: save only the one that is to run")),
        }
    }
}

/// Names that were made once go with the version, also if they are not made again.
fn remember(record: &mut VersionRecord, engine: &Engine, mut image: ImageRecord) {
    let host = engine.host.to_string();
    if let Some(before) = record.images.get(&host) {
        let more =
            before.names.iter().filter(|name| !image.names.contains(name)).cloned().collect::<Vec<_>>();
        image.names.extend(more);
    }
    record.images.insert(host, image);
}

/// The digest of an archive's bytes.
pub(super) fn archive_digest(source: &Path) -> Result<Digest, DriverError> {
    archive::digest(source).map_err(|refused| {
        let why = match refused {
            Refused::Because(why) => why,
            Refused::Reading(error) if error.kind() == std::io::ErrorKind::NotFound => {
                "there is no such file".to_owned()
            }
            Refused::Reading(error) | Refused::Writing(error) => error.to_string(),
        };
        DriverError::Deliverable { source_path: source.to_owned(), why }
    })
}

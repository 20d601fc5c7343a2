//! Files of images: copied out of a container that is made for it, never started, and removed.
//!
//! What an image holds is trusted as little as an archive: it goes through the same checks. Must not know what the files
//! are for. Tested by `tests/drivers` with real engines.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path};
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::StreamExt;
use tempfile::NamedTempFile;

use super::container;
use super::engine::{Engine, QUICK};
use super::trouble::Trouble;
use crate::process::release::sink::{Sink, remove_tree};
use crate::process::release::{Limits, Refused, archive};

/// How long copying may take.
const COPYING: Duration = Duration::from_secs(300);

/// The path of a deliverable as one in its image: relative ones begin where the image's program does. None: it leads out.
pub(super) fn within(folder: Option<&str>, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let base = folder.filter(|_| !path.starts_with('/')).unwrap_or("/");
    for part in Path::new(base).components() {
        parts.extend(part.as_os_str().to_str().filter(|part| *part != "/"));
    }
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// Copies what is at a path of the image into `to`, a file in the form of tar, of at most so many bytes. False: there is
/// nothing.
pub(super) async fn copy(
    engine: &Engine,
    body: ContainerCreateBody,
    path: &str,
    to: File,
    most: u64,
) -> Result<bool, Trouble> {
    let name = format!("tandem-copy-{}", super::task::unique());
    container::create(engine, &name, body).await?;
    let copied = download(engine, &name, path, to, most).await;
    let removed = container::remove(engine, &name, true).await;
    let copied = copied?;
    removed.map(|()| copied)
}

async fn download(engine: &Engine, name: &str, path: &str, mut to: File, most: u64) -> Result<bool, Trouble> {
    let folder = working_folder(engine, name).await?;
    let Some(path) = within(folder.as_deref(), path) else { return Ok(false) };
    let options = DownloadFromContainerOptionsBuilder::default().path(&path).build();
    let name = name.to_owned();
    let copied = engine.call(COPYING, |docker| async move {
        let mut size = 0_u64;
        let mut chunks = docker.download_from_container(&name, Some(options));
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            size = size.saturating_add(chunk.len() as u64);
            if size > most {
                return Ok(false);
            }
            to.write_all(&chunk).map_err(super::image::failed)?;
        }
        Ok(true)
    });
    match copied.await {
        Ok(true) => Ok(true),
        Ok(false) => Err(Trouble::refused(format!("{path} in the image is larger than {most} bytes"))),
        Err(trouble) if trouble.is_missing() => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

async fn working_folder(engine: &Engine, name: &str) -> Result<Option<String>, Trouble> {
    let name = name.to_owned();
    let found =
        engine.call(QUICK, |docker| async move { docker.inspect_container(&name, None).await }).await?;
    Ok(found.config.and_then(|config| config.working_dir).filter(|folder| !folder.is_empty()))
}

/// Unpacks what was copied into `to`, which is made. False: it is no folder.
pub(super) fn unpack(copied: &NamedTempFile, to: &Path, limits: &Limits) -> Result<bool, String> {
    let said = |refused: Refused| match refused {
        Refused::Because(why) => why,
        Refused::Reading(error) | Refused::Writing(error) => error.to_string(),
    };
    let failed = |error: io::Error| error.to_string();
    let parent = to.parent().ok_or("there is no place for it")?;
    fs::create_dir_all(parent).map_err(failed)?;
    // A name that no path of a deliverable has, so that a crash leaves nothing that counts.
    let fresh = tempfile::Builder::new().prefix(".new-").tempdir_in(parent).map_err(failed)?;
    let mut sink = Sink::into(fresh.path(), limits);
    let unpacked = archive::unpack(copied.path(), &mut sink, limits).and_then(|_| sink.finish());
    let moved = unpacked.map_err(said).and_then(|()| {
        let mut entries = fs::read_dir(fresh.path()).map_err(failed)?.flatten();
        let Some(top) = entries.next().map(|entry| entry.path()).filter(|top| top.is_dir()) else {
            return Ok(false);
        };
        if to.exists() {
            return Ok(true);
        }
        writable(&top).map_err(failed)?;
        fs::rename(&top, to).map_err(failed)?;
        Ok(true)
    });
    let _ = remove_tree(fresh.path());
    moved
}

/// A folder that is renamed must be writable itself.
fn writable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_where_the_program_does() {
        for (folder, path, found) in [
            (Some("/app"), "db/migrations", Some("/app/db/migrations")),
            (Some("/app/"), "./db/", Some("/app/db")),
            (Some("/app"), ".", Some("/app")),
            (Some("/app"), "/srv/db", Some("/srv/db")),
            (None, "db", Some("/db")),
            (None, ".", Some("/")),
            (Some("/app"), "../etc", None),
        ] {
            assert_eq!(within(folder, path).as_deref(), found, "{path}");
        }
    }
}

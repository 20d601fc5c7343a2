//! The three versions of the shop as a build would hand them over: a folder, and two archives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;

/// Where they are.
pub(super) struct Deliverables {
    /// A folder.
    pub(super) v1: String,
    /// A `.tar.gz`.
    pub(super) v2: String,
    /// A `.tar.gz`.
    pub(super) v3: String,
}

impl Deliverables {
    /// Makes them in `stage`.
    pub(super) fn make(root: &Path, shop: &Path, stage: &Path) -> Result<Deliverables, String> {
        let v1 = folder(root, shop, stage, "v1")?;
        Ok(Deliverables {
            v1: text(&v1),
            v2: archive(&folder(root, shop, stage, "v2")?)?,
            v3: archive(&folder(root, shop, stage, "v3")?)?,
        })
    }
}

/// `stage/deliverables/shop-v1` with the program and the release's own files.
fn folder(root: &Path, shop: &Path, stage: &Path, version: &str) -> Result<PathBuf, String> {
    let folder = stage.join("deliverables").join(format!("shop-{version}"));
    let release = root.join("examples/shop/releases").join(version);
    let made = fs::create_dir_all(folder.join("bin"))
        .and_then(|()| fs::copy(shop, folder.join("bin/shop")))
        .and_then(|_| fs::copy(release.join("release.json"), folder.join("release.json")));
    made.map_err(|why| format!("can't make {}: {why}", folder.display()))?;
    Ok(folder)
}

/// The folder's content as an archive beside it.
fn archive(folder: &Path) -> Result<String, String> {
    let file = folder.with_extension("tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&file).arg("-C").arg(folder).arg(".");
    machine::run(&mut tar)?;
    fs::remove_dir_all(folder).map_err(|why| format!("can't remove {}: {why}", folder.display()))?;
    Ok(text(&file))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

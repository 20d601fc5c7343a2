//! Where everything of a state folder lies. The only place that knows the names.
//!
//! `releases/<version>/{files,release.json}`, `instances/<id>/{spec,keeper,exit}.json` and `log.<offset>`,
//! `removed/<id>/` for the logs of removed instances.
//!
//! Must not know what the files hold. Tested through the driver.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tandem_core::base::{InstanceId, VersionLabel};

/// The state folder of one service.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes the folders; only this user may look into them.
    pub(crate) fn create(root: &Path) -> io::Result<Layout> {
        fs::create_dir_all(root)?;
        let layout = Layout { root: root.canonicalize()? };
        for folder in [layout.releases(), layout.instances(), layout.removed()] {
            create_private(&folder)?;
        }
        Ok(layout)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    pub(crate) fn release(&self, version: &VersionLabel) -> PathBuf {
        self.releases().join(version.as_str())
    }

    /// The deliverable's own files: where its instances run.
    pub(crate) fn files(&self, version: &VersionLabel) -> PathBuf {
        self.release(version).join("files")
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    pub(crate) fn instance(&self, instance: InstanceId) -> PathBuf {
        self.instances().join(instance.0.to_string())
    }

    pub(crate) fn removed(&self) -> PathBuf {
        self.root.join("removed")
    }

    pub(crate) fn removed_instance(&self, instance: InstanceId) -> PathBuf {
        self.removed().join(instance.0.to_string())
    }
}

/// The ids after which the folders in `folder` are named, ascending; other names are passed over.
pub(crate) fn ids(folder: &Path) -> io::Result<Vec<InstanceId>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder)? {
        if let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            ids.push(InstanceId(id));
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Makes a folder that only this user may look into; success if it is there.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

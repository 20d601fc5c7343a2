//! Where the entries of a deliverable go: a release folder that is being made, or nowhere, when only a digest is wanted.
//! Both ways the same paths, kinds and limits are checked.
//!
//! Must not know where entries come from. Tested through `archive` and `folder`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::{Limits, Refused, link};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Placed {
    Folder,
    File,
    Link(PathBuf),
}

/// Takes entries one by one.
pub(crate) struct Sink {
    root: Option<PathBuf>,
    limits: Limits,
    bytes: u64,
    placed: BTreeMap<PathBuf, Placed>,
}

impl Sink {
    /// Writes into `root`, an empty folder that nobody else writes to.
    pub(crate) fn into(root: &Path, limits: &Limits) -> Sink {
        Sink { root: Some(root.to_owned()), ..Sink::nowhere(limits) }
    }

    /// Only checks.
    pub(crate) fn nowhere(limits: &Limits) -> Sink {
        Sink { root: None, limits: *limits, bytes: 0, placed: BTreeMap::new() }
    }

    /// So many bytes may still come.
    pub(crate) fn room(&self) -> u64 {
        self.limits.bytes.saturating_sub(self.bytes)
    }

    /// A folder; success if it is there.
    pub(crate) fn folder(&mut self, path: &Path) -> Result<(), Refused> {
        let mut ancestors: Vec<&Path> =
            path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        ancestors.reverse();
        for folder in ancestors {
            match self.placed.get(folder) {
                Some(Placed::Folder) => continue,
                Some(_) => return Err(stands_twice(folder)),
                None => self.place(folder, Placed::Folder)?,
            }
            if let Some(root) = &self.root {
                fs::create_dir(root.join(folder)).map_err(Refused::Writing)?;
            }
        }
        Ok(())
    }

    /// A file with what `content` gives until its end. Only whether somebody may execute it is kept of `mode`.
    pub(crate) fn file(&mut self, path: &Path, mode: u32, content: &mut dyn Read) -> Result<(), Refused> {
        self.make_room(path)?;
        self.place(path, Placed::File)?;
        let mode = if mode & 0o111 == 0 { 0o444 } else { 0o555 };
        let mut file = match &self.root {
            Some(root) => {
                let options = OpenOptions::new().write(true).create_new(true).mode(mode).clone();
                Some(options.open(root.join(path)).map_err(Refused::Writing)?)
            }
            None => None,
        };
        self.copy(content, file.as_mut())
    }

    fn copy(&mut self, content: &mut dyn Read, mut file: Option<&mut File>) -> Result<(), Refused> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => buffer.get(..count).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Refused::Reading(error)),
            };
            self.bytes += read.len() as u64;
            if self.bytes > self.limits.bytes {
                return Err(too_large(&self.limits));
            }
            if let Some(file) = &mut file {
                file.write_all(read).map_err(Refused::Writing)?;
            }
        }
    }

    /// A symbolic link. It is made at the end, so that no entry can be written through it.
    pub(crate) fn link(&mut self, path: &Path, target: &Path) -> Result<(), Refused> {
        link::check(path, target).map_err(Refused::Because)?;
        self.make_room(path)?;
        self.place(path, Placed::Link(target.to_owned()))
    }

    /// A second name for the file `target`, which came before.
    pub(crate) fn same_file(&mut self, path: &Path, target: &Path) -> Result<(), Refused> {
        if self.placed.get(target) != Some(&Placed::File) {
            let why = format!(
                "{} is said to be the same file as {}, which is no file of the archive",
                path.display(),
                target.display()
            );
            return Err(Refused::Because(why));
        }
        if path == target {
            return Ok(());
        }
        self.make_room(path)?;
        self.place(path, Placed::File)?;
        match &self.root {
            Some(root) => fs::hard_link(root.join(target), root.join(path)).map_err(Refused::Writing),
            None => Ok(()),
        }
    }

    /// Makes the links and takes the right to write from all folders.
    pub(crate) fn finish(self) -> Result<(), Refused> {
        if self.placed.is_empty() {
            return Err(Refused::because("it is empty: did the build fail?"));
        }
        let Some(root) = &self.root else { return Ok(()) };
        for (path, placed) in &self.placed {
            if let Placed::Link(target) = placed {
                symlink(target, root.join(path)).map_err(Refused::Writing)?;
            }
        }
        let folders = self.placed.iter().filter(|(_, placed)| **placed == Placed::Folder);
        for path in folders.map(|(path, _)| root.join(path)).chain([root.clone()]) {
            fs::set_permissions(path, fs::Permissions::from_mode(0o555)).map_err(Refused::Writing)?;
        }
        Ok(())
    }

    /// The parents of `path`, and the place itself free: in an archive a later file takes the place of an earlier one.
    fn make_room(&mut self, path: &Path) -> Result<(), Refused> {
        if path.as_os_str().is_empty() {
            return Err(Refused::because("an entry takes the place of the whole deliverable"));
        }
        self.folder(path.parent().unwrap_or(Path::new("")))?;
        match (self.placed.get(path), &self.root) {
            (Some(Placed::Folder), _) => Err(stands_twice(path)),
            (Some(Placed::File), Some(root)) => fs::remove_file(root.join(path)).map_err(Refused::Writing),
            _ => Ok(()),
        }
    }

    fn place(&mut self, path: &Path, placed: Placed) -> Result<(), Refused> {
        self.placed.insert(path.to_owned(), placed);
        if self.placed.len() as u64 > self.limits.entries {
            return Err(Refused::Because(format!(
                "it has more than {} files and folders",
                self.limits.entries
            )));
        }
        Ok(())
    }
}

fn stands_twice(path: &Path) -> Refused {
    Refused::Because(format!("{} stands in it twice, as a folder and as something else", path.display()))
}

/// The refusal of a deliverable with too much content.
pub(crate) fn too_large(limits: &Limits) -> Refused {
    Refused::Because(format!("its content is larger than {} bytes", limits.bytes))
}

/// The path of an entry, without `.`; refused if it leads out of the release.
pub(crate) fn inside(path: &Path) -> Result<PathBuf, Refused> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => {
                let why = format!("the entry {} leads out of the deliverable", path.display());
                return Err(Refused::Because(why));
            }
        }
    }
    Ok(clean)
}

/// Removes a folder with all that is in it, also where the right to write was taken away.
pub(crate) fn remove_tree(folder: &Path) -> io::Result<()> {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(folder)
}

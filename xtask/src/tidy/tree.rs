//! The workspace as a value: packages, manifests and sources. Rules read it and nothing else, so that their tests
//! can plant what they like.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::code::Code;

/// All that the rules look at.
pub(super) struct Tree {
    /// The members of the workspace, by folder.
    pub(super) packages: Vec<Package>,
}

/// A member of the workspace.
pub(super) struct Package {
    /// The name in its manifest.
    pub(super) name: String,
    /// The path of its manifest.
    pub(super) manifest_path: String,
    /// Its manifest's text.
    pub(super) manifest: String,
    /// Its Rust files.
    pub(super) sources: Vec<Source>,
}

/// A Rust file.
pub(super) struct Source {
    /// The path from the workspace's folder, with `/`.
    pub(super) path: String,
    /// The text as it is.
    pub(super) text: String,
    /// The text as the compiler sees it.
    pub(super) code: Code,
}

/// Folders with packages, or with folders of packages.
const PLACES: &[&str] = &["crates", "bench", "examples", "xtask", "fuzz"];

impl Tree {
    /// Reads the workspace at `root`.
    pub(super) fn read(root: &Path) -> io::Result<Tree> {
        let mut manifests = Vec::new();
        for place in PLACES {
            find(&root.join(place), &|path| path.ends_with("Cargo.toml"), &mut manifests)?;
        }
        if manifests.is_empty() {
            return Err(io::Error::other(format!("{}: no package in it", root.display())));
        }
        let mut packages = Vec::new();
        for path in manifests {
            packages.push(Package::read(root, &path)?);
        }
        Ok(Tree { packages })
    }

    /// Every source of every package.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.packages.iter().flat_map(|package| &package.sources)
    }

    /// A tree of one package, for the tests of the rules.
    #[cfg(test)]
    pub(super) fn planted(name: &str, manifest: &str, files: &[(&str, &str)]) -> Tree {
        let sources =
            files.iter().map(|(path, text)| Source::new((*path).to_owned(), (*text).to_owned())).collect();
        let package = Package {
            name: name.to_owned(),
            manifest_path: "planted/Cargo.toml".to_owned(),
            manifest: manifest.to_owned(),
            sources,
        };
        Tree { packages: vec![package] }
    }
}

impl Package {
    fn read(root: &Path, manifest_path: &Path) -> io::Result<Package> {
        let manifest = fs::read_to_string(manifest_path)?;
        let name = toml::from_str::<toml::Table>(&manifest)
            .ok()
            .and_then(|table| Some(table.get("package")?.get("name")?.as_str()?.to_owned()))
            .ok_or_else(|| io::Error::other(format!("{}: no package name", manifest_path.display())))?;
        let folder = manifest_path.parent().unwrap_or(root);
        let mut files = Vec::new();
        find(folder, &|path| path.extension().is_some_and(|end| end == "rs"), &mut files)?;
        let mut sources = Vec::new();
        for file in files {
            sources.push(Source::new(relative(root, &file), fs::read_to_string(&file)?));
        }
        Ok(Package { name, manifest_path: relative(root, manifest_path), manifest, sources })
    }
}

impl Source {
    pub(super) fn new(path: String, text: String) -> Source {
        let code = Code::of(&text);
        Source { path, text, code }
    }

    /// Whether the whole file is a test.
    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/benches/")
    }

    /// The lines of code, blanked, that are not tests, with their numbers from 1.
    pub(super) fn program_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let whole = self.is_test();
        self.code.lines().filter(move |line| !whole && !line.test).map(|line| (line.number, line.text))
    }

    /// The modules that lead to this file, none for the root: `src/a/b.rs` is `[a, b]`.
    pub(super) fn module(&self) -> Vec<&str> {
        let Some((_, inside)) = self.path.split_once("/src/") else { return Vec::new() };
        let stem = inside.strip_suffix(".rs").unwrap_or(inside);
        if matches!(stem, "lib" | "main") { Vec::new() } else { stem.split('/').collect() }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Collects the files below `folder` that `wanted` likes, in a fixed order; build output is left out.
fn find(folder: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            let hidden = path
                .file_name()
                .is_some_and(|name| name == "target" || name.to_string_lossy().starts_with('.'));
            if !hidden {
                find(&path, wanted, found)?;
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    Ok(())
}

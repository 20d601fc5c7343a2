//! The folder of migrations, read from disk: bytes as they are, within bounds.
//!
//! Which files are migrations is `tandem_schema::source`'s to say. Tested in place.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use tandem_schema::plan::MigrationRef;
use tandem_schema::source::{self, Migration};

use super::trouble::{Remark, Trouble};

/// No migration is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// A folder has no more files.
const FILES: usize = 10_000;

/// Folders below it are read so deep: `2026-01-01_name/up.sql`, and one for luck.
const DEPTH: usize = 3;

/// The migrations of a folder, in order.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub migrations: Vec<Migration>,
}

impl Folder {
    /// Reads a folder and everything that is a migration in it.
    pub fn read(path: &Path) -> Result<Folder, Trouble> {
        let mut files = Vec::new();
        gather(path, path, DEPTH, &mut files)?;
        files.sort_by(|left: &source::File, right| left.path.cmp(&right.path));
        match source::read(&files) {
            Ok(migrations) => Ok(Folder { path: path.to_owned(), migrations }),
            Err(errors) => {
                let remarks = errors.into_iter().map(|error| {
                    let text = error
                        .place
                        .as_ref()
                        .and_then(|place| files.iter().find(|file| file.path == place.file))
                        .map(|file| file.text.as_str());
                    let help = error.help.clone();
                    Remark::new(
                        "bad-migration",
                        error.message.clone(),
                        help,
                        error.place.as_ref(),
                        path,
                        text,
                    )
                });
                Err(Trouble::Sources(remarks.collect()))
            }
        }
    }

    /// The place of a migration, by its name or its version.
    pub fn find(&self, name: &str) -> Result<usize, Trouble> {
        let by_name = self.migrations.iter().position(|migration| migration.name == name);
        let by_version = || self.migrations.iter().position(|migration| migration.version == name);
        by_name.or_else(by_version).ok_or_else(|| Trouble::Unknown {
            name: name.to_owned(),
            folder: self.path.clone(),
            last: self.migrations.last().map(|migration| migration.name.clone()),
        })
    }

    /// The text of a file.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.migrations
            .iter()
            .find(|migration| migration.file.path == file)
            .map(|migration| migration.file.text.as_str())
    }

    /// What the journal keeps of migrations.
    pub(super) fn refs(migrations: &[Migration]) -> Vec<MigrationRef> {
        let of = |migration: &Migration| MigrationRef {
            name: migration.name.clone(),
            checksum: migration.checksum.clone(),
        };
        migrations.iter().map(of).collect()
    }
}

fn gather(root: &Path, folder: &Path, depth: usize, files: &mut Vec<source::File>) -> Result<(), Trouble> {
    let unread = |path: &Path, source| Trouble::Unread { path: path.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(|error| unread(folder, error))? {
        let path = entry.map_err(|error| unread(folder, error))?.path();
        // Links are followed, as every tool does; those that lead nowhere are told.
        let kind = fs::metadata(&path).map_err(|error| unread(&path, error))?;
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if kind.is_dir() {
            if depth > 1 {
                gather(root, &path, depth - 1, files)?;
            }
            continue;
        }
        if !path.extension().is_some_and(|end| end.eq_ignore_ascii_case("sql")) {
            continue;
        }
        if files.len() >= FILES {
            return Err(Trouble::Folder {
                path: root.to_owned(),
                what: format!("has more than {FILES} files"),
            });
        }
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let Some(relative) = relative.to_str().map(|path| path.replace('\\', "/")) else {
            return Err(Trouble::Folder { path, what: "has a name that is not UTF-8".to_owned() });
        };
        let text = text(&path)?;
        files.push(source::File { path: relative, text });
    }
    Ok(())
}

/// The text of a file, as it is.
pub fn text(path: &Path) -> Result<String, Trouble> {
    let unread = |source| Trouble::Unread { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(unread)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Trouble::Folder { path: path.to_owned(), what: "is longer than 1 MiB".to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|&&byte| byte == b'\n').count() + 1;
        Trouble::Folder {
            path: path.to_owned(),
            what: format!("is not UTF-8: line {line} holds other bytes"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_and_what_is_wrong_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        put("0001_a.sql", b"CREATE TABLE a (id int);\r\n");
        put("README.md", b"\xff");
        fs::create_dir(folder.path().join(".git")).unwrap();
        put(".git/0009_x.sql", b"nonsense");
        let read = Folder::read(folder.path()).unwrap();
        assert_eq!(read.migrations.len(), 1);
        assert_eq!(read.text("0001_a.sql"), Some("CREATE TABLE a (id int);\r\n"));
        assert_eq!((read.find("0001_a").unwrap(), read.find("1").unwrap()), (0, 0));
        assert!(matches!(read.find("0002"), Err(Trouble::Unknown { .. })));
        put("0002_b.sql", b"SELECT 1;\nSELECT '\xff';");
        let told = Folder::read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("0002_b.sql is not UTF-8: line 2"), "{told}");
        put("0002_b.sql", &vec![b' '; (1 << 20) + 1]);
        assert!(Folder::read(folder.path()).unwrap_err().to_string().contains("longer than 1 MiB"));
        assert!(matches!(Folder::read(&folder.path().join("no")), Err(Trouble::Unread { .. })));
    }
}

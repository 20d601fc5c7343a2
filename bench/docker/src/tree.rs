//! The files of an image.

use std::path::Path;
use std::process::Command;

use crate::process::program;

/// Files by their paths.
#[derive(Debug, Default)]
pub struct Tree(Vec<(String, u32, Content)>);

#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    Link(String),
}

/// What busybox stands for.
const APPLETS: [&str; 12] =
    ["sh", "true", "echo", "cat", "sleep", "kill", "httpd", "nc", "wget", "dd", "tail", "head"];

impl Tree {
    /// A shell and its usual programs: Debian's busybox-static.
    pub fn busybox() -> Tree {
        let mut tree = Tree::default();
        tree.program("bin/busybox", &program("busybox"));
        for applet in APPLETS {
            tree.0.push((format!("bin/{applet}"), 0o777, Content::Link("busybox".to_owned())));
        }
        tree
    }

    /// A text.
    pub fn file(&mut self, path: &str, text: &str, mode: u32) -> &mut Tree {
        self.0.push((path.to_owned(), mode, Content::Bytes(text.as_bytes().to_vec())));
        self
    }

    /// A program of this machine, with the libraries that it needs.
    pub fn program(&mut self, path: &str, file: &Path) -> &mut Tree {
        let bytes = std::fs::read(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        self.0.push((path.to_owned(), 0o755, Content::Bytes(bytes)));
        let listed = Command::new(program("ldd")).arg(file).output().expect("ldd");
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            // As `libm.so.6 => /lib/libm.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
            let Some(library) = line.split_whitespace().find(|word| word.starts_with('/')) else { continue };
            let to = library.trim_start_matches('/').to_owned();
            if !self.0.iter().any(|(known, ..)| *known == to) {
                let bytes = std::fs::read(library).unwrap_or_else(|why| panic!("{library}: {why}"));
                self.0.push((to, 0o755, Content::Bytes(bytes)));
            }
        }
        self
    }

    /// All of it as an archive.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, mode, content) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            let written = match content {
                Content::Bytes(bytes) => {
                    header.set_size(bytes.len() as u64);
                    archive.append_data(&mut header, path, bytes.as_slice())
                }
                Content::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    archive.append_link(&mut header, path, target)
                }
            };
            written.unwrap_or_else(|why| panic!("{path}: {why}"));
        }
        archive.into_inner().expect("an archive in memory")
    }
}

//! The shelf: files of recent versions whose names tell their content, for pages that were made by them.
//!
//! Only asked when an instance says that a file is not there. The folder is kept by the controller; what is in it are
//! plain files only. Must not know versions. Tested in place and through the whole proxy.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest part of a file that is read at once, in bytes.
const PART: usize = 256 * 1024;

/// The place of a path of a service on the shelf, whether there is a file or not. None: no file can have that path.
pub(crate) fn place(shelf: &Path, service: &str, path: &str) -> Option<PathBuf> {
    let path = decoded(path)?;
    let mut place = shelf.join(service);
    for part in path.strip_prefix('/')?.split('/') {
        if matches!(part, "" | "." | "..") || part.contains(['\0', '\\']) {
            return None;
        }
        place.push(part);
    }
    Some(place)
}

/// A file on the shelf, opened.
#[derive(Debug)]
pub(crate) struct Shelved {
    file: File,
    /// How many bytes it has.
    pub(crate) length: u64,
    /// Its media type.
    pub(crate) kind: &'static str,
}

impl Shelved {
    /// Opens a file.
    pub(crate) fn open(place: &Path) -> io::Result<Shelved> {
        let file = File::open(place)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let ending = place.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        Ok(Shelved { file, length: found.len(), kind: kind(ending) })
    }

    /// Its next bytes; none at its end.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut part = Vec::new();
        self.file.by_ref().take(PART as u64).read_to_end(&mut part)?;
        Ok(part)
    }
}

/// The head of the answer with such a file.
pub(crate) fn head(file: &Shelved, keep_alive: bool, out: &mut Vec<u8>) {
    out.clear();
    let end = if keep_alive { "\r\n" } else { "Connection: close\r\n\r\n" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Content-Type-Options: nosniff\r\n\
         Cache-Control: public, max-age=31536000, immutable\r\n{end}",
        file.kind, file.length
    );
    out.extend_from_slice(head.as_bytes());
}

/// `%XX` as the byte that it stands for. None: it is not text then.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// The media type that a file's ending stands for.
fn kind(ending: &str) -> &'static str {
    match ending {
        "js" | "mjs" | "cjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_on_the_shelf() {
        let at = |path| place(Path::new("/shelf"), "shop", path);
        assert_eq!(at("/assets/app-1a2b.js"), Some("/shelf/shop/assets/app-1a2b.js".into()));
        assert_eq!(at("/_next/static/%5Bid%5D-1.js"), Some("/shelf/shop/_next/static/[id]-1.js".into()));
        for wrong in [
            "/../x",
            "/a/../../x",
            "/a/%2e%2e/x",
            "/a/%2E%2e%2fx",
            "//etc/passwd",
            "/a//b",
            "/./a",
            "/a/.",
            "a",
            "",
            "/a\\..\\b",
            "/a%5c..%5cb",
            "/a%00",
            "/a%0",
            "/a%",
            "/a%zz",
            "/%ff",
            "/",
        ] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
        // A slash that is written as a byte is one; what it leads to is checked like any other.
        assert_eq!(at("/a%2fb"), Some("/shelf/shop/a/b".into()));
    }

    #[test]
    fn only_files_are_given_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.css"), "body{}").unwrap();
        let mut file = Shelved::open(&folder.path().join("app.css")).unwrap();
        assert_eq!((file.length, file.kind), (6, "text/css; charset=utf-8"));
        assert_eq!((file.read().unwrap(), file.read().unwrap()), (b"body{}".to_vec(), Vec::new()));
        assert!(Shelved::open(folder.path()).is_err() && Shelved::open(&folder.path().join("no")).is_err());
    }
}

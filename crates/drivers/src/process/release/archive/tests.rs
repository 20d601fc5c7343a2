//! Archives as no tool would make them, and the ways in which good ones are damaged.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::*;

const SMALL: Limits = Limits { entries: 50, bytes: 1 << 20, ratio: 20, ratio_from: 64 << 10 };

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// Unpacks an archive of these bytes.
    fn unpack(&self, bytes: &[u8]) -> Result<Digest, String> {
        let archive = self.folder.path().join("archive");
        fs::write(&archive, bytes).unwrap();
        fs::create_dir_all(self.files()).unwrap();
        let mut sink = Sink::into(&self.files(), &SMALL);
        let digest = unpack(&archive, &mut sink, &SMALL).map_err(|refused| refused.to_string())?;
        sink.finish().map_err(|refused| refused.to_string())?;
        assert_eq!(digest, super::digest(&archive).unwrap());
        Ok(digest)
    }
}

/// An entry whose path is written as it is: the builder itself refuses bad ones.
fn entry(tar: &mut Builder<Vec<u8>>, kind: EntryType, path: &str, target: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o6777);
    let old = header.as_old_mut();
    old.name[..path.len()].copy_from_slice(path.as_bytes());
    old.linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

fn archive(entries: &[(EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, path, target, content) in entries {
        entry(&mut tar, *kind, path, target, content);
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn good() -> Vec<u8> {
    archive(&[
        (EntryType::Directory, "./", "", b""),
        (EntryType::Regular, "./bin/shop", "", b"#!/bin/sh\n"),
        (EntryType::Regular, "data", "", b"first"),
        (EntryType::Regular, "data", "", b"second"),
        (EntryType::Symlink, "bin/alias", "../data", b""),
        (EntryType::Link, "twin", "bin/shop", b""),
    ])
}

#[test]
fn a_good_archive_is_unpacked_without_dangerous_rights() {
    use std::os::unix::fs::PermissionsExt;
    for bytes in [good(), gzip(&good())] {
        let place = Place::new();
        place.unpack(&bytes).unwrap();
        let files = place.files();
        assert_eq!(fs::read(files.join("data")).unwrap(), b"second");
        assert_eq!(fs::read(files.join("bin/alias")).unwrap(), b"second");
        assert_eq!(fs::read(files.join("twin")).unwrap(), b"#!/bin/sh\n");
        let mode = |path: &str| fs::metadata(files.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("bin/shop"), mode("bin"), mode("")), (0o555, 0o555, 0o555));
        super::super::sink::remove_tree(&files).unwrap();
    }
}

#[test]
fn nothing_gets_out_of_the_release() {
    use EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
    type Case<'a> = (&'a [(EntryType, &'a str, &'a str, &'a [u8])], &'a str);
    let cases: [Case<'_>; 13] = [
        (&[(Regular, "/tmp/evil", "", b"x")], "leads out"),
        (&[(Regular, "../evil", "", b"x")], "leads out"),
        (&[(Regular, "a/../../evil", "", b"x")], "leads out"),
        (&[(Symlink, "out", "/etc", b"")], "leads out"),
        (&[(Symlink, "a/out", "../../x", b"")], "leads out"),
        (&[(Symlink, "in", "sub/..", b"")], "goes down and up"),
        (&[(Symlink, "door", "sub", b""), (Regular, "door/evil", "", b"x")], "stands in it twice"),
        (&[(Link, "shadow", "/etc/shadow", b"")], "leads out"),
        (&[(Link, "shadow", "../../etc/shadow", b"")], "leads out"),
        (&[(Symlink, "s", "x", b""), (Link, "hard", "s", b"")], "no file of the archive"),
        (&[(Fifo, "pipe", "", b"")], "neither a file"),
        (&[(Block, "disk", "", b"")], "neither a file"),
        (&[(Char, "null", "", b"")], "neither a file"),
    ];
    for (entries, message) in cases {
        let place = Place::new();
        let error = place.unpack(&archive(entries)).unwrap_err();
        assert!(error.contains(message), "{entries:?}: {error}");
        assert!(!place.folder.path().join("evil").exists());
    }
}

#[test]
fn a_file_in_the_place_of_a_folder_is_refused_both_ways() {
    let file = (EntryType::Regular, "a", "", &b"x"[..]);
    let within = (EntryType::Regular, "a/b", "", &b"x"[..]);
    for entries in [[file, within], [within, file]] {
        assert!(Place::new().unpack(&archive(&entries)).unwrap_err().contains("stands in it twice"));
    }
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused() {
    let plain = good();
    let packed = gzip(&plain);
    for cut in [600, 1024, 1500, 3 * 512, plain.len() - 1024] {
        assert!(Place::new().unpack(&plain[..cut]).unwrap_err().contains("truncated"), "{cut}");
    }
    for cut in 20..packed.len() {
        let error = Place::new().unpack(&packed[..cut]).unwrap_err();
        assert!(error.contains("truncated"), "{cut}: {error}");
    }
    let mut flipped = packed.clone();
    let middle = packed.len() - 6;
    flipped[middle] ^= 1;
    assert!(Place::new().unpack(&flipped).is_err());
}

#[test]
fn bombs_stop_at_the_limits() {
    let zeros = vec![0; 900 << 10];
    let dense = gzip(&archive(&[(EntryType::Regular, "zeros", "", &zeros)]));
    assert!(Place::new().unpack(&dense).unwrap_err().contains("20 times larger"));

    let large = vec![0; 2 << 20];
    let plain = archive(&[(EntryType::Regular, "large", "", &large)]);
    assert!(Place::new().unpack(&plain).unwrap_err().contains("larger than 1048576 bytes"));

    let names: Vec<String> = (0..60).map(|number| format!("f{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (EntryType::Regular, name.as_str(), "", &b""[..])).collect();
    assert!(Place::new().unpack(&archive(&many)).unwrap_err().contains("more than 50 files"));

    let name = vec![b'n'; 3 << 20];
    let long =
        archive(&[(EntryType::GNULongName, "././@LongLink", "", &name), (EntryType::Regular, "x", "", b"")]);
    assert!(Place::new().unpack(&long).unwrap_err().contains("too long"));
}

#[test]
fn what_is_no_archive_says_so() {
    assert!(Place::new().unpack(b"").unwrap_err().contains("empty"));
    assert!(Place::new().unpack(b"PK\x03\x04 and so on").unwrap_err().contains("pack it as one of these"));
    assert!(Place::new().unpack(&gzip(&archive(&[]))).unwrap_err().contains("it is empty"));
    let after_the_end = gzip(&vec![0; 3 << 20]);
    assert!(Place::new().unpack(&after_the_end).unwrap_err().contains("follows the end"));
    assert!(Place::new().unpack(&gzip(b"just text, no tar at all")).is_err());
}

//! The log of an instance: its bytes as they came, in segments `log.<offset of the first byte>`. A segment is never
//! renamed, so a reader's place stays valid; the oldest segments are dropped.
//!
//! Must not know who writes or reads. Tested in place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::driver::{LogChunk, LogPosition};

/// A segment is followed by a new one when it has reached so many bytes.
pub(crate) const SEGMENT: u64 = 10 * 1024 * 1024;
/// So many segments are kept.
pub(crate) const SEGMENTS: usize = 3;
/// A line is shown up to so many characters in findings.
const LINE: usize = 500;

const PREFIX: &str = "log.";

/// The one writer of a log.
pub(crate) struct LogWriter {
    folder: PathBuf,
    /// None after a failure; opened anew with the next bytes.
    current: Option<File>,
    end: u64,
    segment_start: u64,
    segment: u64,
    lost: u64,
}

impl LogWriter {
    /// A writer that begins a new segment after `segment` bytes.
    pub(crate) fn new(folder: &Path, segment: u64) -> LogWriter {
        LogWriter { folder: folder.to_owned(), current: None, end: 0, segment_start: 0, segment, lost: 0 }
    }

    /// A writer that goes on where the log in `folder` ends.
    pub(crate) fn resume(folder: &Path, segment: u64) -> io::Result<LogWriter> {
        let mut writer = LogWriter::new(folder, segment);
        if let Some((start, path)) = segments(folder)?.pop() {
            writer.segment_start = start;
            writer.end = start + fs::metadata(path)?.len();
        }
        Ok(writer)
    }

    /// Writes the bytes, or drops and counts them if the disk does not take them: the app must not suffer.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.lost > 0 {
            let note = format!("\n[tandem: {} bytes of log were lost, the disk took no more]\n", self.lost);
            if self.append(note.as_bytes()).is_ok() {
                self.lost = 0;
            }
        }
        if self.lost > 0 || self.append(bytes).is_err() {
            self.lost = self.lost.saturating_add(bytes.len() as u64);
        }
    }

    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.end - self.segment_start >= self.segment {
                self.current = None;
                self.segment_start = self.end;
            }
            let written = self.segment()?.write(bytes);
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.end += count as u64;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.current = None;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn segment(&mut self) -> io::Result<&mut File> {
        let file = match self.current.take() {
            Some(file) => file,
            None => {
                let path = self.folder.join(format!("{PREFIX}{}", self.segment_start));
                let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
                drop_oldest(&self.folder)?;
                file
            }
        };
        Ok(self.current.insert(file))
    }
}

fn drop_oldest(folder: &Path) -> io::Result<()> {
    let segments = segments(folder)?;
    for (_, path) in segments.iter().take(segments.len().saturating_sub(SEGMENTS)) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The segments in `folder` with their first offsets, ascending.
fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let start =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|start| start.parse().ok());
        found.extend(start.map(|start| (start, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

/// At most `limit` bytes of the log in `folder`, from `from` on.
pub(crate) fn read(folder: &Path, from: LogPosition, limit: usize) -> io::Result<LogChunk> {
    let segments = segments(folder)?;
    let (Some(&(oldest, _)), Some((newest, newest_path))) = (segments.first(), segments.last()) else {
        return Ok(LogChunk { next: from.min(LogPosition::START), ..LogChunk::default() });
    };
    let end = newest + fs::metadata(newest_path)?.len();
    let begin = from.0.clamp(oldest, end);
    let mut bytes = Vec::new();
    for (start, path) in &segments {
        let at = begin + bytes.len() as u64;
        if at < *start || bytes.len() >= limit {
            continue;
        }
        let mut file = match File::open(path) {
            Ok(file) => file,
            // Dropped between the listing and now: what was asked for is gone, the next reading says how much.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(at - start))?;
        file.take((limit - bytes.len()) as u64).read_to_end(&mut bytes)?;
    }
    let next = LogPosition(begin + bytes.len() as u64);
    Ok(LogChunk { skipped: begin.saturating_sub(from.0), next, end: LogPosition(end).max(next), bytes })
}

/// The last `count` lines of the log in `folder`, for people: without control characters, each of bounded length.
pub(crate) fn last_lines(folder: &Path, count: usize) -> io::Result<Vec<String>> {
    let end = read(folder, LogPosition::START, 0)?.end;
    let bytes = read(folder, end.back(64 * 1024), 64 * 1024)?.bytes;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<String> =
        text.lines().rev().map(plain).filter(|line| !line.trim().is_empty()).take(count).collect();
    lines.reverse();
    Ok(lines)
}

/// The line without escape sequences and other control characters, at most `LINE` characters of it.
fn plain(line: &str) -> String {
    let mut result = String::new();
    let mut chars = line.chars().peekable();
    let mut length = 0;
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // CSI: up to its final byte. OSC: up to BEL or ESC. Others are two characters long.
                Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                _ => {}
            },
            '\t' => result.push(' '),
            c if c.is_control() || is_invisible(c) => continue,
            c => result.push(c),
        }
        length += 1;
        if length >= LINE {
            result.push('…');
            break;
        }
    }
    result
}

/// Characters that change the direction of text or have no width: they could make a line look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_stays_valid_while_old_segments_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(folder.path(), 10);
        assert_eq!(read(folder.path(), LogPosition::START, 100).unwrap(), LogChunk::default());
        log.write(b"0123456789");
        let first = read(folder.path(), LogPosition(4), 3).unwrap();
        assert_eq!(
            (first.bytes.as_slice(), first.next, first.end),
            (&b"456"[..], LogPosition(7), LogPosition(10))
        );
        log.write(b"abcdefghij");
        let across = read(folder.path(), first.next, 100).unwrap();
        assert_eq!((across.bytes.as_slice(), across.skipped), (&b"789abcdefghij"[..], 0));
        for _ in 0..4 {
            log.write(b"ABCDEFGHIJ");
        }
        let late = read(folder.path(), across.next, 5).unwrap();
        assert_eq!((late.bytes.as_slice(), late.skipped, late.next), (&b"ABCDE"[..], 10, LogPosition(35)));
        assert_eq!(late.end, LogPosition(60));
        assert_eq!(segments(folder.path()).unwrap().len(), SEGMENTS);
    }

    #[test]
    fn a_log_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        LogWriter::new(folder.path(), 10).write(b"0123456789abc");
        LogWriter::resume(folder.path(), 10).unwrap().write(b"def");
        let all = read(folder.path(), LogPosition::START, 100).unwrap();
        assert_eq!((all.bytes.as_slice(), all.end), (&b"0123456789abcdef"[..], LogPosition(16)));
    }

    #[test]
    fn what_the_disk_does_not_take_is_counted_and_told_later() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("place");
        let mut log = LogWriter::new(&place, 1000);
        log.write(b"12345");
        fs::create_dir(&place).unwrap();
        log.write(b"on again\n");
        let text = String::from_utf8(read(&place, LogPosition::START, 1000).unwrap().bytes).unwrap();
        assert!(text.contains("5 bytes of log were lost") && text.ends_with("on again\n"), "{text}");
    }

    #[test]
    fn lines_for_people_hold_nothing_that_a_terminal_obeys() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(folder.path(), SEGMENT);
        log.write(b"one\r\n\x1b[31mred\x1b[0m \x1b]0;title\x07end\xff\n\n\xe2\x80\xaeevil\tx");
        assert_eq!(last_lines(folder.path(), 20).unwrap(), ["one", "red end\u{fffd}", "evil x"]);
        log.write(&b"x".repeat(100_000));
        let last = last_lines(folder.path(), 1).unwrap();
        assert_eq!(last.concat().chars().count(), LINE + 1);
    }
}

//! One call over a Unix socket, as old and plain as HTTP allows.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an engine may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// The body of the answer; the error is that of an answer that is none of success, or of the connection.
pub(crate) fn ask(socket: &Path, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |why: std::io::Error| why.to_string();
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(SILENCE)).map_err(failed)?;
    // With version 1.0 the answer is not cut into chunks and ends with the connection.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/x-tar\r\nX-Registry-Auth: e30=\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).map_err(failed)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(failed)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("it said nothing")?;
    let content = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer).into_owned();
    match head.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(content),
        _ => {
            Err(format!("{}: {}", head.lines().next().unwrap_or_default(), String::from_utf8_lossy(&content)))
        }
    }
}

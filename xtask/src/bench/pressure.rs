//! Load on a proxy: as much as it bears, by wrk; or a fixed number of requests, for counting per request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::scene::other_cores;
use super::speech::Speech;

/// What wrk has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// Answers.
    pub(super) requests: u64,
    /// 99 of 100 were quicker.
    pub(super) p99: Duration,
}

/// Keeps so many connections busy for so long; over HTTP/2 eight with so many requests on all of them together.
pub(super) fn full(
    address: SocketAddr,
    path: &str,
    speech: Speech,
    connections: u32,
    seconds: u32,
    pinned: bool,
) -> Result<Seen, String> {
    let tool = if speech.is_http2() { "h2load" } else { "wrk" };
    let mut command = Command::new(if pinned { "taskset" } else { tool });
    if pinned {
        command.args(["-c", &other_cores(), tool]);
    }
    let url = format!("{}://{address}{path}", speech.scheme());
    if speech.is_http2() {
        command.args(["-c8", &format!("-m{}", (connections / 8).max(1)), &format!("-D{seconds}"), &url]);
        let output = command.output().map_err(|why| format!("can't run h2load: {why}"))?;
        return read_h2load(&String::from_utf8_lossy(&output.stdout));
    }
    command.args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{seconds}s")]);
    command.arg(url);
    let output = command.output().map_err(|why| format!("can't run wrk: {why}"))?;
    read(&String::from_utf8_lossy(&output.stdout))
}

/// What h2load printed. It tells no quantiles: the time of nearly all is the mean and two deviations.
fn read_h2load(text: &str) -> Result<Seen, String> {
    let unusable = || format!("h2load printed something else than expected:\n{text}");
    let line = |mark: &str| text.lines().find(|line| line.starts_with(mark));
    let counts = line("requests:").ok_or_else(unusable)?;
    let count = |word: &str| {
        let before = counts.split(", ").find(|part| part.trim_end().ends_with(word))?;
        before.trim_start_matches("requests:").split_whitespace().next()?.parse::<u64>().ok()
    };
    if count("failed") != Some(0) || count("errored") != Some(0) {
        return Err(format!("h2load met failures: {counts}"));
    }
    let times = line("time for request:").ok_or_else(unusable)?;
    let words: Vec<&str> = times.split_whitespace().collect();
    let [.., mean, deviation, _] = words.as_slice() else { return Err(unusable()) };
    let (mean, deviation) = (length(mean).ok_or_else(unusable)?, length(deviation).ok_or_else(unusable)?);
    Ok(Seen { requests: count("succeeded").ok_or_else(unusable)?, p99: mean + 2 * deviation })
}

/// What wrk printed.
fn read(text: &str) -> Result<Seen, String> {
    for bad in ["Non-2xx", "Socket errors"] {
        if let Some(line) = text.lines().find(|line| line.contains(bad)) {
            return Err(format!("wrk met failures: {}", line.trim()));
        }
    }
    let unusable = || format!("wrk printed something else than expected:\n{text}");
    let words = |mark: &str| text.lines().find(|line| line.contains(mark)).map(str::trim).map(str::to_owned);
    let requests = words(" requests in ").and_then(|line| line.split(' ').next()?.parse().ok());
    let p99 = words("99%").and_then(|line| length(line.split_whitespace().nth(1)?));
    Ok(Seen { requests: requests.ok_or_else(unusable)?, p99: p99.ok_or_else(unusable)? })
}

fn length(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| c.is_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * scale))
}

/// Sends exactly `count` requests, over `connections` at once.
pub(super) fn exact(address: SocketAddr, count: usize, connections: usize) -> Result<(), String> {
    let open = || TcpStream::connect(address).map_err(|why| format!("no connection: {why}"));
    let streams: Vec<TcpStream> = (0..connections).map(|_| open()).collect::<Result<_, _>>()?;
    for _ in 0..count / connections {
        streams.iter().try_for_each(|stream| send(stream, "/a"))?;
        streams.iter().try_for_each(receive)?;
    }
    Ok(())
}

/// One request and its answer.
pub(super) fn ask(stream: &TcpStream, path: &str) -> Result<(), String> {
    send(stream, path)?;
    receive(stream)
}

fn send(mut stream: &TcpStream, path: &str) -> Result<(), String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|why| format!("can't send: {why}"))
}

/// Reads an answer that has a length.
fn receive(mut stream: &TcpStream) -> Result<(), String> {
    let broken = |why: std::io::Error| format!("no answer: {why}");
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(broken)?;
    let mut answer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length
                .split("content-length:")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse().ok());
            if !head.starts_with("HTTP/1.1 200") {
                return Err(format!("answered {:?}", head.lines().next()));
            }
            if body.len() >= length.unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
        match stream.read(&mut piece).map_err(broken)? {
            0 => return Err("closed within the answer".to_owned()),
            count => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2load_is_understood() {
        let text = "requests: 4100 total, 4228 started, 4100 done, 4100 succeeded, 0 failed, 0 errored, 0 timeout\n\
                    time for request:      151us     24.54ms      3.00ms      1.00ms    88.50%\n";
        assert_eq!(read_h2load(text), Ok(Seen { requests: 4100, p99: Duration::from_millis(5) }));
        assert!(read_h2load(&text.replace("0 errored", "1 errored")).is_err());
        assert!(read_h2load("").is_err());
    }

    #[test]
    fn wrk_is_understood() {
        let text = "  Latency Distribution\n     50%    1.02ms\n     99%    3.10ms\n  95000 requests in 3.00s, 20MB read\n";
        assert_eq!(read(text), Ok(Seen { requests: 95_000, p99: Duration::from_micros(3100) }));
        assert!(read(&format!("{text}  Non-2xx or 3xx responses: 3\n")).is_err());
        assert!(read("").is_err());
    }
}

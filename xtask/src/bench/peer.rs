//! The proxies that are compared, each set up to do the same: keep connections on both sides, four instances behind
//! it, `X-Forwarded-For`, no access log.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::scene::Scene;
use super::speech::Speech;
use crate::machine;

/// How long starting and stopping may take; under valgrind all is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A kind of proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Tandem,
    Haproxy,
    Nginx,
}

/// A proxy that serves.
pub(super) struct Running {
    pub(super) peer: Peer,
    pub(super) address: SocketAddr,
    child: Child,
    /// Whether the process that was started is a tool, and the proxy its child.
    below_tool: bool,
}

impl Peer {
    pub(super) fn named(name: &str) -> Result<Peer, String> {
        match name {
            "tandem" => Ok(Peer::Tandem),
            "haproxy" => Ok(Peer::Haproxy),
            "nginx" => Ok(Peer::Nginx),
            _ => Err(format!("{name:?} is no peer: tandem, haproxy or nginx")),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Tandem => "tandem",
            Peer::Haproxy => "haproxy",
            Peer::Nginx => "nginx",
        }
    }

    /// Program and arguments, with the words of a tool before the proxy's own, if there are any.
    fn command(
        self,
        scene: &Scene,
        (address, speech): (SocketAddr, Speech),
        threads: u32,
        tool: &[String],
    ) -> Result<Vec<String>, String> {
        let file = |end: &str| scene.folder.path().join(format!("{}-{}.{end}", self.name(), address.port()));
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let find = |name: &str| machine::find(name).map(text).ok_or_else(|| format!("there is no {name}"));
        let write = |path: &PathBuf, content: String| {
            fs::write(path, content).map_err(|why| format!("can't write {}: {why}", path.display()))
        };
        let (before, own) = match self {
            Peer::Tandem => {
                let program = text(scene.binaries.join("tandem-bench-proxy"));
                // The sockets are opened before the tool begins, which then sees the proxy alone.
                let before =
                    vec![program.clone(), "open".to_owned(), address.to_string(), threads.to_string()];
                let mut own = vec![program, "serve".to_owned(), text(file("state")), address.to_string()];
                own.push(if speech.is_secret() { text(scene.certificate.clone()) } else { "-".to_owned() });
                own.extend(scene.backends.iter().map(ToString::to_string));
                (before, own)
            }
            Peer::Haproxy => {
                write(&file("cfg"), haproxy(scene, (address, speech), threads))?;
                (Vec::new(), vec![find("haproxy")?, "-db".to_owned(), "-f".to_owned(), text(file("cfg"))])
            }
            Peer::Nginx => {
                // A tool looks into one process.
                write(
                    &file("conf"),
                    nginx(scene, (address, speech), threads, !tool.is_empty(), &text(file(""))),
                )?;
                let words = ["-c".to_owned(), text(file("conf")), "-e".to_owned(), "stderr".to_owned()];
                (Vec::new(), std::iter::once(find("nginx")?).chain(words).collect())
            }
        };
        Ok(before.into_iter().chain(tool.iter().cloned()).chain(own).collect())
    }

    /// Starts it, on the first core if it has one thread, behind the words of a tool if there are any, and waits until
    /// it serves.
    pub(super) fn start(
        self,
        scene: &Scene,
        threads: u32,
        speech: Speech,
        tool: &[String],
    ) -> Result<Running, String> {
        let address = scene.address()?;
        let words = self.command(scene, (address, speech), threads, tool)?;
        let pin = ["taskset", "-c", "0"].map(str::to_owned);
        let pin = if threads == 1 { &pin[..] } else { &[] };
        let mut words = pin.iter().chain(&words);
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(|why| format!("can't start {}: {why}", self.name()))?;
        let mut running = Running {
            peer: self,
            address,
            child,
            below_tool: tool.first().is_some_and(|name| name == "strace"),
        };
        let begun = Instant::now();
        while !answers(address, speech) {
            if let Ok(Some(status)) = running.child.try_wait() {
                return Err(format!("{} ended by itself ({status})", self.name()));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{} does not serve after {PATIENCE:?}", self.name()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

/// Whether a request through the proxy is answered well.
fn answers(address: SocketAddr, speech: Speech) -> bool {
    if speech == Speech::Http {
        return TcpStream::connect(address).is_ok_and(|stream| super::pressure::ask(&stream, "/a").is_ok());
    }
    super::pressure::full(address, "/a", speech, 8, 1, false).is_ok_and(|seen| seen.requests > 0)
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it, or the process below its tool, to end, and waits for that.
    pub(super) fn end(mut self) -> Result<(), String> {
        let name = self.peer.name();
        let tree = super::cpu::tree(self.pid());
        // strace stays the parent of what it watches and does not pass a signal on; taskset and valgrind become it.
        let asked = tree
            .get(usize::from(self.below_tool))
            .copied()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = asked {
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while self.child.try_wait().map_err(|why| why.to_string())?.is_none() {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{name} does not end"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let tree = super::cpu::tree(self.pid());
            for pid in tree.into_iter().rev().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

fn haproxy(scene: &Scene, (address, speech): (SocketAddr, Speech), threads: u32) -> String {
    let certificate = scene.certificate.display();
    let how = match speech {
        Speech::Http => String::new(),
        Speech::Https => format!(" ssl crt {certificate}"),
        Speech::H2c => " proto h2".to_owned(),
        Speech::H2 => format!(" ssl crt {certificate} alpn h2"),
    };
    let servers: String =
        scene.backends.iter().enumerate().map(|(index, to)| format!("    server s{index} {to}\n")).collect();
    format!(
        "global\n    nbthread {threads}\n    maxconn 4000\n\
         defaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
         \x20   option http-keep-alive\n    http-reuse always\n    option forwardfor\n\
         frontend f\n    bind {address}{how}\n    default_backend b\n\
         backend b\n    balance leastconn\n{servers}"
    )
}

fn nginx(
    scene: &Scene,
    (address, speech): (SocketAddr, Speech),
    threads: u32,
    alone: bool,
    prefix: &str,
) -> String {
    let how = match speech {
        Speech::Http => "",
        Speech::Https => " ssl",
        Speech::H2c => " http2",
        Speech::H2 => " ssl http2",
    };
    let certificate = scene.certificate.display();
    let keys = if speech.is_secret() {
        format!("    ssl_certificate {certificate};\n    ssl_certificate_key {certificate};\n")
    } else {
        String::new()
    };
    let servers: String = scene.backends.iter().map(|to| format!("    server {to};\n")).collect();
    let master = if alone { "off" } else { "on" };
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {prefix}{kind};\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process {master};\nworker_processes {threads};\npid {prefix}pid;\n\
         error_log stderr error;\nevents {{ worker_connections 8000; }}\n\
         http {{\n{paths}  access_log off;\n  keepalive_requests 1000000000;\n\
         \x20 upstream b {{\n    least_conn;\n{servers}    keepalive 256;\n    keepalive_requests 1000000000;\n  }}\n\
         \x20 server {{\n    listen {address}{how} reuseport backlog=4096;\n{keys}    location / {{\n      proxy_pass http://b;\n\
         \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n\
         \x20     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }}\n  }}\n}}\n"
    )
}

//! The likely cause of an instance's failure, from what was found about it.

use crate::fleet::{Exit, Findings};
use crate::spec::HttpProbe;
use crate::traffic::Health;

/// The likely cause, for people, with what to do. `port` is where the instance was to listen.
pub fn likely_cause(probe: &HttpProbe, port: Option<u16>, health: &Health, findings: &Findings) -> String {
    match &findings.exit {
        Some(exit) => exited(exit),
        None => silent(probe, port, health, findings),
    }
}

fn exited(exit: &Exit) -> String {
    match exit {
        Exit::Code(0) => {
            "the command ended by itself, without an error: it must stay in the foreground".to_owned()
        }
        Exit::Code(126) => "exit code 126: a shell found the command but could not execute it".to_owned(),
        Exit::Code(127) => "exit code 127: a shell did not find the command".to_owned(),
        Exit::Code(code) => format!("the command exited with code {code}: its last log lines say why"),
        Exit::Signal(9) => "it was killed by SIGKILL: often the kernel, when memory runs out".to_owned(),
        Exit::Signal(signal) => format!("it was killed by signal {signal}"),
        Exit::NotExecuted(why) => why.clone(),
        Exit::OutOfMemory => {
            "it took more memory than run.docker.memory gives it: raise that, or see what takes it".to_owned()
        }
        Exit::Unknown => "its keeper was killed, or the machine was restarted".to_owned(),
    }
}

fn silent(probe: &HttpProbe, number: Option<u16>, health: &Health, findings: &Findings) -> String {
    let port = number.map_or("its port".to_owned(), |port| format!("port {port}"));
    if let Some(stranger) = &findings.stranger {
        return format!("{port} is held by {stranger}, which is not the instance");
    }
    let last = crate::workflow::last_answer(health);
    let path = &probe.path;
    if last.contains("refused") || matches!(health, Health::Unknown) {
        let others: Vec<String> = findings.listens.iter().map(ToString::to_string).collect();
        let right_port: Vec<String> =
            findings.listens.iter().filter(|a| Some(a.port()) == number).map(ToString::to_string).collect();
        // Of this machine's own processes one that listens there is reached: this one has a network of its own.
        let is_own = |a: &&std::net::SocketAddr| Some(a.port()) == number && a.ip().is_loopback();
        if let Some(own) = findings.listens.iter().find(|a| is_own(a) && a.is_ipv4()) {
            return format!(
                "it listens on {own} only, which nobody reaches from outside of its container: the app must bind 0.0.0.0"
            );
        }
        if !right_port.is_empty() {
            return format!(
                "it listens on {} only: the app must bind 127.0.0.1 (or 0.0.0.0)",
                right_port.join(", ")
            );
        }
        return if others.is_empty() {
            format!("it never listened on {port}: the app must bind the port in $PORT, on 127.0.0.1")
        } else {
            format!(
                "it listens on {} and not on {port}: the app must bind the port in $PORT",
                others.join(", ")
            )
        };
    }
    let code = last.get(..3).and_then(|code| code.parse::<u16>().ok());
    match code {
        Some(300..=399) => format!(
            "{path} answers with a redirect ({last}): exclude it from the redirect, or set run.ready.host or a path \
             that answers 200"
        ),
        Some(401 | 403) => format!("{path} asks for a login ({last}): health checks carry none"),
        Some(404) => format!("{path} does not exist ({last}): set run.ready.http to a path that answers 200"),
        Some(400) => {
            format!("{path} refuses the request ({last}): set run.ready.host to a host that the app allows")
        }
        Some(500..=599) => format!("{path} fails inside the app ({last}): its last log lines say why"),
        _ => format!("{path}: {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(listens: &[&str]) -> String {
        let listens = listens.iter().map(|address| address.parse().unwrap()).collect();
        let health = Health::Failing { last: "connection refused".to_owned() };
        let findings = Findings { listens, ..Findings::default() };
        likely_cause(&HttpProbe::default(), Some(20_000), &health, &findings)
    }

    #[test]
    fn whoever_refuses_connections_listens_elsewhere_or_nowhere() {
        assert!(cause(&[]).contains("never listened on port 20000"));
        assert!(cause(&["127.0.0.1:3000"]).contains("on 127.0.0.1:3000 and not on port 20000"));
        assert!(cause(&["[::1]:20000"]).contains("on [::1]:20000 only: the app must bind 127.0.0.1"));
    }
}

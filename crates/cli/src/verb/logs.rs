//! `tandem logs`: what instances wrote.
//!
//! On a terminal, whatever a terminal would obey is taken out of the lines; in a pipe they stay as they are.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;
use tandem_core::base::InstanceId;
use tandem_server::api::Status;
use tokio::sync::mpsc;

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::terminal::{DIM, Terminal, clean};
use crate::verb::Ending;

/// Longer lines are shown in pieces, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

pub(crate) async fn run(
    asked: Option<InstanceId>,
    follow: bool,
    global: &Global,
    terminal: &Terminal,
) -> Ending {
    let client = Client::find(global)?;
    let instances = match asked {
        Some(instance) => vec![instance],
        None => {
            let status: Status = client.get("/v1/status").await?;
            let alive = status.instances.iter().filter(|instance| instance.stage.is_alive());
            alive.map(|instance| instance.instance).collect()
        }
    };
    if instances.is_empty() {
        terminal.say("no instance runs");
        return Ok(Exit::Done);
    }
    let named = instances.len() > 1;
    let (sender, mut lines) = mpsc::channel::<(InstanceId, Vec<u8>)>(256);
    if follow {
        for instance in instances {
            let body = client.open(&path(instance, true), &[]).await?;
            tokio::spawn(read(instance, body, sender.clone()));
        }
        drop(sender);
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                () = terminal.unread() => None,
            };
            let Some((instance, line)) = line else { return Ok(Exit::Done) };
            show(instance, &line, named, terminal);
        }
    }
    drop(sender);
    for instance in instances {
        let body = client.open(&path(instance, false), &[]).await?;
        let (sender, mut lines) = mpsc::channel(256);
        let reader = tokio::spawn(read(instance, body, sender));
        while let Some((instance, line)) = lines.recv().await {
            show(instance, &line, named, terminal);
        }
        reader.await.map_err(|error| Failure::failed(error.to_string()))?;
    }
    Ok(Exit::Done)
}

fn path(instance: InstanceId, follow: bool) -> String {
    let follow = if follow { "?follow=true" } else { "" };
    format!("/v1/instances/{}/log{follow}", instance.0)
}

/// Cuts a body into lines, until it ends or nobody wants more.
async fn read(instance: InstanceId, mut body: Incoming, lines: mpsc::Sender<(InstanceId, Vec<u8>)>) {
    let mut line = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(bytes) = frame.data_ref() else { continue };
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
            }
            if (byte == b'\n' || line.len() >= LONGEST_LINE)
                && lines.send((instance, std::mem::take(&mut line))).await.is_err()
            {
                return;
            }
        }
    }
    if !line.is_empty() {
        // The last receiver is gone: then nobody reads.
        let _ = lines.send((instance, line)).await;
    }
}

/// A line as `--json` prints it.
#[derive(Serialize)]
struct Written<'a> {
    instance: InstanceId,
    line: &'a str,
}

fn show(instance: InstanceId, line: &[u8], named: bool, terminal: &Terminal) {
    let text = String::from_utf8_lossy(line);
    if terminal.json {
        terminal.object(&Written { instance, line: &text });
        return;
    }
    let text = if terminal.data_is_seen { clean(&text) } else { text };
    if named {
        terminal.line(format_args!("{DIM}{:<5}{DIM:#} {text}", instance.to_string()));
    } else {
        terminal.line(text);
    }
}

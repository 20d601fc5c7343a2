//! A bridge with a network of its own, so that engines beside each other hand out different addresses.

use std::fs;
use std::path::Path;
use std::process::Command;

/// So many there may be at a time on a machine.
const MOST: u8 = 250;

/// A bridge, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Bridge(String);

impl Bridge {
    /// The first one that is free. One whose process is gone is taken over.
    pub(crate) fn make() -> Result<Bridge, String> {
        let mut last = String::new();
        for number in 1..=MOST {
            let name = format!("tandem-t{number}");
            let known = Path::new("/sys/class/net").join(&name);
            if known.exists() {
                let owner = fs::read_to_string(known.join("ifalias")).unwrap_or_default();
                // Without a name it was made just now, by somebody who is about to write his own.
                if owner.trim().is_empty() || Path::new("/proc").join(owner.trim()).exists() {
                    continue;
                }
                let _ = ip(&["link", "delete", &name]);
            }
            // Whoever else has just made it is the one who has it.
            match ip(&["link", "add", "name", &name, "type", "bridge"]) {
                Ok(()) => {
                    let bridge = Bridge(name);
                    bridge.set_up(number)?;
                    return Ok(bridge);
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    fn set_up(&self, number: u8) -> Result<(), String> {
        ip(&["link", "set", &self.0, "alias", &std::process::id().to_string()])?;
        ip(&["address", "add", &format!("10.213.{number}.1/24"), "dev", &self.0])?;
        ip(&["link", "set", &self.0, "up"])
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = ip(&["link", "delete", &self.0]);
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new(crate::process::program("ip")).args(words).output();
    let output = output.map_err(|why| format!("ip can't be run: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

//! Ports that stay ours while nobody listens on them.

use std::fs::{self, File};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::getuid;

/// Where ports are looked for: below those that the system hands out to outgoing connections, and apart from those of
/// the daemons of tests (18 000 to 19 999).
const PORTS: std::ops::Range<u16> = 16_000..18_000;

/// A port of 127.0.0.1 that no other value of this user has, in whatever process, as long as this one lives: a server that is killed
/// finds it free when it comes again.
#[derive(Debug)]
pub struct Port {
    number: u16,
    // Its lock is the claim; it ends with the process too.
    _claim: File,
}

impl Port {
    /// One that nobody listens on now.
    pub(crate) fn claim() -> Result<Port, String> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join(format!("tandem-ports-{}", getuid().as_raw()));
        let told = |why: std::io::Error| format!("{}: {why}", folder.display());
        fs::create_dir_all(&folder).map_err(told)?;
        let count = PORTS.end - PORTS.start;
        let first = (std::process::id() % u32::from(count)) as u16;
        for _ in PORTS {
            let number = PORTS.start + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
            let claim = File::create(folder.join(number.to_string())).map_err(told)?;
            if claim.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Ok(Port { number, _claim: claim });
            }
        }
        Err(format!("no port from {} to {} is free", PORTS.start, PORTS.end - 1))
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

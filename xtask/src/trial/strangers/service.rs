//! The strangers: how each is run, and what a version of it is.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::machine::Need;
use crate::trial::write;

/// A service that knows nothing of Tandem.
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) need: Need,
    /// Requests per second that it bears on a small machine, with the generator beside it.
    pub(super) rate: f64,
    /// `run.command`
    command: &'static str,
    /// Files of a version beside its page, by name.
    files: &'static [(&'static str, &'static str)],
}

/// nginx in the foreground, with all that it writes in a folder of its own. `user root` has no effect for others.
const NGINX: &str = r#"set -eu
PATH=$PATH:/usr/sbin
here=$PWD
mkdir -p "run/$PORT"
cat > "run/$PORT/nginx.conf" <<END
user root;
daemon off;
pid nginx.pid;
worker_processes 1;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server { listen 127.0.0.1:$PORT; root $here; }
}
END
exec nginx -e stderr -p "$here/run/$PORT/" -c nginx.conf
"#;

const NODE: &str = r"const page = require('fs').readFileSync('index.html');
require('http').createServer((request, response) => response.end(page)).listen(process.env.PORT, '127.0.0.1');
";

pub(super) const SERVICES: &[Service] = &[
    Service {
        name: "python http.server",
        need: ("python3", "python3"),
        rate: 100.0,
        command: r#"["python3", "-m", "http.server", "$PORT", "--bind", "127.0.0.1"]"#,
        files: &[],
    },
    Service {
        name: "nginx",
        need: ("nginx", "nginx-light"),
        rate: 500.0,
        command: r#"["sh", "serve.sh"]"#,
        files: &[("serve.sh", NGINX)],
    },
    Service {
        name: "node",
        need: ("node", "nodejs"),
        rate: 500.0,
        command: r#"["node", "server.js"]"#,
        files: &[("server.js", NODE)],
    },
];

impl Service {
    /// Writes the config.
    pub(super) fn configure(&self, folder: &Path, address: SocketAddr) -> Result<(), String> {
        let text = format!(
            r#"service = "stranger"

[run]
command   = {}
instances = 4
ready     = {{ http = "/" }}

[[listen]]
address = "{address}"

[deploy]
bake = "300ms"

[deploy.flip]
warm = "300ms"
"#,
            self.command
        );
        write(&folder.join("tandem.toml"), &text)
    }

    /// A version of it, whose page tells its label.
    pub(super) fn deliverable(&self, folder: &Path, label: &str) -> Result<PathBuf, String> {
        let made = folder.join("deliverables").join(label);
        fs::create_dir_all(&made).map_err(|why| format!("can't make {}: {why}", made.display()))?;
        write(&made.join("index.html"), &format!("<p>this is {label}.</p>\n"))?;
        self.files.iter().try_for_each(|(name, text)| write(&made.join(name), text))?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configs_are_good() {
        for service in SERVICES {
            let folder = tempfile::tempdir().expect("a folder");
            service.configure(folder.path(), SocketAddr::from(([127, 0, 0, 1], 18_000))).expect("written");
            let text = fs::read_to_string(folder.path().join("tandem.toml")).expect("there");
            let problems = tandem_core::spec::read(&text).err();
            assert!(problems.is_none(), "{}: {problems:?}", service.name);
        }
    }
}

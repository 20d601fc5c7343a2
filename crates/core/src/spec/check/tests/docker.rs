//! Containers: what is taken, what is refused, and how it is told.

use super::super::super::{DockerSpec, EngineHost};
use super::*;

fn with(lines: &str) -> String {
    format!("service = \"shop\"\nlisten = [{{ address = \"[::]:80\" }}]\n[run.docker]\n{lines}\n")
}

#[test]
fn an_empty_table_is_enough_and_needs_no_command() {
    let spec = read(&with("")).unwrap();
    assert_eq!(spec.run.docker, Some(DockerSpec::default()));
    assert!(spec.run.command.is_empty());
    assert_eq!(read(SMALL).unwrap().run.docker, None);
    let shown = show(&with("")).unwrap();
    assert!(shown.contains("[run.docker]\nhosts = [\"unix:///var/run/docker.sock\"]"), "{shown}");
    assert_eq!(read(&shown), read(&with("")));
}

#[test]
fn engines_are_here_or_elsewhere() {
    let host = |text: &str| text.parse::<EngineHost>().unwrap();
    assert!(
        host("unix:///a").is_here() && host("tcp://127.0.0.1:1").is_here() && host("tcp://[::1]:1").is_here()
    );
    assert!(!host("tcp://10.0.0.5:2376").is_here() && !host("tcp://engine.example:2376").is_here());
}

#[test]
fn what_can_not_be_used_is_refused() {
    let all = [
        "hosts = [\"/var/run/docker.sock\"]",
        "hosts = [\"ssh://shop@10.0.0.5\"]",
        "hosts = [\"10.0.0.5\", \"unix://x\"]",
        "hosts = []",
        "hosts = [\"unix:///a\", \"unix:///a\"]",
        "hosts = [\"tcp://10.0.0.5:2376\"]",
        "port = 0",
        "reach = \"dns\"",
        "network = \"host\"",
        "cpus = \"many\"",
        "memory = \"1KiBi\"",
        "volumes = [\"data\"]",
        "registry.password = \"hunter2\"",
        "registry = { host = \"registry.example.com\", user = \"deploy\" }",
        "registry = { host = \"no registry\", user = \"deploy\", password = \"env:A\" }",
        "image = \"shop:v1\"",
    ];
    let said: Vec<String> = all.iter().map(|lines| format!("{lines}\n{}", problems(&with(lines)))).collect();
    assert!(!said.join("\n").contains("is \"hunter2\""));
    insta::assert_snapshot!(said.join("\n"), @r###"
hosts = ["/var/run/docker.sock"]
tandem.toml:4:9: `run.docker.hosts` holds "/var/run/docker.sock"
  help: write "unix:///var/run/docker.sock"

hosts = ["ssh://shop@10.0.0.5"]
tandem.toml:4:9: `run.docker.hosts` holds "ssh://shop@10.0.0.5", and engines are not reached by ssh
  help: forward its socket (ssh -L /run/shop.sock:/var/run/docker.sock HOST) and write "unix:///run/shop.sock", or have the engine listen with TLS and write "tcp://HOST:2376"

hosts = ["10.0.0.5", "unix://x"]
tandem.toml:4:9: `run.docker.hosts` holds "10.0.0.5", where no engine listens
  help: write "unix:///var/run/docker.sock" or "tcp://10.0.0.5:2376"

hosts = []
tandem.toml:4:9: `run.docker.hosts` is empty
  help: name an engine: hosts = ["unix:///var/run/docker.sock"]

hosts = ["unix:///a", "unix:///a"]
tandem.toml:4:9: `run.docker.hosts` names an engine twice
  help: name each one once: instances are spread evenly over them

hosts = ["tcp://10.0.0.5:2376"]
tandem.toml:4:9: `run.docker.hosts` names tcp://10.0.0.5:2376, and there are no certificates for it
  help: whoever reaches an engine is root on its machine: have it ask for certificates (dockerd --tlsverify), and name the folder with ca.pem, cert.pem and key.pem in `certificates`

port = 0
tandem.toml:4:8: `run.docker.port` is 0, less than 1
  help: possible are 1 to 65535

reach = "dns"
tandem.toml:4:9: `run.docker.reach` is "dns", which is not known here
  help: possible are "address" (the container's own) and "port" (one of the host)

network = "host"
tandem.toml:4:11: `run.docker.network` is "host", where two instances would have one address, or none
  help: make one (docker network create shop) and write network = "shop"; or leave it out

cpus = "many"
tandem.toml:4:8: `run.docker.cpus` is "many", no number of processors
  help: write a number from 0.01 to 512, such as "1.5"

memory = "1KiBi"
tandem.toml:4:10: `run.docker.memory` is "1KiBi", which is not a size
  help: write a number of bytes, or for example "32KiB", "16MiB", "2GiB"

volumes = ["data"]
tandem.toml:4:11: `run.docker.volumes` holds "data", which does not say what is seen where
  help: write a volume or an absolute path of the host, and where it is in the container: "uploads:/data" or "/srv/shop:/data:ro"

registry.password = "hunter2"
tandem.toml:4:21: `run.docker.registry.password` is not a reference to the environment
  help: write password = "env:REGISTRY_PASSWORD", and set that variable for `tandem up`

registry = { host = "registry.example.com", user = "deploy" }
tandem.toml:4:21: `run.docker.registry.host` says only a part of who we are at a registry
  help: write host, user and password

registry = { host = "no registry", user = "deploy", password = "env:A" }
tandem.toml:4:21: `run.docker.registry.host` is "no registry", which is not a registry
  help: write what names of images begin with, for example "registry.example.com"

image = "shop:v1"
tandem.toml:4:1: unknown key `image` in [run.docker]
  help: Known here: hosts, certificates, port, reach, network, memory, cpus, volumes, pull_within, registry
"###);
}

#[test]
fn a_command_is_missing_only_without_containers() {
    let said = problems("service = \"shop\"\nrun.instances = 1\nlisten = [{ address = \"[::]:80\" }]\n");
    assert!(said.contains("`command` is missing in [run]"), "{said}");
}

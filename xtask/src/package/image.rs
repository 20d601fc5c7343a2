//! A container image with nothing in it but the program and what it is linked to, made without any daemon.
//!
//! The layout of OCI, with the list that `docker load` reads beside it. It is there to run `tandem` itself, or to be copied from
//! (`COPY --from`): an app that Tandem is to start has to be in the same image.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::archive::Archive;
use super::{Release, digest};

/// Nobody's number on any system, and this image's.
const USER: u32 = 65_532;

pub(super) fn write(release: &Release, path: &Path) -> Result<(), String> {
    let layer = layer(release)?;
    let layer_digest = digest(&layer);
    let config = bytes(&config(release, &layer_digest))?;
    let config_digest = digest(&config);
    let (manifest_kind, config_kind, layer_kind) = (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar",
    );
    let part = |kind: &str, digest: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len() });
    let manifest = bytes(&json!({
        "schemaVersion": 2,
        "mediaType": manifest_kind,
        "config": part(config_kind, &config_digest, &config),
        "layers": [part(layer_kind, &layer_digest, &layer)],
    }))?;
    let manifest_digest = digest(&manifest);
    let mut named = part(manifest_kind, &manifest_digest, &manifest);
    named["annotations"] = json!({ "org.opencontainers.image.ref.name": release.version });
    let index = bytes(&json!({ "schemaVersion": 2, "manifests": [named] }))?;
    let blob = |digest: &str| format!("blobs/sha256/{digest}");
    let loaded = bytes(&json!([{
        "Config": blob(&config_digest),
        "RepoTags": [format!("tandem:{}", release.version)],
        "Layers": [blob(&layer_digest)],
    }]))?;
    let mut archive = Archive::new(Vec::new(), release.time);
    archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
    archive.file("index.json", &index, 0o644)?;
    archive.file("manifest.json", &loaded, 0o644)?;
    for (digest, bytes) in [(config_digest, config), (manifest_digest, manifest), (layer_digest, layer)] {
        archive.file(&blob(&digest), &bytes, 0o644)?;
    }
    fs::write(path, archive.finish()?).map_err(|why| format!("can't write {}: {why}", path.display()))
}

/// The one layer: the program, its libraries, and a user.
fn layer(release: &Release) -> Result<Vec<u8>, String> {
    let mut archive = Archive::new(Vec::new(), release.time);
    let program = release.contents.0.get("usr/bin/tandem").ok_or("there is no program")?;
    archive.file("usr/bin/tandem", &program.bytes, 0o755)?;
    for library in &release.program.libraries {
        let bytes = fs::read(library).map_err(|why| format!("can't read {}: {why}", library.display()))?;
        archive.file(library.to_string_lossy().trim_start_matches('/'), &bytes, 0o755)?;
    }
    let passwd = format!("root:x:0:0::/:/\ntandem:x:{USER}:{USER}::/:/\n");
    archive.file("etc/passwd", passwd.as_bytes(), 0o644)?;
    archive.folder("tmp/", 0o1777)?;
    archive.finish()
}

fn config(release: &Release, layer: &str) -> Value {
    let machine = release.machine.0;
    let title = "org.opencontainers.image.title";
    let version = "org.opencontainers.image.version";
    json!({
        "architecture": machine,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Env": ["PATH=/usr/bin"],
            "Entrypoint": ["/usr/bin/tandem"],
            "Cmd": ["--help"],
            "WorkingDir": "/",
            "Labels": { title: "tandem", version: release.version },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created_by": "cargo xtask package" }],
    })
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|why| why.to_string())
}

//! The configuration: all problems at once, and the environment that it refers to.

use std::fs;

use tandem_server::config::{ConfigError, environment, load};

fn written(text: &str) -> (tempfile::TempDir, Result<tandem_server::config::Config, ConfigError>) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("tandem.toml");
    fs::write(&path, text).unwrap();
    let loaded = load(&path);
    (temp, loaded)
}

#[test]
fn every_problem_is_told_with_its_place() {
    let (_temp, loaded) =
        written("service = \"shop\"\nbogus = 1\n[run]\ncommand = [\"x\"]\ninstances = \"two\"\n");
    let error = loaded.unwrap_err().to_string();
    assert!(error.contains("tandem.toml:2:"), "{error}");
    assert!(error.contains("tandem.toml:5:"), "{error}");
}

#[test]
fn a_missing_file_is_told_by_its_path() {
    let temp = tempfile::tempdir().unwrap();
    let error = load(&temp.path().join("none.toml")).unwrap_err().to_string();
    assert!(error.contains("none.toml"), "{error}");
}

#[test]
fn references_to_the_environment_are_resolved_or_all_named() {
    let text = "service = \"shop\"\n[run]\ncommand = [\"x\"]\n[run.env]\nA = \"plain\"\nB = \"env:PATH\"\n\
                [[listen]]\naddress = \"127.0.0.1:8080\"\n";
    let spec = written(text).1.unwrap().spec;
    let env = environment(&spec).unwrap();
    assert_eq!(env["A"], "plain");
    assert_eq!(env["B"], std::env::var("PATH").unwrap());

    let missing =
        text.replace("env:PATH", "env:TANDEM_NOT_SET").replace("\"plain\"", "\"env:TANDEM_NOR_THIS\"");
    let error = environment(&written(&missing).1.unwrap().spec).unwrap_err().to_string();
    assert!(error.contains("TANDEM_NOT_SET") && error.contains("TANDEM_NOR_THIS"), "{error}");
}

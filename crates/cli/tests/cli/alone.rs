//! What works without a daemon, and what is said when there should be one.

use std::fs;

use super::{ran, tandem};

const SMALL: &str =
    "service = \"shop\"\nrun.command = [\"bin/shop\"]\n\n[[listen]]\naddress = \"127.0.0.1:8080\"\n";

#[test]
fn a_folder_gets_a_configuration_that_is_good() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Procfile"), "web: bin/shop --port $PORT\n").unwrap();
    insta::assert_snapshot!(ran(folder.path(), &["init"]), @r###"
exit 0
--- stdout
--- stderr
✔ wrote tandem.toml: the command is that of Procfile
  found Procfile
  read it, then: tandem up, and in another terminal: tandem deploy PATH
"###);
    let written = fs::read_to_string(folder.path().join("tandem.toml")).unwrap();
    assert!(written.contains(r#"command   = ["bin/shop", "--port", "$PORT"]"#), "{written}");
    let checked = tandem(folder.path(), &["check"]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    insta::assert_snapshot!(ran(folder.path(), &["init"]), @r###"
exit 2
--- stdout
--- stderr
error: tandem.toml is there already
  help: check it with `tandem check`
"###);
    assert_eq!(fs::read_to_string(folder.path().join("tandem.toml")).unwrap(), written);
}

#[test]
fn all_problems_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{SMALL}\n[deploy]\nbtach = 2\nstrategy = \"filp\"\n");
    fs::write(folder.path().join("tandem.toml"), text).unwrap();
    insta::assert_snapshot!(ran(folder.path(), &["check"]), @r###"
exit 2
--- stdout
--- stderr
tandem.toml:8:1: unknown key `btach` in [deploy]
  help: did you mean `batch`? Known here: strategy, batch, surge, floor, bake, flip, canary, guard
tandem.toml:9:12: `deploy.strategy` is "filp", which is not known here
  help: did you mean "flip"? Possible are "rolling", "flip", "canary"
"###);
    let up = tandem(folder.path(), &["up"]).output().unwrap();
    assert_eq!(
        (up.status.code(), up.stderr),
        (Some(2), tandem(folder.path(), &["check"]).output().unwrap().stderr)
    );
    assert!(!folder.path().join(".tandem").exists());
    insta::assert_snapshot!(ran(folder.path(), &["check", "--json"]), @r###"
exit 2
--- stdout
{"problems":[{"file":"tandem.toml","line":8,"column":1,"code":"unknown-key","message":"unknown key `btach` in [deploy]","help":"did you mean `batch`? Known here: strategy, batch, surge, floor, bake, flip, canary, guard"},{"file":"tandem.toml","line":9,"column":12,"code":"bad-value","message":"`deploy.strategy` is \"filp\", which is not known here","help":"did you mean \"flip\"? Possible are \"rolling\", \"flip\", \"canary\""}]}
--- stderr
"###);
}

#[test]
fn jobs_of_github_and_gitlab_show_problems_beside_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tandem.toml"), format!("{SMALL}\n[deploy]\nbtach = 2\n")).unwrap();
    let github = tandem(folder.path(), &["check"]).env("GITHUB_ACTIONS", "true").output().unwrap();
    let said = String::from_utf8_lossy(&github.stderr);
    let line = said.lines().find(|line| line.starts_with("::error ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.starts_with("::error file=tandem.toml,line=8,col="), "{line}");
    assert!(line.contains("::unknown key `btach`") && line.contains("%0Adid you mean"), "{line}");
    assert!(!folder.path().join("gl-code-quality-report.json").exists());

    for _ in 0..2 {
        tandem(folder.path(), &["check"]).env("GITLAB_CI", "true").output().unwrap();
    }
    let report = fs::read(folder.path().join("gl-code-quality-report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report.as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(report[0]["location"]["lines"]["begin"], 8);
}

#[test]
fn every_verb_has_a_manual_page_and_an_example() {
    let folder = tempfile::tempdir().unwrap();
    assert!(tandem(folder.path(), &["man", "pages"]).output().unwrap().status.success());
    let page = |name: &str| fs::read_to_string(folder.path().join("pages").join(name)).unwrap();
    assert!(page("tandem.1").contains("tandem\\-deploy(1)"));
    assert!(page("tandem-deploy.1").contains("tandem deploy shop"));
    assert!(page("tandem-schema-plan.1").contains("tandem schema plan"));
    for entry in fs::read_dir(folder.path().join("pages")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // What only holds others has the examples in theirs.
        let holds_others = matches!(name.as_str(), "tandem-config.1" | "tandem-maintenance.1");
        assert!(page(&name).contains("Example") || holds_others, "{name}");
        assert!(!name.contains("keeper") && !name.contains("controller"), "{name}");
    }
}

/// A file that is checked where its secrets are not is no worse for it.
#[test]
fn variables_that_are_missing_here_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("run.env = {{ A = \"env:TANDEM_TEST_IS_NOT_SET\", B = \"env:PATH\" }}\n{SMALL}");
    fs::write(folder.path().join("tandem.toml"), text).unwrap();
    insta::assert_snapshot!(ran(folder.path(), &["check"]), @r###"
exit 0
--- stdout
--- stderr
✔ tandem.toml is good: shop, 2 instances behind 127.0.0.1:8080
! not set here, and `tandem up` needs it: TANDEM_TEST_IS_NOT_SET
"###);
}

#[test]
fn the_configuration_is_found_upward() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    let none = tandem(&below, &["check"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    fs::write(folder.path().join("tandem.toml"), SMALL).unwrap();
    let found = tandem(&below, &["check"]).output().unwrap();
    assert!(found.status.success(), "{found:?}");
    let named = tandem(&below, &["check", "--config", "../../tandem.toml"]).output().unwrap();
    assert!(named.status.success(), "{named:?}");
    let missing = tandem(&below, &["check", "--config", "other.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_file_that_is_no_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tandem.toml");
    fs::write(&path, b"service = \"a\"\n\xff\xfe").unwrap();
    insta::assert_snapshot!(ran(folder.path(), &["check"]), @r###"
exit 2
--- stdout
--- stderr
error: [here]/tandem.toml is not UTF-8 text: line 2 holds other bytes
"###);
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    insta::assert_snapshot!(ran(folder.path(), &["check"]), @r###"
exit 2
--- stdout
--- stderr
error: [here]/tandem.toml is longer than 1 MiB: that can't be a configuration
"###);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(
        tandem(folder.path(), &["check", "--config", "tandem.toml"]).output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn the_configuration_in_effect_is_shown_and_described() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tandem.toml"), SMALL).unwrap();
    let shown = tandem(folder.path(), &["config", "show"]).output().unwrap();
    fs::write(folder.path().join("tandem.toml"), &shown.stdout).unwrap();
    assert!(tandem(folder.path(), &["check"]).output().unwrap().status.success());
    let json = tandem(folder.path(), &["config", "show", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["run"]["instances"], 2);
    let schema = tandem(folder.path(), &["config", "schema"]).output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert_eq!(schema["title"], "tandem.toml");
}

/// Every verb that talks to the daemon says the same when there is none.
#[test]
fn without_a_daemon_the_exit_code_is_6() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tandem.toml"), SMALL).unwrap();
    fs::create_dir(folder.path().join("build")).unwrap();
    for words in [
        &["status"][..],
        &["why"],
        &["top", "--once"],
        &["watch"],
        &["watch", "d7"],
        &["deploy", "build"],
        &["plan"],
        &["rollback"],
        &["pause"],
        &["resume"],
        &["abort"],
        &["history"],
        &["queue"],
        &["approve", "v1"],
        &["source", "pause"],
        &["logs"],
        &["logs", "-f", "i1"],
        &["scale", "3"],
    ] {
        let output = tandem(folder.path(), words).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{words:?}: {error}");
        assert!(error.contains("no daemon is running for tandem.toml"), "{words:?}: {error}");
        assert!(error.contains("start one with `tandem up`"), "{words:?}: {error}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
    insta::assert_snapshot!(ran(folder.path(), &["status", "--json"]), @r###"
exit 6
--- stdout
{"error":"no daemon is running for tandem.toml","help":"start one with `tandem up`","exit":6}
--- stderr
"###);
    // A socket that a dead daemon left behind.
    fs::create_dir(folder.path().join(".tandem")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.path().join(".tandem/admin.sock")).unwrap());
    insta::assert_snapshot!(ran(folder.path(), &["status"]), @r###"
exit 6
--- stdout
--- stderr
error: no daemon is running for tandem.toml
  help: start one with `tandem up`
"###);
}

#[test]
fn a_wrong_command_line_is_refused_before_anything_happens() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["deplo"][..],
        &["scale", "0"],
        &["scale", "many"],
        &["deploy"],
        &["deploy", ".", "--batch", "125%"],
        &["deploy", ".", "--strategy", "canary"],
        &["deploy", ".", "--version", "../etc"],
        &["watch", "seven"],
        &["token", "create", "ci"],
        &["token", "create", "a/b", "--role", "viewer"],
        &["token", "create", "ci", "--role", "root"],
        &["admin", "--certificate", "a.pem"],
        &[],
    ] {
        let output = tandem(folder.path(), words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
    fs::write(folder.path().join("tandem.toml"), SMALL).unwrap();
    insta::assert_snapshot!(ran(folder.path(), &["deploy", "missing.tar.gz"]), @r###"
exit 2
--- stdout
--- stderr
error: missing.tar.gz can't be read: No such file or directory (os error 2)
  help: name a folder or a .tar.gz that holds the new version, or an image with its tag: registry.example/shop:v42
"###);
    fs::create_dir(folder.path().join("…")).unwrap();
    insta::assert_snapshot!(ran(folder.path(), &["deploy", "…"]), @r###"
exit 2
--- stdout
--- stderr
error: no label can be made of the name …
  help: give one: --version v42
"###);
}

#[test]
fn of_several_services_the_one_is_meant_that_is_named_or_stood_in() {
    let folder = tempfile::tempdir().unwrap();
    let config = |name: &str, more: &str| {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        let text = format!(
            "service = \"{name}\"\nlisten = [{{ address = \"127.0.0.1:8080\"{more} }}]\nrun = {{ command = [\"x\"] }}\n"
        );
        fs::write(folder.path().join(name).join("tandem.toml"), text).unwrap();
    };
    config("web", "");
    config("api", ", paths = [\"/api\"]");
    fs::write(folder.path().join("tandem.toml"), "services = [\"web\", \"api/tandem.toml\"]\n").unwrap();
    let said = |place: &std::path::Path, words: &[&str]| {
        let output = tandem(place, words).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (top, api) = (folder.path().to_owned(), folder.path().join("api"));

    assert_eq!(said(&top, &["check"]).0, Some(0));
    let (code, error) = said(&top, &["why"]);
    assert!(code == Some(2) && error.contains("say --service web or --service api"), "{error}");
    for (place, words) in
        [(&api, &["why"][..]), (&top, &["why", "-s", "api"]), (&api, &["status", "-s", "api"])]
    {
        let (code, error) = said(place, words);
        assert!(
            code == Some(6) && error.contains("api/tandem.toml") | error.contains("for tandem.toml"),
            "{error}"
        );
    }
    let (code, error) = said(&top, &["why", "-s", "other"]);
    assert!(code == Some(2) && error.contains("--service api"), "{error}");

    config("api", "");
    let (code, error) = said(&top, &["check"]);
    assert!(code == Some(2) && error.contains("two services claim all hosts"), "{error}");
    config("api", ", bogus = 1");
    let (code, error) = said(&top, &["check"]);
    assert!(code == Some(2) && error.contains("api/tandem.toml"), "{error}");
    fs::write(top.join("tandem.toml"), "services = [\"gone\"]\n").unwrap();
    let (code, error) = said(&top, &["up"]);
    assert!(code == Some(2) && error.contains("gone/tandem.toml can't be read"), "{error}");
}

#[test]
fn every_verb_has_help() {
    let folder = tempfile::tempdir().unwrap();
    let top = tandem(folder.path(), &["--help"]).output().unwrap();
    let top = String::from_utf8(top.stdout).unwrap();
    let verbs: Vec<&str> = top
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() >= 17, "{verbs:?}");
    for verb in verbs {
        let help = tandem(folder.path(), &[verb, "--help"]).output().unwrap();
        assert!(help.status.success() && help.stdout.starts_with(b""), "{verb}");
    }
    assert!(!top.contains("keeper") && !top.contains("controller"), "{top}");
    insta::assert_snapshot!(top, @r###"
Puts a new version of a web service into production without its users noticing

Usage: tandem [OPTIONS] <COMMAND>

Commands:
  init         Write a tandem.toml for the service in this folder
  check        Check the configuration and say everything that is wrong with it
  doctor       Say what is missing on this machine and in the database, and what to do
  up           Run the service here: load balancer, deployer and instances, in the foreground
  deploy       Replace the running version by another, and wait until that is done
  plan         Say what a deployment would do, step by step, without doing it
  status       Show what runs and what is going on
  top          Show what goes on now, once a second, by version and instance
  watch        Follow a deployment until it is over
  why          Say what the deployment under way waits for
  link         Print a link that shows one version, whether it has traffic or not
  rollback     Go back to the version from before
  pause        Let the deployment under way begin nothing new
  resume       Let a paused deployment go on
  abort        Turn the deployment under way back to the version that it came from
  promote      Have a canary take its next step now, or let the old pool go
  history      List the deployments, the newest first
  queue        List what came by itself, and what became of it
  approve      Let a version that waits in the queue be deployed
  source       Have nothing deployed by itself, or go on with it
  logs         Show what an instance wrote, or all of them
  scale        Run another number of instances from now on
  maintenance  Tell clients to come back later, or serve them again
  hold         Have new requests wait for a moment; those that have begun go on
  reload       Take the configuration and the program as they lie there now, without an interruption
  schema       Change the database's schema while two versions of the app use it
  token        Say who may ask over the network
  dashboard    Print a link that opens the dashboard
  config       Show the configuration, or describe it for editors
  completions  Print a completion script for a shell
  man          Write manual pages, one for each verb

Options:
  -h, --help     Print help
  -V, --version  Print version

Everywhere:
      --config <FILE>   The configuration [default: tandem.toml here or in a folder above]
      --state <DIR>     The state folder [default: .tandem beside the configuration]
  -s, --service <NAME>  Which service, where the configuration names several
      --json            Print data as JSON
      --no-color        Print without colours, as with NO_COLOR set

Examples:
  tandem init                      write a tandem.toml for the service in this folder
  tandem up                        run it: load balancer, deployer and instances
  tandem deploy shop-v42.tar.gz    replace the running version, without losing a request
  tandem rollback                  go back to the version from before
  tandem status --watch            what runs, and what is going on

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 rolled back by itself,
4 waits for a person, 5 refused, 6 no daemon, 124 timed out, 130 interrupted
"###);
}

#[test]
fn tokens_are_made_told_once_and_taken_out_of_force() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tandem.toml"), SMALL).unwrap();
    let words =
        ["token", "create", "ci", "--role", "deployer", "-s", "shop", "-s", "blog", "--expires", "90d"];
    let made = tandem(folder.path(), &words).output().unwrap();
    let secret = String::from_utf8(made.stdout).unwrap();
    assert!(secret.starts_with("tdm_") && secret.trim().len() == 47, "{secret}");
    let listed = tandem(folder.path(), &["token", "list", "--json"]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let token = &listed[0];
    assert_eq!((&token["name"], &token["role"]), (&"ci".into(), &"deployer".into()), "{listed}");
    assert_eq!(token["services"], serde_json::json!(["shop", "blog"]));
    let days = (token["expires"].as_u64().unwrap() - token["created"].as_u64().unwrap()) / 86_400_000;
    assert_eq!(days, 90);
    assert!(!listed.to_string().contains(secret.trim()) && token["digest"].is_null(), "{listed}");
    insta::assert_snapshot!(ran(folder.path(), &["token", "create", "ci", "--role", "viewer"]), @r###"
exit 5
--- stdout
--- stderr
error: there is a token ci already: revoke it first, or choose another name
"###);
    insta::assert_snapshot!(ran(folder.path(), &["token", "create", "x", "--role", "viewer", "--expires", "5"]), @r###"
exit 2
--- stdout
--- stderr
error: --expires "5" is not a length of time up to ten years
  help: write for example 90d or 12h
"###);
    insta::assert_snapshot!(ran(folder.path(), &["token", "revoke", "ci"]), @r###"
exit 0
--- stdout
--- stderr
✔ ci is not good for anything any more
"###);
    insta::assert_snapshot!(ran(folder.path(), &["token", "revoke", "ci"]), @r###"
exit 2
--- stdout
--- stderr
error: there is no token ci: see `tandem token list`
"###);
    insta::assert_snapshot!(ran(folder.path(), &["dashboard"]), @r###"
exit 6
--- stdout
--- stderr
error: no daemon is running for tandem.toml
  help: `tandem up` must run, and its configuration say where: [admin] listen = "127.0.0.1:7443"
"###);
}

#[test]
fn shells_get_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = tandem(folder.path(), &["completions", shell]).output().unwrap();
        let script = String::from_utf8(script.stdout).unwrap();
        assert!(script.contains("rollback") && script.contains("strategy"), "{shell}");
    }
}

/// `tandem history | head -1` must not end in a complaint.
#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = tandem(folder.path(), &["config", "schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

/// Scripts must not take half a document for a whole one.
#[test]
fn data_that_could_not_be_written_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = tandem(folder.path(), &["config", "schema"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the output could not be written"));
}

//! Commands that have a word in a deployment, and who is told: what is refused, and how it is told.

use super::messages::said_of_all;
use crate::spec::{Occasion, read};

#[test]
fn who_is_not_within_reach_or_of_nothing_is_told_is_refused() {
    insta::assert_snapshot!(said_of_all(&[
        ("hooks", r#"before = ["bin/x"]"#),
        ("hooks", "begin = []"),
        ("hooks", r#"ready = "bin/smoke --all""#),
        ("hooks", r#"within = "0s""#),
        ("[notify]", r#"on = ["asks"]"#),
        ("[notify]", "url = \"env:URL\"\ncommand = [\"bin/mail\"]"),
        ("[notify]", r#"url = "chat.example.com/hook""#),
        ("[notify]", r#"url = "env:SLACK-URL""#),
        ("[notify]", "url = \"env:URL\"\non = [\"turned_back\"]"),
        ("[notify]", "url = \"env:URL\"\nformat = \"teams\""),
    ]), @r###"
before = ["bin/x"]
7:1: unknown key `before` in [hooks]
  help: did you mean `begin`? Known here: begin, release, ready, watch, watch_every, watch_fails, serving, within

begin = []
7:9: `hooks.begin` is empty, so there is nothing to run
  help: write for example begin = ["bin/may-deploy"]

ready = "bin/smoke --all"
7:9: `hooks.ready` is the text "bin/smoke --all", but a list of program and arguments is expected
  help: write ready = ["bin/smoke", "--all"]

within = "0s"
7:10: `hooks.within` is "0s", less than 100ms
  help: possible are 100ms to 24h

on = ["asks"]
6:1: `notify` says neither `url` nor `command`: nobody would be told
  help: write for example url = "env:SLACK_URL"

url = "env:URL"
command = ["bin/mail"]
8:11: `notify.command` is told, and `notify.url` too
  help: write a [[notify]] of its own for one of them

url = "chat.example.com/hook"
7:7: `notify.url` is not the address of a web page
  help: write for example "https://chat.example.com/hook", or "env:SLACK_URL" if it is secret

url = "env:SLACK-URL"
7:7: `notify.url` refers to the variable "SLACK-URL"
  help: write for example "env:SLACK_URL"

url = "env:URL"
on = ["turned_back"]
8:6: `notify.on` is "turned_back", which is not known here
  help: did you mean "turned-back"? Possible are "begun", "settled", "turned-back", "rolled-back", "asks", "paused"

url = "env:URL"
format = "teams"
8:10: `notify.format` is "teams", which is not known here
  help: possible are "json", "slack"
"###);
}

#[test]
fn whoever_says_nothing_of_it_is_told_of_everything() {
    let text = "service = 's'\n[run]\ncommand = ['x']\n[[listen]]\naddress = '127.0.0.1:80'\n";
    let notify =
        |on: &str| read(&format!("{text}[[notify]]\ncommand = ['m']\n{on}")).unwrap().notify.remove(0);
    assert!(notify("").wants(Occasion::Begun) && notify("").wants(Occasion::Paused));
    let one = notify("on = ['asks']");
    assert!(one.wants(Occasion::Asks) && !one.wants(Occasion::Begun));
}

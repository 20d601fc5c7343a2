//! Deliverables that come by themselves: what is refused, and how it is told.

use super::messages::said_of_all;

#[test]
fn conditions_that_can_not_be_meant_are_refused() {
    insta::assert_snapshot!(said_of_all(&[
        ("source", r#"windows = ["office hours"]"#),
        ("source", r#"freezes = "Sat,Sun""#),
        ("source", r#"public_key = "untrusted comment: minisign public key""#),
        ("source", r#"hotfix = "*""#),
        ("source", r#"approve = "true""#),
        ("source", r#"approve = "always""#),
        ("source", r#"watch = "incoming""#),
        ("source", r#"settle = "0s""#),
    ]), @r###"
windows = ["office hours"]
7:11: `source.windows` holds "office hours", which is not a window
  help: write for example "Mon-Thu 09:00-16:00 Europe/Berlin", "Sat,Sun" or "2026-12-20 to 2027-01-03 12:00"

freezes = "Sat,Sun"
7:11: `source.freezes` is the text "Sat,Sun", but a list of texts is expected
  help: put it in brackets: freezes = ["Sat,Sun"]

public_key = "untrusted comment: minisign public key"
7:14: `source.public_key` is "untrusted comment: minisign public key", which is not a public key of minisign
  help: write what the second line of minisign.pub holds: it begins with RW and has 56 characters

hotfix = "*"
7:10: `source.hotfix` is "*", so every deliverable would be a hotfix
  help: write for example "*-hotfix*"; or leave out `windows`, `freezes` and `interval`

approve = "true"
7:11: `source.approve` is the text "true", but true or false is expected
  help: leave out the quotes: approve = true

approve = "always"
7:11: `source.approve` is the text "always", but true or false is expected
  help: write for example approve = true

watch = "incoming"
7:1: unknown key `watch` in [source]
  help: did you mean `folder`? Known here: folder, settle, max_size, checksum, public_key, hotfix, windows, freezes, interval, check, check_within, approve

settle = "0s"
7:10: `source.settle` is "0s", less than 100ms
  help: possible are 100ms to 1h
"###);
}

//! What people are told of canaries and guards that make no sense.

use super::messages::said_of_all;

#[test]
fn canaries_and_guards() {
    insta::assert_snapshot!(said_of_all(&[
        ("deploy", r#"canary.steps = ["5%", "50% for 1m"]"#),
        ("deploy", r#"canary.steps = ["50% for 1m", "5% for 1m"]"#),
        ("deploy", r#"canary.steps = ["0% for 1m"]"#),
        ("deploy", r#"guard.errors = "1 in 100""#),
        ("deploy", r#"guard.p99 = "< 0.5x""#),
        ("deploy", r#"guard.unclear = "wait""#),
    ]), @r###"
canary.steps = ["5%", "50% for 1m"]
7:16: `deploy.canary.steps` holds "5%", which is not a step
  help: write a share and a length of time, such as "5% for 10m"

canary.steps = ["50% for 1m", "5% for 1m"]
7:16: `deploy.canary.steps` go from 50% to 5%: each must be larger than the one before
  help: write for example ["5% for 10m", "50% for 10m"]

canary.steps = ["0% for 1m"]
7:16: `deploy.canary.steps` begin with 0%, and no `headers` or `cookies` choose anybody
  help: write for example ["5% for 10m", "50% for 10m"]

guard.errors = "1 in 100"
7:16: `deploy.guard.errors` is "1 in 100", which is no limit
  help: write "< 1%", or "< +1%" for so much more than the old version's, or "any"

guard.p99 = "< 0.5x"
7:13: `deploy.guard.p99` is "< 0.5x", which is no limit
  help: write "< 300ms", or "< 1.5x" for so many times what the old version takes, or "any"

guard.unclear = "wait"
7:17: `deploy.guard.unclear` is "wait", another name
  help: Tandem calls that "ask"
"###);
}

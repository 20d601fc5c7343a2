//! Rules as people write them, and what they are told of those that make no sense.

use super::*;

fn said(rule: &str) -> String {
    problems(&format!("{SMALL}[[rule]]\n{rule}\n"))
}

#[test]
fn a_rule_says_one_thing_and_says_it_whole() {
    for (rule, wanted) in [
        ("redirect = \"/new\"\nanswer = \"\"", "8:10: `rule.answer` answers, and `rule.redirect` too"),
        ("redirect = \"/new\"\nrewrite = \"/x\"", "`rule.rewrite` changes what an instance gets"),
        (
            "answer = \"\"\nrequest = { set = { a = \"1\" } }",
            "`rule.request.set` changes what an instance gets",
        ),
        ("redirect = \"/new\"\nstatus = 404", "which sends no client anywhere"),
        ("status = 301", "there is none"),
        ("answer = \"x\"\nstatus = 204", "an answer without a body"),
        ("type = \"text/html\"", "`rule.type` is that of an answer"),
        ("status = 100", "`rule.status` is 100, less than 200"),
        ("path = \"/x/*\"", "paths are taken as they stand"),
        ("path = \"/x?y\"", "paths are taken as they stand"),
        ("path = \"=x\"", "which is not a path"),
        ("methods = [\"get\"]", "write it in capitals: \"GET\""),
        ("to = \"/new\"", "unknown key `to` in [[rule]]"),
        ("redirect = \"new.example\"", "neither a URL nor a path"),
        ("redirect = \"https://{path}\"", "whose host is not one"),
        ("redirect = \"/{uri}\"", "places are {path}, {rest}, {query} and {host}"),
        ("redirect = \"/a\\r\\nb\"", "can't contain one of its characters"),
        ("rewrite = \"/x?y\"", "only the path is rewritten"),
        ("response.set = { a = \"b\\r\\nc\" }", "can't be the value of a header field"),
        ("response.set = { a = 1 }", "holds \"a\", which is the number 1"),
        ("name = \"a b\"", "can't be the name of a rule"),
        ("name = \"a\"\npath = \"/a\"\n[[rule]]\nname = \"a\"", "two rules have the name a"),
        ("methods = []\n[[rule]]\npath = \"/a\"", "6:1: no rule after this one is ever reached"),
    ] {
        let said = said(rule);
        assert!(said.contains(wanted), "{rule}\n{said}");
    }
    let many = "[[rule]]\npath = \"/a\"\n".repeat(101);
    assert!(problems(&format!("{SMALL}{many}")).contains("101 rules, more than 100"));
    let fields: Vec<String> = (0..33).map(|at| format!("\"a{at}\"")).collect();
    assert!(said(&format!("request.remove = [{}]", fields.join(","))).contains("names 33 header fields"));
    // A rule that changes nothing takes requests out of those after it.
    assert!(said("path = \"=/api/health\"\n[[rule]]\npath = \"/api\"\nanswer = \"\"").contains("no problem"));
}

#[test]
fn what_tandem_makes_is_no_rules_to_change() {
    for name in [
        "Host",
        "content-length",
        "Transfer_Encoding",
        "connection",
        "Upgrade",
        "cookie",
        "Set-Cookie",
        "X-Forwarded-For",
        "x_forwarded_anything",
        "Forwarded",
        "X-Request-ID",
        "te",
        "expect",
        "trailer",
        "keep-alive",
    ] {
        for rule in [
            format!("request.set = {{ {name} = \"1\" }}"),
            format!("request.remove = [\"{name}\"]"),
            format!("response.set = {{ {name} = \"1\" }}"),
            format!("response.remove = [\"{name}\"]"),
        ] {
            assert!(said(&rule).contains("which Tandem itself makes"), "{rule}\n{}", said(&rule));
        }
    }
    assert!(said("request.set = { authorization = \"x\", x-env = \"prod\" }").contains("no problem"));
}

#[test]
fn rules_have_their_defaults() {
    let rules = "[[rule]]\nname = \"a\"\npath = \"/a\"\nredirect = \"/b{rest}\"\n[[rule]]\npath = \"/c\"\nanswer = \"\"\n[[rule]]";
    let spec = read(&format!("{SMALL}{rules}")).unwrap();
    let of = |rule: &RuleSpec| (rule.label().to_owned(), rule.status(), rule.fits_all());
    let all: Vec<_> = spec.rules.iter().map(of).collect();
    let wanted = [("a", 308, false), ("/c", 200, false), ("*", 200, true)];
    assert_eq!(all, wanted.map(|(label, status, all)| (label.to_owned(), status, all)));
    let changes = &mut spec.rules[0].request.clone();
    changes.set.insert("x-env".to_owned(), "prod".to_owned());
    changes.remove.push("x-debug".to_owned());
    assert!(
        changes.takes_away("X_Env") && changes.takes_away("x-debug") && !changes.takes_away("x-environment")
    );
}

//! YAML as teams write it, and as nobody should.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn told(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn keys_are_what_stands_there_and_values_what_they_mean() {
    let text = "\
openapi: 3.1.0
info: { version: '1.0', title: \"a: b\" }
paths:
  /orders:
    get:
      responses:
        200: &ok { description: fine }
        0x1F: *ok
        '404': { description: }
      x: [on, yes, 7, -2.5, 1e3, 0x10, 0o17, 18446744073709551615, True, ~, 2026-11-30, 1.2.3, !!str 8, '8']
    on: null
    ~: text
    y: |
      two
      lines
    z: >-
      one
      line
";
    let read = read(text).unwrap();
    let x =
        json!(["on", "yes", 7, -2.5, 1000.0, 16, 15, u64::MAX, true, null, "2026-11-30", "1.2.3", "8", "8"]);
    let fine = json!({ "description": "fine" });
    let responses = json!({ "200": fine, "0x1F": fine, "404": { "description": null } });
    let orders = json!({
        "get": { "responses": responses, "x": x }, "on": null, "~": "text", "y": "two\nlines\n", "z": "one line"
    });
    let info = json!({ "version": "1.0", "title": "a: b" });
    assert_eq!(read, json!({ "openapi": "3.1.0", "info": info, "paths": { "/orders": orders } }));
    // What is JSON is YAML, too.
    assert_eq!(super::read("\u{feff}{\"a\": [1, {}]}").unwrap(), json!({ "a": [1, {}] }));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, expected) in [
        ("", "line 1, column 1: there is no document here"),
        ("a: 1\nb: 2\n'a': 3\n", "line 3, column 1: the key \"a\" is here for the second time"),
        ("200: a\n'200': b\n", "line 2, column 1: the key \"200\" is here for the second time"),
        ("a: &a {}\nb:\n  <<: *a\n", "line 3, column 3: `<<` merges, which YAML 1.2 does not know"),
        ("a: &a [*a]", "line 1, column 8: this refers to what it is a part of"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: a second document begins here"),
        ("[a]: 1", "line 1, column 1: a key must be a text"),
        ("a: &a 1\n*a : 2", "line 2, column 1: a key must be a text"),
        ("a: !x 1", "line 1, column 4: the tag !x is not understood"),
        ("a: .NaN", "line 1, column 4: .NaN is no number that JSON has"),
        ("a: 1e999", "line 1, column 4: 1e999 is larger than any number"),
    ] {
        let told = told(text);
        assert!(told.starts_with(expected), "{text}: {told}");
    }
    for (text, line) in
        [("a: [1,\n", 2), ("a: 1\n b: 2\n", 2), ("a: *b\n", 1), ("a: \"x\n", 1), ("a:\n\t- b\n", 2)]
    {
        let told = told(text);
        assert!(
            told.contains("this is not YAML: ") && told.starts_with(&format!("line {line}, ")),
            "{text}: {told}"
        );
    }
}

#[test]
fn a_small_text_makes_no_large_document() {
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for at in 1..12 {
        let items = vec![format!("*a{}", at - 1); 9].join(", ");
        bomb.push_str(&format!("a{at}: &a{at} [{items}]\n"));
    }
    assert!(told(&bomb).contains("aliases (`*`) make more than 16 MiB of this document"), "{}", told(&bomb));
    let mut tower = "a0: &a0 []\n".to_owned();
    for at in 1..200 {
        tower.push_str(&format!("a{at}: &a{at} [*a{}]\n", at - 1));
    }
    assert!(
        told(&tower).starts_with("line 128, column 14: this is nested deeper than 128"),
        "{}",
        told(&tower)
    );
    assert!(told(&"- ".repeat(100_000)).contains("nested deeper than 128"));
    assert!(!told(&"[".repeat(100_000)).is_empty());
    let good = format!("a: &a {}\nb: [{}]\n", "x".repeat(1000), vec!["*a"; 100].join(", "));
    assert_eq!(read(&good).unwrap()["b"][99].as_str().map(str::len), Some(1000));
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "[-\\[\\]{}:,&*!|>'\"#%@a1~?<. \n\t]{0,120}") {
        let _any_outcome = read(&text);
    }

    #[test]
    fn what_was_written_is_read(text in ".{0,40}", number in any::<i64>(), key in "[a-z0-9]{1,8}") {
        let value = json!({ key: [text, number, { "x": null, "y": true }] });
        prop_assert_eq!(read(&value.to_string()).unwrap(), value);
    }
}

//! What people are told of rules that make no sense.

use super::messages::said_of_all;

#[test]
fn rules_say_one_thing_and_say_it_whole() {
    insta::assert_snapshot!(said_of_all(&[
        ("rule", "path = \"/old\""),
        ("rule", "redirect = \"/new\"\nstatus = 404"),
        ("rule", "status = 301"),
        ("rule", "redirect = \"/new\"\nbody = \"x\""),
        ("rule", "status = 204\nbody = \"x\""),
        ("rule", "status = 404\ntype = \"text/html\""),
        ("rule", "status = 100"),
        ("rule", "status = 404\npath = \"/x/*\""),
        ("rule", "status = 404\npath = \"=x\""),
        ("rule", "status = 404\npath = \"/x?y\""),
        ("rule", "status = 404\nmethods = [\"get\", \"CONNECT\"]"),
        ("rule", "status = 404\nmethods = [\"CONNECT\"]"),
        ("rule", "to = \"/new\""),
        ("rule", "redirect = \"new.example\""),
        ("rule", "redirect = \"https://{path}\""),
        ("rule", "redirect = \"//new.example\""),
        ("rule", "redirect = \"/{uri}\""),
        ("rule", "redirect = \"/a\\r\\nb\""),
        ("rule", "status = 404\nbody = \"x\"\ntype = \"html\""),
    ]), @r###"
path = "/old"
6:1: a [[rule]] says neither `redirect` nor `status`, so it does nothing
  help: add for example redirect = "https://new.example{path}{query}", or status = 404

redirect = "/new"
status = 404
8:10: `rule.status` is 404, which sends nobody anywhere
  help: with `redirect`, write 301, 302, 303, 307 or 308, or leave `status` out

status = 301
7:10: `rule.status` is 301, and there is no `redirect`
  help: add for example redirect = "https://new.example{path}{query}"

redirect = "/new"
body = "x"
8:8: `rule.body` stands beside `redirect`
  help: leave one of them out

status = 204
body = "x"
8:8: `rule.body` stands beside the status 204, which can't have one
  help: leave it out, or take another status

status = 404
type = "text/html"
8:8: `rule.type` has no `body` beside it
  help: add the `body`, or leave the type out

status = 100
7:10: `rule.status` is 100, less than 200
  help: possible are 200 to 599

status = 404
path = "/x/*"
8:8: `rule.path` is "/x/*", and no patterns are understood
  help: write "/x/": it stands for all below it

status = 404
path = "=x"
8:8: `rule.path` is "x", which is not a path
  help: begin with a slash: "/x"

status = 404
path = "/x?y"
8:8: `rule.path` is "/x?y", and the query is not looked at
  help: leave out what follows the ?

status = 404
methods = ["get", "CONNECT"]
8:11: `rule.methods` holds "get", which is not a method that is served
  help: write it in capitals: "GET"

status = 404
methods = ["CONNECT"]
8:11: `rule.methods` holds "CONNECT", which is not a method that is served
  help: known are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS

to = "/new"
6:1: a [[rule]] says neither `redirect` nor `status`, so it does nothing
  help: add for example redirect = "https://new.example{path}{query}", or status = 404
7:1: unknown key `to` in [[rule]]
  help: did you mean `redirect`? Known here: path, methods, hosts, redirect, status, body, type

redirect = "new.example"
7:12: `rule.redirect` is "new.example", which is neither a URL nor a path
  help: begin with https://, or with a slash to stay on the same host

redirect = "https://{path}"
7:12: `rule.redirect` is "https://{path}", whose host is not one
  help: write the whole host, then a path: what a client sends must not become a part of the host

redirect = "//new.example"
7:12: `rule.redirect` is "//new.example", which names a host without a scheme
  help: write "https://new.example"

redirect = "/{uri}"
7:12: `rule.redirect` is "/{uri}", with braces around something else
  help: known are {host}, {path} and {query}

redirect = "/a\r\nb"
7:12: `rule.redirect` is "/a\r\nb", and a URL can't contain '\r'
  help: write such characters as %XX, as a browser would send them

status = 404
body = "x"
type = "html"
9:8: `rule.type` is "html", which is not a media type
  help: write for example "text/html"
"###);
}

//! Versions that promise something else than the one that serves.

use super::*;
use crate::contract::{Between, Break, Calls, Comparison, Contract, Counted, Finding, Operation, Party};
use crate::traffic::RouteContract;

pub(super) fn contract(paths: &[&str]) -> Contract {
    let operations = paths.iter().map(|path| Operation::new("get", path)).collect();
    Contract { version: "1".to_owned(), operations }
}

pub(super) fn comparison(total: u64, complete: bool) -> Comparison {
    let calls = Calls { total, callers: BTreeMap::from([("shop/1".to_owned(), total)]) };
    let counted = Some(Counted { calls, over: Millis::from_secs(86_400), complete });
    let broken =
        Break { operation: "GET /orders/{id}".to_owned(), changes: Vec::new(), counted, between: None };
    Comparison { broken: vec![broken], ..Comparison::default() }
}

/// v2 is made ready beside v1, and goes on as far as it goes by itself.
fn story(comparison: Comparison, break_contract: bool) -> Story {
    let mut story = Story::with_v1(1);
    story.spec.contract.document = Some("openapi.json".to_owned());
    story.state.releases.get_mut(&version("v1")).unwrap().contract = Some(contract(&["/orders/{id}", "/"]));
    let Command::Deploy { version: v2, source, strategy, .. } =
        deploy("v2", Strategy::Flip(FlipSpec::default()))
    else {
        panic!("a deployment")
    };
    story.command(&Command::Deploy { version: v2.clone(), source, strategy, break_contract });
    let (digest, contract) = ("ab".parse().unwrap(), Some((contract(&["/", "/stock"]), comparison)));
    story.observed.prepared.insert(v2, Preparation::Ready { digest, revision: None, key: None, contract });
    for _ in 0..3 {
        story.pass();
        story.all_up();
    }
    story
}

#[test]
fn what_clients_call_is_not_broken_unless_that_is_meant() {
    let told = story(comparison(7, true), false).told;
    assert!(
        told.contains(
            "turns back: it would break clients; GET /orders/{id} is gone; called 7 times in the last 24h, by \
             shop/1 (7); deploy it with --break-contract if that is meant"
        ) && !told.contains("does: start"),
        "{told}"
    );
    // Whether it is called is not known: that is not the same as not.
    assert!(story(comparison(0, false), false).told.contains("turns back: "));
    for (comparison, allowed, broken) in
        [(comparison(7, true), true, 1), (comparison(0, true), false, 0), (Comparison::default(), false, 0)]
    {
        let story = story(comparison.clone(), allowed);
        assert!(
            story.told.contains("enters shifting") && story.told.contains("does: start"),
            "{}",
            story.told
        );
        let deployment = story.state.deployment.as_ref().unwrap();
        assert_eq!(deployment.comparison.is_some(), !comparison.is_empty());
        let receipt = crate::workflow::Receipt::of(deployment, 1, None, story.now);
        assert_eq!(receipt.broken, broken);
    }
}

#[test]
fn the_calls_of_all_versions_that_live_are_counted() {
    let mut story = story(Comparison::default(), false);
    let operations = |story: &Story| -> Vec<String> {
        let contract = story.state.table.routes[0].contract.as_ref();
        let operations = contract.map(|RouteContract { operations, .. }| operations.iter());
        operations.into_iter().flatten().map(ToString::to_string).collect()
    };
    assert_eq!(operations(&story), ["GET /", "GET /orders/{}", "GET /stock"]);
    for _ in 0..60 {
        story.pass();
        story.all_up();
        story.now = story.now + Millis::from_secs(1);
    }
    assert!(story.state.deployment.is_none());
    assert_eq!(operations(&story), ["GET /", "GET /stock"]);
    // Without a contract nothing is counted, whatever is remembered.
    story.spec.contract.document = None;
    story.pass();
    assert!(story.state.table.routes[0].contract.is_none());
}

#[test]
fn what_another_service_needs_is_not_taken_away_whoever_counts() {
    let party =
        |service: &str, label: &str| Party { service: service.parse().unwrap(), version: version(label) };
    let between = Between { caller: party("web", "w3"), called: party("shop", "v2") };
    let finding = |what: &str| Finding {
        operation: Operation::new("get", "/orders/{id}"),
        shown: "GET /orders/{id}".to_owned(),
        what: what.to_owned(),
    };
    let mut comparison = comparison(0, true);
    comparison.add(&between, &[finding("")]);
    comparison.add(&between, &[finding("response 200 is gone")]);
    let told = story(comparison.clone(), false).told;
    assert!(
        told.contains(
            "turns back: it would break clients; web w3 needs GET /orders/{id} of shop v2: response 200 is gone; \
             web w3 needs GET /orders/{id} of shop v2, which has no such operation; deploy it with --break-contract"
        ) && !told.contains("does: start"),
        "{told}"
    );
    assert!(story(comparison, true).told.contains("does: start"));
}

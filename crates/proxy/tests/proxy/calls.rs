//! Calls of operations, counted by the proxy.

use std::collections::BTreeMap;

use tandem_core::contract::{Calls, Operation};
use tandem_core::traffic::RouteContract;

use super::instance::named;
use super::proxy::{Proxy, Raw};

fn contract(operations: &[(&str, &str)]) -> Option<RouteContract> {
    let operations = operations.iter().map(|(method, path)| Operation::new(method, path)).collect();
    Some(RouteContract { caller: "User-Agent".to_owned(), operations })
}

fn call(raw: &mut Raw, line: &str, agent: &str) {
    raw.send(format!("{line} HTTP/1.1\r\nHost: a\r\n{agent}\r\n"));
    raw.answer();
}

fn calls(proxy: &Proxy) -> BTreeMap<String, Calls> {
    let report = proxy.control().calls().unwrap();
    let all = report.services.into_values().flatten();
    all.map(|(operation, calls)| (operation.to_string(), calls)).collect()
}

fn expected(total: u64, callers: &[(&str, u64)]) -> Calls {
    Calls { total, callers: callers.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect() }
}

#[test]
fn calls_are_counted_by_operation_and_caller_and_go_on_under_the_next_table() {
    let mut proxy = Proxy::start_with(&[named("one")], |route| {
        route.contract = contract(&[("get", "/orders/{id}"), ("post", "/orders"), ("get", "/stock")]);
    });
    // Two connections, so that both threads may have their share.
    let (mut one, mut two) = (proxy.connect(), proxy.connect());
    for at in 0..20 {
        call(&mut one, &format!("GET /orders/{at}?full=1"), "User-Agent: checkout/3.1 (linux)\r\n");
        call(&mut two, "GET /orders/7", "user-agent: curl/8.1\r\n");
        call(&mut two, "GET /orders/7", "");
        call(&mut one, "GET /elsewhere", "User-Agent: checkout/3.1\r\n");
    }
    call(&mut one, "PUT /orders", "");
    let orders = expected(60, &[("checkout/3.1", 20), ("curl/8.1", 20)]);
    let seen = calls(&proxy);
    assert_eq!(seen["GET /orders/{}"], orders);
    assert_eq!((&seen["POST /orders"], &seen["GET /stock"]), (&Calls::default(), &Calls::default()));

    // What stays counts on, what comes begins at zero, what goes is forgotten.
    proxy.route.contract = contract(&[("get", "/orders/{order}"), ("get", "/new")]);
    proxy.apply();
    call(&mut one, "GET /orders/8", "");
    call(&mut two, "GET /new", "User-Agent: curl/8.1\r\n");
    let seen = calls(&proxy);
    assert_eq!(seen["GET /orders/{}"], Calls { total: 61, ..orders });
    assert_eq!(seen["GET /new"], expected(1, &[("curl/8.1", 1)]));
    assert!(!seen.contains_key("GET /stock"));

    proxy.route.contract = None;
    proxy.apply();
    call(&mut one, "GET /orders/8", "");
    assert!(proxy.control().calls().unwrap().services.is_empty());
}

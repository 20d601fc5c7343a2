//! Several services behind one proxy, each with tables of its own.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_core::base::Generation;
use tandem_core::traffic::{Role, Route, Table};
use tandem_proxy::control::ControlError;

use super::instance::named;
use super::proxy::{Proxy, blog, member, shop, status};

/// What the blog's controller tells: the same numbers of instances as the shop has.
fn blog_table(generation: u64, address: SocketAddr, change: impl Fn(&mut Route)) -> Table {
    let mut route =
        Route::new(blog(), vec![member(1, address, Role::Serve), member(2, address, Role::Serve)]);
    change(&mut route);
    Table { generation: Generation(generation), listeners: Vec::new(), routes: vec![route] }
}

fn get(proxy: &Proxy, host: &str, path: &str) -> String {
    let mut client = proxy.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let (head, body) = client.answer();
    head + &String::from_utf8_lossy(&body)
}

#[test]
fn services_have_their_hosts_and_paths_and_their_own_generations() {
    let mut proxy = Proxy::start(&[named("shop")]);
    let mut control = proxy.control();
    let below = |route: &mut Route| route.paths = vec!["/blog".to_owned()];
    let own = |route: &mut Route| route.hosts = vec!["blog.example".to_owned()];
    let instance = named("blog");

    // All hosts and paths are the shop's: what can't be beside it is refused, and nothing changes.
    let refused = control.apply(&blog(), &blog_table(7, instance, |_| {}));
    assert!(matches!(refused, Err(ControlError::Invalid(why)) if why.contains("claim all hosts")));
    control.apply(&blog(), &blog_table(7, instance, below)).unwrap();
    for (service, generation, instances) in [(shop(), 1, 1), (blog(), 7, 2)] {
        let seen =
            proxy.wait_of(&service, "up", |report| report.instances.values().all(|i| i.health.is_up()));
        assert_eq!((seen.generation, seen.instances.len()), (Generation(generation), instances));
    }
    for (path, name) in [("/", "shop"), ("/blog", "blog"), ("/blog/a?b", "blog"), ("/blogs", "shop")] {
        let answer = get(&proxy, "x.example", path);
        assert!(answer.ends_with(name), "{path}: {answer}");
    }

    // Each is fenced by its own tables, and what one is told leaves the other alone.
    assert!(matches!(
        control.apply(&blog(), &blog_table(6, instance, own)),
        Err(ControlError::Fenced { .. })
    ));
    control.apply(&blog(), &blog_table(8, instance, own)).unwrap();
    proxy.apply();
    assert!(get(&proxy, "x.example", "/blog").ends_with("shop"));
    assert!(get(&proxy, "blog.example", "/").ends_with("blog"));

    // A proxy that comes back has both.
    proxy.restart();
    assert!(get(&proxy, "x.example", "/").ends_with("shop"));
    assert!(get(&proxy, "blog.example", "/").ends_with("blog"));

    // The blog's instance leaves; the one of the same number in the shop does not.
    let mut gone = blog_table(9, instance, own);
    gone.routes[0].members.iter_mut().for_each(|member| member.role = Role::Drain);
    gone.routes[0].timeouts.hold = tandem_core::base::Millis(0);
    proxy.control().apply(&blog(), &gone).unwrap();
    assert_eq!(status(&get(&proxy, "blog.example", "/")), 503);
    assert!(get(&proxy, "x.example", "/").ends_with("shop"));
}

#[test]
fn a_service_that_the_proxy_was_not_started_for_is_refused() {
    let proxy = Proxy::start(&[named("shop")]);
    let stranger = "stranger".parse().unwrap();
    let refused = proxy.control().apply(&stranger, &proxy.table());
    assert!(matches!(refused, Err(ControlError::Invalid(why)) if why.contains("none of the services")));
    let refused = proxy.control().apply(&blog(), &Table { generation: Generation(9), ..proxy.table() });
    assert!(matches!(refused, Err(ControlError::Invalid(why)) if why.contains("has a route of shop")));
    let (_, seen) = proxy.control().watch(&blog(), 0, Duration::ZERO).unwrap();
    assert_eq!((seen.generation, seen.instances.len()), (Generation::default(), 0));
}

//! Several services behind one proxy: each is deployed by itself, comes and goes by itself, and the others notice nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tandem_load::{Journal, Load, Mix, Pace, Plan};
use tandem_trial::{Daemon, Kind, Setup, Shop, free_port, until};

use crate::deployments::traffic;
use crate::stage::{get, root, shop_program};

/// A shop in a folder of its own, below a path if there is one.
fn service(folder: &Path, name: &'static str, address: std::net::SocketAddr, path: &str) -> Shop {
    let shop = Shop::new(&root(), &shop_program(), &folder.join(name));
    fs::create_dir_all(folder.join(name)).unwrap();
    let setup = Setup { service: name, instances: 2, ..Setup::new(address) };
    shop.configure(&setup).unwrap();
    if !path.is_empty() {
        let file = folder.join(name).join("tandem.toml");
        let text = fs::read_to_string(&file).unwrap();
        let address = format!("address = \"{address}\"\n");
        fs::write(file, text.replace(&address, &format!("{address}paths = [\"{path}\"]\n"))).unwrap();
    }
    shop
}

fn front(folder: &Path, services: &str) {
    fs::write(folder.join("tandem.toml"), format!("services = [{services}]\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_come_change_and_go_while_another_one_serves() {
    let temp = tempfile::Builder::new().prefix("tandem-e2e-").tempdir().unwrap();
    let (folder, address) = (temp.path(), free_port());
    let shop = service(folder, "shop", address, "");
    front(folder, "\"shop\"");
    let mut daemon = Daemon::new(Path::new(env!("CARGO_BIN_EXE_tandem")), folder);
    daemon.up().await.unwrap();
    let deploy = async |shop: &Shop, name: &str, version: &str| {
        let deliverable = shop.deliverable(version, version, None).unwrap();
        let deliverable = deliverable.to_str().unwrap();
        let said = daemon.tandem(&["deploy", deliverable, "--version", version, "--service", name]).await;
        assert_eq!(said.code, Some(0), "{}", daemon.with_log(&said.err));
    };
    deploy(&shop, "shop", "v1").await;
    let plan = Plan {
        rate: 120.0,
        pace: Pace::Poisson,
        mix: Mix { get: 10, fresh: 5, post: 5, upload: 0 },
        ..Plan::new(address)
    };
    let load = Load::start(plan).unwrap();
    traffic(&load, 100).await;

    // Another service comes, below a path that was the shop's; both have instances of the same numbers.
    let blog = service(folder, "blog", address, "/blog");
    front(folder, "\"shop\", \"blog\"");
    let said = daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(0), "{}", daemon.with_log(&said.err));
    deploy(&blog, "blog", "v2").await;
    assert!(get(address, "/blog").await.contains("v2"));
    traffic(&load, 100).await;
    deploy(&shop, "shop", "v3").await;
    let said = daemon.tandem(&["deploy", "x"]).await;
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("--service blog") && said.err.contains("--service shop"), "{}", said.err);

    // The controller of one dies, and `tandem up` with everything: the others are served on.
    for pid in daemon.pids(Kind::Controller) {
        tandem_trial::kill(pid);
    }
    tandem_trial::kill(daemon.pids(Kind::Supervisor)[0]);
    daemon.up().await.unwrap();
    traffic(&load, 100).await;
    let said = daemon.tandem(&["status"]).await;
    assert!(
        said.out.contains("shop: v3, 2/2 healthy") && said.out.contains("blog: v2, 2/2 healthy"),
        "{}",
        said.out
    );

    // It goes, and its instances with it.
    front(folder, "\"shop\"");
    let said = daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(0), "{}", daemon.with_log(&said.err));
    let stopped =
        until(Duration::from_secs(30), async || (daemon.pids(Kind::Keeper).len() == 2).then_some(()));
    stopped.await.unwrap_or_else(|| panic!("{}", daemon.with_log("only those of the shop run")));
    assert!(get(address, "/blog").await.contains("v3"), "the path is the shop's again");
    traffic(&load, 100).await;
    let verdict = load.stop().await;
    assert!(verdict.is_clean(), "{}", daemon.with_log(&verdict.to_string()));
    let journal = Journal::read(&shop.orders()).unwrap().check(&verdict.acknowledged);
    assert!(journal.is_clean(), "{journal}");
    daemon.stop().await.unwrap();
}

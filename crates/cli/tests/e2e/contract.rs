//! Versions that promise their clients something else than the version before.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tandem_trial::until;

use crate::sessions::ask;
use crate::stage::Stage;

/// The shop's contract: its product page gives a price of that type, and there are these other operations.
fn document(price: &str, more: &[&str]) -> Value {
    let product = json!({
        "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
        "get": { "responses": { "200": { "content": { "application/json": { "schema": {
            "$ref": "#/components/schemas/Product"
        } } } } } }
    });
    let mut paths = json!({ "/product/{id}": product });
    for path in more {
        paths[*path] = json!({ "get": { "responses": { "200": { "description": "there" } } } });
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "shop", "version": "1.0.0" },
        "paths": paths,
        "components": { "schemas": { "Product": {
            "type": "object", "required": ["price"], "properties": { "price": { "type": price } }
        } } }
    })
}

/// A release of the shop with a contract; the path of its folder.
fn deliverable(stage: &Stage, release: &str, label: &str, document: &Value) -> String {
    let folder = stage.shop.deliverable(release, label, None).unwrap();
    fs::write(folder.join("openapi.json"), document.to_string()).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_is_not_broken_unawares() {
    let stage = Stage::empty(|setup| {
        setup.instances = 1;
        setup.more = "[contract]\ndocument = \"openapi.json\"\n".to_owned();
    })
    .await;
    let tandem = async |command: &[&str]| stage.daemon.tandem(command).await;
    let v1 = deliverable(&stage, "v1", "v1", &document("number", &["/api/stock"]));
    let said = tandem(&["deploy", &v1]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    for _ in 0..12 {
        ask(&stage, "/product/1", "User-Agent: checkout/3.1 (linux)\r\n").await;
    }

    // Planned, refused, and nothing has happened.
    let v2 = deliverable(&stage, "v2", "v2", &document("string", &["/api/stock", "/events"]));
    let broken =
        "GET /product/{id}: response property `price` is string, not number; called 12 times in the last ";
    let plan = tandem(&["plan", &v2]).await;
    assert_eq!(plan.code, Some(5), "{}", stage.daemon.with_log(&plan.err));
    for told in [broken, "by checkout/3.1 (12)", "GET /events is not there yet", "--break-contract"] {
        assert!(plan.out.contains(told), "{told}: {}", plan.out);
    }
    let refused = tandem(&["deploy", &v2]).await;
    assert_eq!(refused.code, Some(1), "{}", stage.daemon.with_log(&refused.err));
    assert!(refused.out.contains(broken) && refused.out.contains("v1 serves on, untouched"), "{refused:?}");

    // Meant: it is done, and the receipt tells. The calls so far outlive the controller.
    let [controller] = stage.daemon.pids(tandem_trial::Kind::Controller)[..] else {
        panic!("one controller")
    };
    assert!(tandem_trial::kill(controller));
    let answers = async || (tandem(&["status"]).await.code == Some(0)).then_some(());
    until(Duration::from_secs(60), answers).await.expect("another controller");
    let meant = tandem(&["deploy", &v2, "--version", "v2b", "--break-contract"]).await;
    assert_eq!(meant.code, Some(0), "{}", stage.daemon.with_log(&meant.err));
    assert!(meant.out.contains("1 operation in use broken"), "{}", meant.out);

    // What came later and nobody called may go; what cannot be read is refused.
    let v3 = deliverable(&stage, "v3", "v3", &document("string", &["/api/stock"]));
    let said = tandem(&["deploy", &v3]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    let odd = deliverable(&stage, "v3", "odd", &json!({ "openapi": "3.1.0", "info": {} }));
    let said = tandem(&["deploy", &odd]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("openapi.json: #/info: `version` is missing"), "{said:?}");
    stage.daemon.stop().await.unwrap();
}

/// A service of one instance that tells others what it promises and needs.
async fn party(service: &'static str, shared: &Path, contract: &str) -> Stage {
    let more = format!("[contract]\nshared = \"{}\"\n{contract}\n", shared.display());
    Stage::empty(move |setup| (setup.service, setup.instances, setup.more) = (service, 1, more)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_do_not_take_from_each_other_what_they_need() {
    let shared = tempfile::tempdir().unwrap();
    let orders = party("orders", shared.path(), "document = \"openapi.json\"").await;
    let web = party("web", shared.path(), "needs = { orders = \"orders.yaml\" }").await;
    let done = async |stage: &Stage, command: &[&str]| {
        let said = stage.daemon.tandem(command).await;
        assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&format!("{}{}", said.out, said.err)));
        said
    };
    let of_orders = |label: &str, document: Value| deliverable(&orders, "v1", label, &document);
    let of_web = |label: &str, document: Value| {
        let folder = web.shop.deliverable("v1", label, None).unwrap();
        // With a remark, it is no JSON.
        fs::write(folder.join("orders.yaml"), format!("# what web needs\n{document}\n")).unwrap();
        folder.to_str().unwrap().to_owned()
    };
    done(&orders, &["deploy", &of_orders("v1", document("number", &["/stock"]))]).await;
    // A part of what there is will do.
    done(&web, &["deploy", &of_web("w1", document("number", &[]))]).await;

    // Who calls may not need what is not there, who is called may not take away what is needed.
    let ahead = of_web("w2", document("number", &["/later"]));
    let missing = "web w2 needs GET /later of orders v1, which has no such operation";
    let plan = web.daemon.tandem(&["plan", &ahead]).await;
    assert!(plan.code == Some(5) && plan.out.contains(missing), "{plan:?}");
    let refused = web.daemon.tandem(&["deploy", &ahead]).await;
    assert!(refused.code == Some(1) && refused.out.contains(missing), "{refused:?}");
    let changed = of_orders("v2", document("string", &["/stock"]));
    let retyped = "needs GET /product/{id} of orders v2: response property `price` is string, not number";
    let refused = orders.daemon.tandem(&["deploy", &changed]).await;
    assert!(refused.code == Some(1) && refused.out.contains(&format!("web w1 {retyped}")), "{refused:?}");

    // Meant, it is done; and going back is told of, and not held up.
    done(&orders, &["deploy", &changed, "--version", "v2b", "--break-contract"]).await;
    // Until the last instance of the old one has ended, it is one of those that are needed.
    let fits = of_web("w3", document("string", &[]));
    let deployed = async || (web.daemon.tandem(&["deploy", &fits]).await.code == Some(0)).then_some(());
    until(Duration::from_secs(60), deployed).await.expect("it fits when orders v1 is gone");
    let back = done(&orders, &["rollback"]).await;
    let told = "web w3 needs GET /product/{id} of orders v1: response property `price` is number, not string";
    assert!(back.err.contains(told), "{back:?}");
    web.daemon.stop().await.unwrap();
    orders.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_serves_when_its_instance_told_what_it_promises() {
    let stage = Stage::empty(|setup| {
        setup.instances = 1;
        setup.more = "[contract]\ndocument = \"/openapi.json\"\n".to_owned();
    })
    .await;
    let tandem = async |command: &[&str]| stage.daemon.tandem(command).await;
    let done = async |command: &[&str]| {
        let said = tandem(command).await;
        assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&format!("{}{}", said.out, said.err)));
        said
    };
    let v1 = deliverable(&stage, "v1", "v1", &document("number", &["/api/stock"]));
    done(&["deploy", &v1]).await;
    for _ in 0..3 {
        ask(&stage, "/product/1", "User-Agent: checkout/3.1\r\n").await;
    }

    // Planned, nothing is known; deployed, it is refused before it has any request.
    let v2 = deliverable(&stage, "v2", "v2", &document("string", &[]));
    let plan = done(&["plan", &v2]).await;
    assert!(
        plan.out.contains("compared only when an instance runs, which is asked for /openapi.json"),
        "{plan:?}"
    );
    let refused = tandem(&["deploy", &v2]).await;
    assert_eq!(refused.code, Some(1), "{}", stage.daemon.with_log(&refused.err));
    let broken =
        "GET /product/{id}: response property `price` is string, not number; called 3 times in the last ";
    assert!(refused.out.contains(broken) && refused.out.contains("v1 serves on, untouched"), "{refused:?}");

    // No document, and none that can be read.
    let none = stage.shop.deliverable("v2", "none", None).unwrap();
    let refused = tandem(&["deploy", none.to_str().unwrap()]).await;
    assert!(
        refused.code == Some(1) && refused.out.contains("GET /openapi.json: the answer is 404 Not Found"),
        "{refused:?}"
    );
    let odd = deliverable(&stage, "v2", "odd", &json!({ "openapi": "3.1.0", "info": {} }));
    let refused = tandem(&["deploy", &odd, "--strategy", "flip"]).await;
    assert!(refused.out.contains("GET /openapi.json: #/info: `version` is missing"), "{refused:?}");

    // What fits serves, in either way; going back asks nothing, and what is meant is done.
    let v3 = deliverable(&stage, "v3", "v3", &document("number", &["/api/stock", "/events"]));
    done(&["deploy", &v3, "--strategy", "flip"]).await;
    done(&["rollback"]).await;
    let meant = done(&["deploy", &v2, "--version", "v2b", "--break-contract"]).await;
    assert!(meant.out.contains("in use broken"), "{}", meant.out);
    stage.daemon.stop().await.unwrap();
}

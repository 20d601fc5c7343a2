//! From the network: deployed with a token, refused without the right one, and served again after the process was killed.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tandem_trial::{Kind, free_port, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// Status and body of one call with a token.
async fn ask(address: SocketAddr, what: &str, token: &str, body: &Value) -> Option<(u16, Value)> {
    ask_with("", address, what, token, body).await
}

/// The same with more header lines.
async fn ask_with(
    more: &str,
    address: SocketAddr,
    what: &str,
    token: &str,
    body: &Value,
) -> Option<(u16, Value)> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(address).await.ok()?;
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         {more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.ok()?.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()))))
}

async fn token(stage: &Stage, name: &str, role: &str) -> String {
    let words = ["token", "create", name, "--role", role, "--service", "shop", "--expires", "1d"];
    let said = stage.daemon.tandem(&words).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.out.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_deployed_from_the_network_by_those_who_may() {
    let (address, other) = (free_port(), free_port());
    let listen = |address: SocketAddr| format!("[admin]\nlisten = \"{address}\"\n");
    let stage = Stage::empty(|setup| (setup.instances, setup.more) = (1, listen(address))).await;
    let (ci, wall) = (token(&stage, "ci", "deployer").await, token(&stage, "wall", "viewer").await);
    let deliverable = stage.shop.deliverable("v1", "v1", None).unwrap();
    let deploy = json!({ "source": deliverable, "version": "v1" });
    let call = "POST /v1/services/shop/deployments";
    let (status, problem) = ask(address, call, &wall, &deploy).await.unwrap();
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{problem}");
    let (status, accepted) = ask(address, call, &ci, &deploy).await.unwrap();
    assert_eq!((status, &accepted), (202, &json!({ "id": 1 })));
    // Told as it goes, up to its end.
    let events = "GET /v1/services/shop/deployments/d1/events";
    let (status, told) = ask(address, events, &wall, &Value::Null).await.unwrap();
    assert!(status == 200 && told.as_str().is_some_and(|told| told.contains("\"finished\"")), "{told}");
    let (_, status) = ask(address, "GET /v1/services/shop/status", &wall, &Value::Null).await.unwrap();
    assert_eq!((&status["current"], &status["healthy"]), (&json!("v1"), &json!(1)), "{status}");

    // Killed, it is there again, and nobody has to log in anew.
    let [before] = stage.daemon.pids(Kind::Admin)[..] else { panic!("one process answers") };
    assert!(tandem_trial::kill(before));
    let there = until(PATIENCE, async || {
        let (status, me) = ask(address, "GET /v1/me", &ci, &Value::Null).await?;
        (status == 200).then_some(me)
    });
    let me = there.await.unwrap_or_else(|| panic!("{}", stage.daemon.with_log("nobody answers")));
    assert_eq!((&me["name"], &me["role"]), (&json!("ci"), &json!("deployer")));
    assert_ne!(stage.daemon.pids(Kind::Admin), [before]);

    // Revoked, it is good for nothing at once.
    assert_eq!(stage.daemon.tandem(&["token", "revoke", "ci"]).await.code, Some(0));
    assert_eq!(ask(address, "GET /v1/me", &ci, &Value::Null).await.unwrap().0, 401);
    let listed = stage.daemon.tandem(&["token", "list", "--json"]).await.json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");

    // Whoever may use the socket gets in, also at another address.
    let config = stage.folder().join("tandem.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&listen(address), &listen(other))).unwrap();
    let said = stage.daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    assert!(ask(address, "GET /v1/me", &wall, &Value::Null).await.is_none(), "the address from before");
    let said = stage.daemon.tandem(&["dashboard"]).await;
    let (page, ticket) = said.out.trim().split_once("/#ticket=").unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!(page, format!("http://{other}"));
    let (status, me) = ask(other, "POST /v1/login", "", &json!({ "ticket": ticket })).await.unwrap();
    assert_eq!((status, &me["role"]), (200, &json!("admin")), "{me}");
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_is_sent_twice_with_one_key_goes_back_once() {
    let address = free_port();
    let more = format!("[admin]\nlisten = \"{address}\"\n");
    let stage = Stage::empty(|setup| (setup.instances, setup.more) = (1, more)).await;
    let ci = token(&stage, "ci", "deployer").await;
    let until_its_end = async |id: u64| {
        let events = format!("GET /v1/services/shop/deployments/{id}/events");
        let (status, told) = ask(address, &events, &ci, &Value::Null).await.unwrap();
        assert!(status == 200 && told.as_str().is_some_and(|told| told.contains("\"settled\"")), "{told}");
    };
    for (id, version) in [(1, "v1"), (2, "v2")] {
        let source = stage.shop.deliverable(version, version, None).unwrap();
        let deploy = json!({ "source": source, "version": version });
        let answer = ask(address, "POST /v1/services/shop/deployments", &ci, &deploy).await.unwrap();
        assert_eq!(answer, (202, json!({ "id": id })));
        until_its_end(id).await;
    }
    let back = async |body: Value| {
        let key = "Idempotency-Key: back\r\n";
        ask_with(key, address, "POST /v1/services/shop/rollback", &ci, &body).await.unwrap()
    };
    for _ in 0..2 {
        assert_eq!(back(json!({})).await, (202, json!({ "id": 3 })));
        until_its_end(3).await;
    }
    let (status, problem) = back(json!({ "to": "v2" })).await;
    assert_eq!((status, &problem["code"]), (422, &json!("key-used")), "{problem}");
    let (_, status) = ask(address, "GET /v1/services/shop/status", &ci, &Value::Null).await.unwrap();
    assert_eq!((&status["current"], &status["deployment"]), (&json!("v1"), &Value::Null), "{status}");
    stage.daemon.stop().await.unwrap();
}

//! The example service: a small web shop that knows nothing of Tandem but the environment that it gets (`PORT`,
//! `DATABASE_URL`, `TANDEM_VERSION`, `TANDEM_INSTANCE`). Its releases differ by the `release.json` beside which it is started.
//!
//! It writes each order to a journal, and to the database if it has one, before it answers, so that a lost or a doubled
//! order can be proven.
//! Tested by `tests/shop`, which starts the real program, and by the demo.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an app's log is its standard output")]

mod cart;
mod catalog;
mod faults;
mod ledger;
mod orders;
mod page;
mod release;
mod streams;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use faults::{Fault, Since};
use ledger::{Astray, Ledger};
use orders::Orders;
use release::Release;

/// What all requests share.
struct Shop {
    release: Release,
    /// The label under which this version runs.
    version: String,
    instance: String,
    orders: Orders,
    ledger: Option<Ledger>,
    /// Only with a fault that opens it.
    astray: Astray,
    fault: Option<Fault>,
    /// Requests so far, but health checks.
    asked: AtomicU64,
    /// Becomes true when the shop is to close.
    closing: watch::Receiver<bool>,
}

type Shared = State<Arc<Shop>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("shop: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let fault = Fault::read()?;
    if fault == Some(Fault::Start) {
        return Err("refusing to start, as I was told to".to_owned());
    }
    let release = Release::read()?;
    let version = std::env::var("TANDEM_VERSION").unwrap_or_else(|_| release.label.clone());
    let instance = std::env::var("TANDEM_INSTANCE").unwrap_or_else(|_| "none".to_owned());
    let port: u16 = match std::env::var("PORT").map(|text| text.parse()) {
        Ok(Ok(port)) => port,
        Ok(Err(why)) => return Err(format!("PORT is not a port: {why}")),
        Err(_) => 3000,
    };
    let mut term = signal(SignalKind::terminate()).map_err(|why| format!("no signals: {why}"))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|why| format!("no signals: {why}"))?;
    if fault == Some(Fault::Bind) {
        println!("shop {version}: never listening, as I was told to");
        term.recv().await;
        return Ok(());
    }
    if let Some(Fault::ExitAfter(seconds)) = fault {
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
            eprintln!("shop: exiting after {seconds} s, as I was told to");
            std::process::exit(7);
        });
    }
    let (close, closing) = watch::channel(false);
    let orders = Orders::open(&version, &instance)?;
    let ledger = Ledger::read(release.schema, &version).filter(|_| !matches!(fault, Some(Fault::Url(_))));
    let astray = Astray::new();
    if fault == Some(Fault::Url(Since::Start)) {
        astray.open().await;
    }
    let label = version.clone();
    let asked = AtomicU64::new(0);
    let shop =
        Arc::new(Shop { release, version: label, instance, orders, ledger, astray, fault, asked, closing });
    // In a container whoever asks comes from outside.
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .map_err(|why| format!("can't listen on port {port}: {why}"))?;
    println!("shop {version}: open on port {port}");
    let closed = async move {
        tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
        close.send_replace(true);
    };
    let served = axum::serve(listener, routes(shop)).with_graceful_shutdown(closed).await;
    println!("shop {version}: closed");
    served.map_err(|why| why.to_string())
}

fn routes(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/", get(page::products))
        .route("/product/{id}", get(page::product))
        .route("/cart", get(cart::show).post(cart::add))
        .route("/api/orders", post(orders::place))
        .route("/api/orders/{id}", get(ledger::show))
        .route("/api/stock", get(catalog::stock))
        .route("/up", get(up))
        .route("/openapi.json", get(contract))
        .route("/events", get(streams::events))
        .route("/ws", any(streams::socket))
        .route("/slow", get(streams::slow))
        .route("/download", get(streams::download))
        .route("/upload", post(streams::upload).put(streams::upload))
        .layer(middleware::from_fn_with_state(Arc::clone(&shop), sign))
        .with_state(shop)
}

/// Answers health checks.
async fn up(State(shop): Shared) -> Response {
    match shop.fault {
        Some(Fault::Up) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "unwell, as I was told to be\n").into_response()
        }
        Some(Fault::Redirect) => {
            (StatusCode::MOVED_PERMANENTLY, [("location", "/login")], "").into_response()
        }
        _ => "up\n".into_response(),
    }
}

/// What the shop promises, if that is written down beside its release.
async fn contract() -> Response {
    match std::fs::read("openapi.json") {
        Ok(text) => ([("content-type", "application/json")], text).into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "nothing is promised\n").into_response(),
    }
}

#[derive(Deserialize)]
struct Mark {
    id: Option<String>,
}

/// Every answer says which version, which instance, and which request it is for.
async fn sign(State(shop): Shared, Query(mark): Query<Mark>, request: Request, next: Next) -> Response {
    if shop.fault == Some(Fault::Hang) {
        std::future::pending::<()>().await;
    }
    if shop.fault == Some(Fault::Url(Since::FirstRequest)) && request.uri().path() != "/up" {
        shop.astray.open().await;
    }
    let mut answer = match shop.fault.filter(|_| request.uri().path() != "/up") {
        Some(Fault::Errors(percent))
            if shop.asked.fetch_add(1, Ordering::Relaxed) * percent % 100 < percent =>
        {
            (StatusCode::INTERNAL_SERVER_ERROR, "out of order, as I was told to be\n").into_response()
        }
        Some(Fault::Slow(millis)) => {
            tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
            next.run(request).await
        }
        _ => next.run(request).await,
    };
    let marks = [
        ("tandem-shop-version", Some(shop.version.as_str())),
        ("tandem-shop-instance", Some(shop.instance.as_str())),
        ("tandem-shop-request", mark.id.as_deref()),
    ];
    for (name, value) in marks {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

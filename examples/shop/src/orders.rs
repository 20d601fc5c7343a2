//! Orders: each is one line in the journal, written before it is acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{Shared, catalog};

/// The journal, `orders.jsonl` in the folder that `SHOP_DATA` names. All instances append to the same file.
pub(crate) struct Orders {
    file: File,
    version: String,
    instance: String,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    product: u32,
    count: u32,
    version: &'a str,
    instance: &'a str,
}

/// What a client orders.
#[derive(Deserialize)]
pub(crate) struct Order {
    /// The client's number for it.
    pub(crate) id: String,
    pub(crate) product: u32,
    #[serde(default = "one")]
    pub(crate) count: u32,
}

fn one() -> u32 {
    1
}

/// What a client is told.
#[derive(Serialize)]
pub(crate) struct Placed {
    id: String,
    version: String,
    instance: String,
}

impl Orders {
    /// Opens the journal, makes it if there is none.
    pub(crate) fn open(version: &str, instance: &str) -> Result<Orders, String> {
        let folder = PathBuf::from(std::env::var_os("SHOP_DATA").unwrap_or_else(|| ".".into()));
        let path = folder.join("orders.jsonl");
        let failed = |why: std::io::Error| format!("can't open {}: {why}", path.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        Ok(Orders { file, version: version.to_owned(), instance: instance.to_owned() })
    }

    fn append(&self, order: &Order) -> std::io::Result<()> {
        let Order { id, product, count } = order;
        let line =
            Line { id, product: *product, count: *count, version: &self.version, instance: &self.instance };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        // One write in append mode: lines of several instances don't mix.
        let mut file = &self.file;
        file.write_all(&text)
    }
}

/// `POST /api/orders`
pub(crate) async fn place(
    State(shop): Shared,
    Json(order): Json<Order>,
) -> Result<Json<Placed>, (StatusCode, String)> {
    if catalog::find(order.product).is_none() || order.count == 0 {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "no such product, or none of it\n".to_owned()));
    }
    if let Some(ledger) = &shop.ledger
        && let Err(why) = ledger.write(&order).await
    {
        eprintln!("shop: {why}");
        return Err((StatusCode::INTERNAL_SERVER_ERROR, format!("the order was not entered: {why}\n")));
    }
    match shop.orders.append(&order) {
        Ok(()) => {
            Ok(Json(Placed { id: order.id, version: shop.version.clone(), instance: shop.instance.clone() }))
        }
        Err(why) => Err((StatusCode::INTERNAL_SERVER_ERROR, format!("the order was not written: {why}\n"))),
    }
}

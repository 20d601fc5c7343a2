//! The orders in the database that `DATABASE_URL` names; a shop without one has no ledger.
//!
//! Each release knows one schema and no other: its statements are prepared once and kept, as a connection pool would. Behind a
//! pooler that hands out sessions by transactions (`SHOP_POOLED`) nothing can be kept, and each is sent whole.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};

use crate::Shared;
use crate::orders::Order;
use crate::release::Schema;

/// The database of this shop.
pub(crate) struct Ledger {
    url: String,
    schema: Schema,
    version: String,
    pooled: bool,
    /// None: not connected, or not any more.
    line: Mutex<Option<Line>>,
}

/// A session with a URL that is not the shop's own; nothing is asked on it.
pub(crate) struct Astray(OnceCell<Option<Client>>);

impl Astray {
    pub(crate) fn new() -> Astray {
        Astray(OnceCell::new())
    }

    /// Opens the session if it is not there yet.
    pub(crate) async fn open(&self) {
        let open = async || -> Option<Client> {
            let url = std::env::var("SHOP_URL").ok()?;
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.ok()?;
            tokio::spawn(connection);
            Some(client)
        };
        self.0.get_or_init(open).await;
    }
}

/// A connection, and what is prepared on it.
struct Line {
    client: Client,
    /// To insert, and to select. None: nothing can be kept.
    prepared: Option<(Statement, Statement)>,
}

/// An order as it stands in the ledger, told in the same words by every release.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    id: String,
    product: i64,
    count: i32,
    customer: String,
    note: Option<String>,
    taken_by: String,
}

impl Schema {
    fn insert(self) -> &'static str {
        match self {
            Schema::Orders => {
                "INSERT INTO orders (id, product, count, customer, taken_by) VALUES ($1, $2::bigint::integer, $3, $4, $5)"
            }
            Schema::Names => {
                "INSERT INTO orders (id, product, quantity, first_name, last_name, note, taken_by) \
                 VALUES ($1, $2, $3, split_part($4, ' ', 1), split_part($4, ' ', 2), 'none', $5)"
            }
        }
    }

    fn select(self) -> &'static str {
        match self {
            Schema::Orders => {
                "SELECT id, product::bigint, count, customer, note, taken_by FROM orders WHERE id = $1"
            }
            Schema::Names => {
                "SELECT id, product, quantity, first_name || ' ' || last_name, note, taken_by FROM orders WHERE id = $1"
            }
        }
    }
}

impl Ledger {
    /// The ledger that the environment names. It is connected when it is first needed.
    pub(crate) fn read(schema: Schema, version: &str) -> Option<Ledger> {
        let url = std::env::var("DATABASE_URL").ok()?;
        let pooled = std::env::var_os("SHOP_POOLED").is_some();
        Some(Ledger { url, schema, version: version.to_owned(), pooled, line: Mutex::new(None) })
    }

    /// Writes an order down, once.
    pub(crate) async fn write(&self, order: &Order) -> Result<(), String> {
        let customer = customer(&order.id);
        let (product, count) = (i64::from(order.product), i32::try_from(order.count).unwrap_or(i32::MAX));
        let mut line = self.line.lock().await;
        let open = self.connected(&mut line).await?;
        let values: [(&(dyn ToSql + Sync), Type); 5] = [
            (&order.id, Type::TEXT),
            (&product, Type::INT8),
            (&count, Type::INT4),
            (&customer, Type::TEXT),
            (&self.version, Type::TEXT),
        ];
        let written = match &open.prepared {
            Some((insert, _)) => open.client.execute(insert, &values.map(|(value, _)| value)).await,
            None => open.client.execute_typed(self.schema.insert(), &values).await,
        };
        written.map(drop).map_err(|why| told(&why))
    }

    async fn find(&self, id: &str) -> Result<Option<Entry>, String> {
        let mut line = self.line.lock().await;
        let open = self.connected(&mut line).await?;
        let found = match &open.prepared {
            Some((_, select)) => open.client.query_opt(select, &[&id]).await,
            None => open.client.query_typed_opt(self.schema.select(), &[(&id, Type::TEXT)]).await,
        };
        let row = found.map_err(|why| told(&why))?;
        row.map(|row| entry(&row)).transpose().map_err(|why| told(&why))
    }

    async fn connected<'l>(&self, line: &'l mut Option<Line>) -> Result<&'l Line, String> {
        if line.as_ref().is_none_or(|line| line.client.is_closed()) {
            let failed = |why| format!("no connection to the database: {}", told(&why));
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.map_err(failed)?;
            tokio::spawn(connection);
            let prepared = if self.pooled {
                None
            } else {
                let insert = client.prepare(self.schema.insert()).await.map_err(failed)?;
                Some((insert, client.prepare(self.schema.select()).await.map_err(failed)?))
            };
            *line = Some(Line { client, prepared });
        }
        line.as_ref().ok_or_else(|| "no connection to the database".to_owned())
    }
}

/// Who orders: known from the order's number, so that every row can be checked.
fn customer(id: &str) -> String {
    format!("Ada {id}")
}

fn entry(row: &Row) -> Result<Entry, tokio_postgres::Error> {
    Ok(Entry {
        id: row.try_get(0)?,
        product: row.try_get(1)?,
        count: row.try_get(2)?,
        customer: row.try_get(3)?,
        note: row.try_get(4)?,
        taken_by: row.try_get(5)?,
    })
}

fn told(why: &tokio_postgres::Error) -> String {
    why.as_db_error()
        .map_or_else(|| why.to_string(), |said| format!("{} ({})", said.message(), said.code().code()))
}

/// `GET /api/orders/{id}`
pub(crate) async fn show(
    State(shop): Shared,
    Path(id): Path<String>,
) -> Result<Json<Entry>, (StatusCode, String)> {
    let Some(ledger) = &shop.ledger else {
        return Err((StatusCode::NOT_FOUND, "this shop has no ledger\n".to_owned()));
    };
    match ledger.find(&id).await {
        Ok(Some(entry)) => Ok(Json(entry)),
        Ok(None) => Err((StatusCode::NOT_FOUND, "no such order\n".to_owned())),
        Err(why) => {
            eprintln!("shop: {why}");
            Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")))
        }
    }
}

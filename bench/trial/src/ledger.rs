//! The shop's orders in its database, held against what clients were told and against what plain migrations leave.
//!
//! Blocks: a runtime's thread must say so (`tokio::task::block_in_place`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use postgres::{Client, IsolationLevel, NoTls};

/// What each release's schema says of an order, in the same words; by revision.
const SEEN: [(&str, &str); 2] = [
    ("tandem_0001_orders", "SELECT id, product::bigint, count, customer FROM orders ORDER BY id"),
    (
        "tandem_0002_names",
        "SELECT id, product, quantity, first_name || ' ' || last_name FROM orders ORDER BY id",
    ),
];

/// Everything about tables that a client could notice, and what Tandem could leave behind.
const CATALOG: &str = "SELECT concat_ws(' ', table_schema, table_name, column_name, data_type, is_nullable, column_default) \
       FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'tandem') \
     UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
     UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
       WHERE connamespace = 'public'::regnamespace \
     UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal \
     UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
     UNION ALL SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tandem\\_%' ORDER BY 1";

/// An order as a release sees it: number, product, count, customer.
type Seen = (String, i64, i32, String);

/// The database of a shop.
pub struct Ledger {
    url: String,
    migrations: PathBuf,
}

impl Ledger {
    /// The ledger at `url` of the shop of this repository (`root`).
    pub fn new(root: &Path, url: &str) -> Ledger {
        Ledger { url: url.to_owned(), migrations: root.join("examples/shop/migrations") }
    }

    fn client(&self) -> Result<Client, String> {
        Client::connect(&self.url, NoTls).map_err(|why| format!("no ledger: {why}"))
    }

    /// While both schemas are there: whether they show the same orders at one moment, and how many.
    ///
    /// # Errors
    /// They don't; which order differs.
    pub fn is_the_same_for_both(&self) -> Result<usize, String> {
        let mut client = self.client()?;
        let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start();
        let mut snapshot = snapshot.map_err(|why| why.to_string())?;
        let mut seen = SEEN.iter().map(|(lens, query)| -> Result<Vec<Seen>, postgres::Error> {
            snapshot.batch_execute(&format!("SET LOCAL search_path = {lens}, public"))?;
            let rows = snapshot.query(*query, &[])?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect())
        });
        let mut next = || seen.next().unwrap_or(Ok(Vec::new())).map_err(|why| why.to_string());
        let (first, second) = (next()?, next()?);
        match first.iter().zip(&second).find(|(one, other)| one != other) {
            Some((one, other)) => Err(format!("the old version sees {one:?}, the new one {other:?}")),
            None if first.len() != second.len() => {
                Err(format!("the old version sees {} orders, the new one {}", first.len(), second.len()))
            }
            None => Ok(first.len()),
        }
    }

    /// After the second migration: whether every acknowledged order is there once, with the customer that its number says.
    ///
    /// # Errors
    /// One is missing, or is not as it was ordered.
    pub fn holds(&self, acknowledged: &[String]) -> Result<usize, String> {
        let rows = self.client()?.query("SELECT id, first_name || ' ' || last_name, note FROM orders", &[]);
        let rows = rows.map_err(|why| why.to_string())?;
        let entered: BTreeMap<String, (String, String)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        for id in acknowledged {
            let wanted = (format!("Ada {id}"), "none".to_owned());
            match entered.get(id) {
                Some(entry) if *entry == wanted => {}
                Some(entry) => return Err(format!("order {id} is entered as {entry:?}")),
                None => return Err(format!("order {id} was acknowledged and is not entered")),
            }
        }
        Ok(entered.len())
    }

    /// Whether the schema is what the first so many migrations leave when they are run plainly, in the empty database at
    /// `plain`.
    ///
    /// # Errors
    /// It is not; what differs.
    pub fn is_plain(&self, plain: &str, migrations: usize) -> Result<(), String> {
        let names = crate::shop::MIGRATIONS.iter().take(migrations);
        self.is_as_by(plain, names.map(|name| self.migrations.join(name)))
    }

    /// The same with the migrations of a folder, in the order of their names.
    ///
    /// # Errors
    /// It is not; what differs.
    pub fn is_as_by_folder(&self, plain: &str, folder: &Path) -> Result<(), String> {
        let entries = fs::read_dir(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        self.is_as_by(plain, files)
    }

    fn is_as_by(&self, plain: &str, files: impl IntoIterator<Item = PathBuf>) -> Result<(), String> {
        let mut other = Client::connect(plain, NoTls).map_err(|why| why.to_string())?;
        for file in files {
            let text = fs::read_to_string(&file).map_err(|why| why.to_string())?;
            other.batch_execute(&text).map_err(|why| why.to_string())?;
        }
        let catalog = |client: &mut Client| -> Result<Vec<String>, String> {
            let rows = client.query(CATALOG, &[]).map_err(|why| why.to_string())?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        };
        let (wanted, found) = (catalog(&mut other)?, catalog(&mut self.client()?)?);
        let lacking = wanted.iter().filter(|line| !found.contains(line)).map(|line| format!("lacks {line}"));
        let more = found.iter().filter(|line| !wanted.contains(line)).map(|line| format!("has {line}"));
        let differences: Vec<String> = lacking.chain(more).collect();
        if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
    }
}

//! A project's history replayed migration by migration: by Tandem on one database, plainly on another.
//!
//! Before each step some rows are put into both, and a client of the old revision prepares `SELECT *` of every table; it must
//! still get its columns in mixed state. What is refused is run plainly and counted.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use postgres::{Client, Statement};
use tandem_database::{Database, Server};
use tandem_postgres::execution::shape;
use tandem_postgres::preparation::{Statements, Unprepared, Wanted, prepare};
use tandem_postgres::{Execution, Options, Watch};
use tandem_schema::name::ident;
use tandem_schema::plan::Plan;
use tandem_schema::source::Migration;

use crate::{folder, rows};

static GO: AtomicBool = AtomicBool::new(false);

struct Nobody;

impl Watch for Nobody {
    fn step(&mut self, _: &str, _: usize, _: usize) {}
    fn rows(&mut self, _: u64, _: u64, _: f64, _: Option<Duration>) {}
    fn waiting(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
}

/// What came of it.
#[derive(Default)]
struct Tally {
    statements: usize,
    refused: usize,
    wrong: usize,
}

/// Replays a folder; with words, separated by commas, by Tandem only the migrations whose names hold one of them.
pub(crate) fn run(folder: &Path, only: Option<&str>) -> Result<(), String> {
    let migrations = folder::migrations(folder)?;
    let server = Server::start(&[]);
    let (plain, tandem) = (server.database(), server.database());
    let begun = Instant::now();
    let mut tally = Tally::default();
    let mut from = String::new();
    for (at, migration) in migrations.iter().enumerate() {
        let count = migration.statements.iter().filter(|statement| !statement.transaction_control).count();
        let watched = only.is_none_or(|words| words.split(',').any(|word| migration.name.contains(word)));
        tally.statements += if watched { count } else { 0 };
        sow((&plain, &tandem), at)?;
        if !fits(&plain, migration) {
            clear((&plain, &tandem))?;
        }
        run_plainly(&plain, migration).map_err(|why| format!("{} fails plainly: {why}", migration.name))?;
        if !watched {
            plainly_instead(&tandem, &from, migration)?;
            from.clone_from(&migration.name);
            continue;
        }
        let one = step(&tandem, &from, migration);
        match one {
            Ok(()) => {}
            Err(Trouble::Refused(places)) => {
                tally.refused += places.min(count);
                plainly_instead(&tandem, &from, migration)?;
            }
            Err(Trouble::Wrong(why)) => {
                println!("WRONG {}: {why}", migration.name);
                tally.wrong += 1;
                plainly_instead(&tandem, &from, migration)?;
            }
        }
        compare(&plain, &tandem, migration, &mut tally)?;
        from.clone_from(&migration.name);
    }
    let handled = tally.statements - tally.refused;
    println!(
        "{} migrations, {} statements, {handled} handled ({:.1} %), {} refused, {} wrong, {:.0} s",
        migrations.len(),
        tally.statements,
        100.0 * handled as f64 / tally.statements.max(1) as f64,
        tally.refused,
        tally.wrong,
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

enum Trouble {
    /// Correctly; so many statements.
    Refused(usize),
    /// A fault of Tandem's.
    Wrong(String),
}

fn wrong(why: impl std::fmt::Display) -> Trouble {
    Trouble::Wrong(why.to_string())
}

fn step(database: &Database<'_>, from: &str, migration: &Migration) -> Result<(), Trouble> {
    let wanted = Wanted {
        url: &database.url(),
        scratch_url: None,
        from,
        migrations: std::slice::from_ref(migration),
        home: "public",
        qualified: false,
        statements: Statements::default(),
        books: None,
        options: tandem_schema::draft::Options::default(),
    };
    let plan = match prepare(&wanted) {
        Ok(prepared) => prepared.plan,
        Err(Unprepared::Refused(refusals)) => {
            for refusal in &refusals {
                println!(
                    "refused {} [{}] {}; {}",
                    migration.name, refusal.code, refusal.message, refusal.help
                );
            }
            let mut places: Vec<_> = refusals.iter().map(|refusal| &refusal.place).collect();
            places.sort();
            places.dedup();
            return Err(Trouble::Refused(places.len()));
        }
        Err(other) => return Err(wrong(other)),
    };
    let (mut old, prepared) = reader(database, &plan)?;
    let mut operator = Execution::open(&database.url(), Options::default(), &GO).map_err(wrong)?;
    operator.start(&plan, &mut Nobody).map_err(wrong)?;
    for (name, statement) in &prepared {
        old.query(statement, &[])
            .map_err(|why| wrong(format!("the old revision can't read {name}: {why:?}")))?;
    }
    let differences = operator.contract(true, &mut Nobody).map_err(wrong)?;
    if differences.is_empty() { Ok(()) } else { Err(wrong(differences.join("; "))) }
}

/// A client of the old revision, with all that it reads prepared.
fn reader(database: &Database<'_>, plan: &Plan) -> Result<(Client, Vec<(String, Statement)>), Trouble> {
    let mut client = database.client();
    client
        .batch_execute(&format!("SET search_path = {}, {}", ident(&plan.old_lens), ident(&plan.home)))
        .map_err(wrong)?;
    let names = client
        .query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'", &[])
        .map_err(wrong)?;
    let mut prepared = Vec::new();
    for row in names {
        let name: String = row.get(0);
        if let Ok(statement) = client.prepare(&format!("SELECT * FROM {}", ident(&name))) {
            prepared.push((name, statement));
        }
    }
    Ok((client, prepared))
}

/// As any tool does, within the transactions that the file names.
fn run_plainly(database: &Database<'_>, migration: &Migration) -> Result<(), String> {
    let mut client = database.client();
    for statement in &migration.statements {
        client.batch_execute(&statement.text).map_err(|why| format!("{}: {why:?}", statement.text))?;
    }
    Ok(())
}

/// Whether a migration runs with the rows that are there.
fn fits(database: &Database<'_>, migration: &Migration) -> bool {
    if migration.statements.iter().any(|statement| statement.alone) {
        return true;
    }
    let mut client = database.client();
    let mut run = || -> Result<(), postgres::Error> {
        let mut transaction = client.transaction()?;
        for statement in migration.statements.iter().filter(|statement| !statement.transaction_control) {
            transaction.batch_execute(&statement.text)?;
        }
        transaction.rollback()
    };
    run().is_ok()
}

/// The rows were the harness's own: without them the history goes on.
fn clear(both: (&Database<'_>, &Database<'_>)) -> Result<(), String> {
    let all = "DO $$ DECLARE names text; BEGIN
        SELECT string_agg(oid::regclass::text, ', ') INTO names FROM pg_class
        WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace;
        IF names IS NOT NULL THEN EXECUTE 'TRUNCATE ' || names || ' CASCADE'; END IF; END $$";
    for database in [both.0, both.1] {
        database.client().batch_execute(all).map_err(|why| why.to_string())?;
    }
    Ok(())
}

/// The history goes on after what was refused.
fn plainly_instead(database: &Database<'_>, _from: &str, migration: &Migration) -> Result<(), String> {
    let mut operator =
        Execution::open(&database.url(), Options::default(), &GO).map_err(|why| why.to_string())?;
    if operator.active().map_err(|why| why.to_string())?.is_some() {
        operator.undo(&mut Nobody).map_err(|why| format!("undo after a fault: {why}"))?;
    }
    run_plainly(database, migration)?;
    operator.adopt(&migration.name, &[]).map_err(|why| why.to_string())
}

fn sow((plain, tandem): (&Database<'_>, &Database<'_>), round: usize) -> Result<(), String> {
    let (mut one, mut two) = (plain.client(), tandem.client());
    let catalog = tandem_postgres::catalog(&mut two).map_err(|why| why.to_string())?;
    let ours = catalog.without_schemas(|schema| schema.starts_with("tandem"));
    rows::sow(&ours, (&mut one, &mut two), round);
    Ok(())
}

fn compare(
    plain: &Database<'_>,
    tandem: &Database<'_>,
    migration: &Migration,
    tally: &mut Tally,
) -> Result<(), String> {
    let (mut one, mut two) = (plain.client(), tandem.client());
    let (one_shape, two_shape) =
        (shape(&mut one).map_err(|why| why.to_string())?, shape(&mut two).map_err(|why| why.to_string())?);
    for difference in one_shape.differences(&two_shape) {
        println!("DIFFERENT {}: {difference}", migration.name);
        tally.wrong += 1;
    }
    let count = |client: &mut Client| -> Result<String, postgres::Error> {
        let names = client.query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1", &[])?;
        let mut all = String::new();
        for row in names {
            let name: String = row.get(0);
            let found: i64 = client.query_one(&format!("SELECT count(*) FROM {}", ident(&name)), &[])?.get(0);
            all.push_str(&format!("{name} {found}, "));
        }
        Ok(all)
    };
    let (one, two) =
        (count(&mut one).map_err(|why| why.to_string())?, count(&mut two).map_err(|why| why.to_string())?);
    if one != two {
        let (plainly, ours) = (tables(plain)?, tables(tandem)?);
        for row in plainly.iter().filter(|row| !ours.contains(row)).take(5) {
            println!("MISSING {}: {row}", migration.name);
        }
        for row in ours.iter().filter(|row| !plainly.contains(row)).take(5) {
            println!("TOO MUCH {}: {row}", migration.name);
        }
        println!("ROWS {}: {one} ≠ {two}", migration.name);
        tally.wrong += 1;
    }
    Ok(())
}

/// All rows as text, with their tables' names.
fn tables(database: &Database<'_>) -> Result<Vec<String>, String> {
    let mut client = database.client();
    let query = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let mut all = Vec::new();
    for row in client.query(query, &[]).map_err(|why| why.to_string())? {
        let name: String = row.get(0);
        let rows = client
            .query(&format!("SELECT t::text FROM {} t", ident(&name)), &[])
            .map_err(|why| why.to_string())?;
        all.extend(rows.iter().map(|row| format!("{name} {}", row.get::<_, String>(0))));
    }
    Ok(all)
}

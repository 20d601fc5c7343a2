//! Migrations that only a command can run: here `psql` stands for a framework, as each test machine has it.

use std::path::{Path, PathBuf};

use tandem_database::{Database, program};

use crate::schema::{Ground, aside, settled};
use crate::stage::Stage;

/// A framework in one line: it keeps a book, and runs what its book does not know.
const FRAMEWORK: &str = "\
set -e
q() { \"$PSQL\" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname \"$DATABASE_URL\" --command \"$1\"; }
q 'CREATE TABLE IF NOT EXISTS alembic_version (version_num text PRIMARY KEY)'
for file in versions/*.sql; do
  name=$(basename \"$file\" .sql)
  at=$(q 'SELECT version_num FROM alembic_version')
  if [ -z \"$at\" ] || [ \"$at\" \\< \"$name\" ]; then
    if [ -z \"$at\" ]; then book=\"INSERT INTO alembic_version VALUES ('$name')\"
    else book=\"UPDATE alembic_version SET version_num = '$name' WHERE version_num = '$at'\"; fi
    q \"BEGIN; $(cat \"$file\"); $book; COMMIT\"
  fi
done
";

async fn with_framework(database: &Database<'_>, keep: &str) -> Stage {
    let psql = program("psql").expect("psql is installed");
    let more = format!(
        "\n[database]\nurl = \"{}\"\nkeep = \"{keep}\"\nmigrate = [\"sh\", \"migrate.sh\"]\ntexts = \"tandem.sql\"\nrows = [\"settings\"]\n",
        database.url()
    );
    let real = database.url();
    Stage::empty(move |setup| {
        setup.more = more;
        setup.env = format!(", PSQL = \"{}\", REAL = \"{real}\"", psql.display());
    })
    .await
}

/// A deliverable whose migrations are run by its own command.
fn deliverable(stage: &Stage, release: &str) -> PathBuf {
    let folder = stage.shop.deliverable(release, release, None).unwrap();
    std::fs::rename(folder.join("db/migrations"), folder.join("versions")).unwrap();
    std::fs::write(folder.join("migrate.sh"), FRAMEWORK).unwrap();
    let second = folder.join("versions/0002_names.sql");
    if let Ok(text) = std::fs::read_to_string(&second) {
        // What a framework would not send: comments. They stand beside it.
        let (texts, statements): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.starts_with("--"));
        std::fs::write(second, statements.join("\n").replace(';', ";\n").trim_end().trim_end_matches(';'))
            .unwrap();
        std::fs::write(folder.join("tandem.sql"), texts.join("\n")).unwrap();
    }
    folder
}

/// The same as an archive.
fn packed(deliverable: &Path) -> PathBuf {
    let archive = deliverable.with_extension("tar.gz");
    let mut tar = std::process::Command::new("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(deliverable).arg(".");
    assert!(tar.status().unwrap().success());
    archive
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_does_becomes_the_schema_of_its_version() {
    let database = Ground::new();
    let stage = with_framework(&database, "0s").await;
    let said = stage.deploy_folder(&deliverable(&stage, "v1"), "v1", &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&format!("{}{}", said.out, said.err)));
    settled(&stage, "0001_orders").await;
    let second = deliverable(&stage, "v2");
    for path in [second.clone(), packed(&second)] {
        let planned = stage.daemon.tandem(&["plan", path.to_str().unwrap()]).await;
        let told = ["0001_orders → 0002_names", "names", "split", "contract"];
        assert!(planned.code == Some(0) && told.iter().all(|one| planned.out.contains(one)), "{planned:?}");
    }
    let load = stage.load(40.0);
    let said = stage.deploy_folder(&second, "v2", &["--strategy", "rolling"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&format!("{}{}", said.out, said.err)));
    settled(&stage, "0002_names").await;
    let verdict = stage.all_is_well(load).await;
    aside(|| stage.ledger(&database).holds(&verdict.acknowledged)).unwrap();
    let book = "DO $$ BEGIN ASSERT (SELECT string_agg(version_num, ',') FROM alembic_version) = '0002_names'; END $$";
    aside(|| database.execute(book));

    // The same again has nothing to do; one that fails is told in its own words.
    let third = deliverable(&stage, "v3");
    let said = stage.deploy_folder(&third, "v3", &[]).await;
    assert!(said.code == Some(0) && !said.out.contains("expanded"), "{}{}", said.out, said.err);
    std::fs::write(third.join("versions/0003_wrong.sql"), "ALTER TABLE nothing ADD COLUMN x int").unwrap();
    let said = stage.deploy_folder(&third, "v4", &[]).await;
    assert!(said.code == Some(1) && said.out.contains("relation \"nothing\" does not exist"), "{}", said.out);
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_a_framework_has_made_is_taken_over() {
    let database = Ground::new();
    let stage = with_framework(&database, "0s").await;
    let first = deliverable(&stage, "v1");
    let made = std::fs::read_to_string(first.join("versions/0001_orders.sql")).unwrap();
    let book = "CREATE TABLE alembic_version (version_num text PRIMARY KEY); INSERT INTO alembic_version VALUES ('0001_orders')";
    aside(|| database.execute(&format!("{made}; {book}")));
    let refused = stage.deploy_folder(&first, "v1", &[]).await;
    assert!(refused.out.contains("`tandem schema adopt --at 0001_orders`"), "{}{}", refused.out, refused.err);
    let adopted = stage.daemon.tandem(&["schema", "adopt"]).await;
    assert_eq!(adopted.code, Some(0), "{}", adopted.err);
    let said = stage.deploy_folder(&first, "v1", &[]).await;
    assert!(said.code == Some(0) && !said.out.contains("expanded"), "{}{}", said.out, said.err);
    settled(&stage, "0001_orders").await;
    stage.daemon.stop().await.unwrap();
}

/// What the new version has written into new columns is still there when it comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_again_after_a_rollback_finds_its_schema() {
    let database = Ground::new();
    let stage = with_framework(&database, "1h").await;
    let second = deliverable(&stage, "v2");
    for (folder, label) in [(&deliverable(&stage, "v1"), "v1"), (&second, "v2")] {
        let said = stage.deploy_folder(folder, label, &[]).await;
        assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&format!("{}{}", said.out, said.err)));
    }
    let back = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(back.code, Some(0), "{}{}", back.out, back.err);
    let said = stage.deploy_folder(&second, "again", &[]).await;
    assert!(said.code == Some(0) && !said.out.contains("undo the schema"), "{}{}", said.out, said.err);
    let status = stage.daemon.tandem(&["status", "--json"]).await.json();
    assert_eq!(status["database"]["standing"]["change"]["to"], "0002_names", "{status}");
    stage.daemon.stop().await.unwrap();
}

/// Goes on where the framework ends: a column is called what a setting says, and once it was looked at the app changes it.
const LOOKING: &str = "\
if [ \"$(q 'SELECT version_num FROM alembic_version')\" \\< 0002_rate ]; then
  prefix=$(q 'SELECT value FROM WATCHED')
  q \"BEGIN; ALTER TABLE orders ADD COLUMN ${prefix}_rate int; UPDATE alembic_version SET version_num = '0002_rate'; COMMIT\"
  DATABASE_URL=$REAL q \"UPDATE WATCHED SET value = 'tax'\"
fi
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_looks_at_rows_of_tables_that_are_named() {
    let database = Ground::new();
    let stage = with_framework(&database, "0s").await;
    let folder = deliverable(&stage, "v1");
    let tables = ["settings", "others"].map(|table| {
        format!("CREATE TABLE {table} (key text PRIMARY KEY, value text); INSERT INTO {table} VALUES ('prefix', 'vat')")
    });
    std::fs::write(folder.join("versions/0001_settings.sql"), tables.join(";")).unwrap();
    let said = stage.deploy_folder(&folder, "v1", &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&format!("{}{}", said.out, said.err)));
    settled(&stage, "0001_settings").await;

    let looking = |table: &str| {
        let script = format!("{FRAMEWORK}{}", LOOKING.replace("WATCHED", table));
        std::fs::write(folder.join("migrate.sh"), script).unwrap();
    };
    looking("others");
    let refused = stage.deploy_folder(&folder, "unnamed", &[]).await;
    assert!(refused.code == Some(1) && refused.out.contains("`rows` of [database]"), "{refused:?}");

    looking("settings");
    let script = std::fs::read_to_string(folder.join("migrate.sh")).unwrap();
    let only: Vec<&str> = script.lines().filter(|line| !line.contains("REAL")).collect();
    std::fs::write(folder.join("migrate.sh"), only.join("\n")).unwrap();
    let planned = stage.daemon.tandem(&["plan", folder.to_str().unwrap(), "--version", "looking"]).await;
    assert!(planned.code == Some(0) && planned.out.contains("orders.vat_rate"), "{planned:?}");
    assert!(planned.err.contains("decided by rows of public.settings (1 row)"), "{planned:?}");

    // What was tried does not fit any more when it is to begin: it is tried anew.
    std::fs::write(folder.join("migrate.sh"), script).unwrap();
    let said = stage.deploy_folder(&folder, "named", &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&format!("{}{}", said.out, said.err)));
    settled(&stage, "0002_rate").await;
    let columns = "DO $$ BEGIN ASSERT (SELECT string_agg(attname, ',') FROM pg_attribute
        WHERE attrelid = 'orders'::regclass AND attname LIKE '%_rate') = 'tax_rate'; END $$";
    aside(|| database.execute(columns));
    assert!(stage.daemon.with_log("").contains("have changed since they were tried: public.settings"));
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_an_archive_are_planned_where_they_stand() {
    let database = Ground::new();
    let more = format!("\n[database]\nurl = \"{}\"\n", database.url());
    let stage = Stage::empty(move |setup| setup.more = more).await;
    let folder = stage.shop.deliverable("v1", "v1", None).unwrap();
    let plan = async |path: &Path| stage.daemon.tandem(&["plan", path.to_str().unwrap()]).await;
    let planned = plan(&packed(&folder)).await;
    assert!(planned.code == Some(0) && planned.out.contains("nothing → 0001_orders"), "{planned:?}");
    std::fs::write(folder.join("db/migrations/0002_wrong.sql"), "ALTER TABLE nothing ADD COLUMN x int")
        .unwrap();
    let archive = packed(&folder);
    let refused = plan(&archive).await;
    let place = archive.join("db/migrations/0002_wrong.sql").display().to_string();
    assert!(refused.code == Some(5) && refused.err.contains(&place), "{refused:?}");
    stage.daemon.stop().await.unwrap();
}

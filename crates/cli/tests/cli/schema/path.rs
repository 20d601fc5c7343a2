//! The way from one revision to the next, with clients of both, and every verb on it.

use std::fs;

use serde_json::json;
use tandem_database::Server;

use super::{FULL_NAME, Stage, USERS, columns};
use crate::tandem;

#[test]
fn two_revisions_are_served_and_each_way_ends_well() {
    let stage = Stage::new(&[("0001_users.sql", USERS)]);
    assert!(stage.done(&["status"]).contains("no revision yet"));
    stage.done(&["start"]);
    stage.done(&["contract"]);
    stage.database.execute("INSERT INTO users VALUES (1, 'ada'), (2, 'bob'); ANALYZE users");
    stage.write("0002_full_name.sql", FULL_NAME);

    let plan = stage.done(&["plan"]);
    for said in ["0001_users → 0002_full_name", "rename column", "backfill", "access exclusive", "by a view"]
    {
        assert!(plan.contains(said), "{said} is not in {plan}");
    }
    assert!(plan.contains("about 2, a second if 100000 rows are filled each second"), "{plan}");
    let (_, told) = stage.ends(0, &["plan", "--to", "0002_full_name"]);
    assert_eq!(told, "");

    let (mut old, mut new) = (stage.client("0001_users"), stage.client("2"));
    let prepared = old.prepare("SELECT * FROM users ORDER BY id").unwrap();
    stage.done(&["start"]);
    stage.done(&["start"]);
    assert_eq!(columns(&mut old, "SELECT * FROM users"), ["id", "name"]);
    assert_eq!(columns(&mut new, "SELECT * FROM users"), ["id", "full_name", "code"]);
    old.execute("INSERT INTO users VALUES (3, 'eve')", &[]).unwrap();
    new.execute("UPDATE users SET full_name = 'Ada' WHERE id = 1", &[]).unwrap();
    let code: String = new.query_one("SELECT code FROM users WHERE id = 3", &[]).unwrap().get(0);
    assert_eq!(code, "EVE");
    let rows = old.query(&prepared, &[]).unwrap();
    assert_eq!((rows.len(), rows[0].get::<_, String>("name")), (3, "Ada".to_owned()));

    let status = stage.json(0, &["status"]);
    assert_eq!(status["change"]["phase"], "mixed");
    assert_eq!(
        (&status["revision"]["name"], &status["pending"]),
        (&json!("0001_users"), &json!(["0002_full_name"]))
    );
    assert!(stage.done(&["status"]).contains("both are served"));
    assert!(stage.done(&["verify"]).contains("every row is ready"));
    stage.ends(5, &["plan"]);

    stage.done(&["undo"]);
    assert_eq!(columns(&mut old, "SELECT * FROM users"), ["id", "name"]);
    stage.ends(5, &["undo"]);
    assert_eq!(
        stage.json(0, &["start"]),
        json!({"from": "0001_users", "to": "0002_full_name", "phase": "mixed"})
    );
    // A client that is known by its name keeps the contract away.
    let (_, told) = stage.ends(5, &["contract"]);
    assert!(told.contains("clients of the old revision are still connected"), "{told}");
    drop(old);
    stage.done(&["contract", "--force"]);
    assert_eq!(columns(&mut new, "SELECT * FROM users"), ["id", "full_name", "code"]);
    let status = stage.json(0, &["status"]);
    assert_eq!((&status["change"], &status["pending"]), (&json!(null), &json!([])));
    assert!(stage.ends(0, &["plan"]).1.contains("nothing is pending"));
    assert_eq!(stage.json(0, &["plan"])["plan"], json!(null));
    assert_eq!(stage.json(0, &["start"])["phase"], "settled");
}

#[test]
fn a_configuration_says_where_the_database_is() {
    let stage = Stage::new(&[]);
    let folder = stage.path().join("sql");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("1_a.sql"), "CREATE TABLE shop.a (id int PRIMARY KEY);").unwrap();
    stage.database.execute("CREATE SCHEMA shop");
    let text = "[database]\nurl = \"env:OWNER\"\nmigrations = \"sql\"\nhome = \"shop\"\n";
    fs::write(stage.path().join("tandem.toml"), text).unwrap();
    let run = |words: &[&str]| {
        let mut command = tandem(&stage.path().join("db"), words);
        command.env_remove("DATABASE_URL").env("OWNER", stage.database.url()).output().unwrap()
    };
    let plan = run(&["schema", "plan", "--json"]);
    assert!(plan.status.success(), "{plan:?}");
    assert!(String::from_utf8_lossy(&plan.stdout).contains("\"home\":\"shop\""));
    let url = run(&["schema", "url", "--revision", "1_a"]);
    assert!(String::from_utf8_lossy(&url.stdout).contains("search_path%3Dtandem_1_a%2Cshop"), "{url:?}");
    fs::write(stage.path().join("tandem.toml"), "[database]\nhoem = 1\n").unwrap();
    let wrong = run(&["schema", "status"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("tandem.toml:2:1: unknown key `hoem`"),
        "{wrong:?}"
    );
}

#[test]
fn a_database_that_another_tool_filled_is_adopted() {
    let stage = Stage::new(&[("0001_users.sql", USERS), ("0002_full_name.sql", FULL_NAME)]);
    stage.database.execute(&format!(
        "{USERS} CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('0001')"
    ));
    let (_, told) = stage.ends(5, &["start"]);
    assert!(told.contains("tandem schema adopt --at 0001_users"), "{told}");
    stage.ends(2, &["adopt", "--at", "0009_nothing"]);
    assert_eq!(stage.json(0, &["adopt"]), json!({"revision": "0001_users", "head": "0001_users"}));
    stage.done(&["adopt"]);
    assert!(stage.done(&["status"]).contains(", adopted"));
    stage.done(&["start"]);
    let (mut old, mut new) = (stage.client("1"), stage.client("2"));
    let head = |client: &mut postgres::Client| -> String {
        client.query_one("SELECT max(version) FROM schema_migrations", &[]).unwrap().get(0)
    };
    assert_eq!(head(&mut old), "0001");
    assert!(["2", "0002"].contains(&head(&mut new).as_str()));
    drop((old, new));
    stage.done(&["contract", "--force"]);
    let (_, told) = stage.ends(5, &["adopt", "--at", "0001_users"]);
    assert!(told.contains("goes forward"), "{told}");
}

#[test]
fn a_role_stands_for_a_revision() {
    let stage = Stage::new(&[("0077_roles.sql", USERS)]);
    let app = format!("app_{}", stage.database.name());
    stage.database.execute(&format!(
        "CREATE ROLE {app}; ALTER ROLE {app} SET lock_timeout = '7s'; GRANT CREATE ON SCHEMA public TO {app};
         ALTER ROLE {app} IN DATABASE {} SET temp_tablespaces = pg_default, pg_global",
        stage.database.name()
    ));
    let role = ["role", "--revision", "0077_roles", "--member-of", &app];
    let printed = stage.done(&[&role[..], &["--print"]].concat());
    assert!(printed.contains("SET search_path = \"tandem_0077_roles\", \"public\";"), "{printed}");
    stage.done(&role);
    stage.done(&role);
    let url = Server::shared().url(stage.database.name()).replace("postgres@", "tandem_0077_roles@");
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("the role connects");
    let path: String = client.query_one("SHOW search_path", &[]).unwrap().get(0);
    assert_eq!(path, "tandem_0077_roles, public");
    // It acts as the app's role, with what that has set, and so owns nothing of what it makes: also when the session is reset.
    let seen = "SELECT concat_ws('; ', current_user, current_setting('lock_timeout'), current_setting('temp_tablespaces'))";
    for reset in ["", "RESET ROLE", "DISCARD ALL"] {
        client.batch_execute(reset).unwrap();
        let seen: String = client.query_one(seen, &[]).unwrap().get(0);
        assert_eq!(seen, format!("{app}; 7s; pg_default, pg_global"), "after `{reset}`");
    }
    client.batch_execute("CREATE TABLE made ()").unwrap();
    let owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'made'";
    assert_eq!(client.query_one(owner, &[]).unwrap().get::<_, String>(0), app);
    drop(client);
    stage
        .database
        .execute(&format!("DROP OWNED BY tandem_0077_roles, {app}; DROP ROLE tandem_0077_roles, {app}"));
}

#[test]
fn urls_have_the_forms_of_drivers() {
    let stage = Stage::new(&[("0001_users.sql", USERS)]);
    let jdbc = stage.done(&["url", "--revision", "1", "--form", "jdbc"]);
    assert!(jdbc.starts_with("jdbc:postgresql://127.0.0.1:"), "{jdbc}");
    assert!(jdbc.contains("?currentSchema=tandem_0001_users,public&user=postgres"), "{jdbc}");
    let (_, told) = stage.ends(5, &["url", "--revision", "1", "--form", "prisma"]);
    assert!(told.contains("names = \"qualified\""), "{told}");
    // Whose names are qualified gets a schema with everything in it.
    stage.done(&["start", "--qualified"]);
    stage.done(&["contract", "--qualified"]);
    let url = stage.done(&["url", "--qualified", "--revision", "1", "--form", "prisma"]);
    assert!(url.trim_end().ends_with("&schema=tandem_0001_users"), "{url}");
    stage.database.execute("SELECT id, name FROM tandem_0001_users.users");
    stage.ends(2, &["url", "--revision", "0002"]);
}

#[test]
fn every_verb_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for verb in
        ["plan", "start", "resume", "pause", "status", "verify", "contract", "undo", "adopt", "url", "role"]
    {
        let help = tandem(folder.path(), &["schema", verb, "--help"]).output().unwrap();
        let text = String::from_utf8_lossy(&help.stdout);
        assert!(help.status.success() && text.contains(&format!("tandem schema {verb}")), "{verb}: {text}");
    }
}

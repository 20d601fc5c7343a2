//! Roles of revisions: made whole or not at all, found by their mark, removed with what they own given away.

use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use tandem_database::{Database, Server};
use tandem_postgres::{connect, role};

const PATIENCE: Duration = Duration::from_secs(60);

/// Two roles beside a database: an owner that is no superuser, as whom one connects, and the app.
struct Ground {
    database: Database<'static>,
    owner: String,
    app: String,
    /// What the names of roles end in.
    mark: String,
}

impl Ground {
    fn new() -> Ground {
        let database = Server::shared().database();
        let name = database.name();
        let (owner, app, mark) = (format!("owner_{name}"), format!("app_{name}"), format!("m{name}"));
        database.execute(&format!(
            "CREATE ROLE {owner} LOGIN CREATEROLE; CREATE ROLE {app}; GRANT {app} TO {owner} WITH ADMIN OPTION;
             ALTER DATABASE {name} OWNER TO {owner}"
        ));
        Ground { database, owner, app, mark }
    }

    fn url(&self, role: &str) -> String {
        self.database.url().replace("postgres@", &format!("{role}@"))
    }

    fn client(&self) -> Client {
        connect(&self.url(&self.owner)).unwrap()
    }

    fn role(&self) -> String {
        format!("one_{}", self.mark)
    }

    fn made(&self, client: &mut Client) {
        let (role, app) = (self.role(), &self.app);
        let statements = [format!("CREATE ROLE {role} LOGIN"), format!("GRANT {app} TO {role}")];
        role::make(client, &statements).unwrap_or_else(|why| panic!("{why}"));
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let name = self.database.name();
        let (owner, app) = (&self.owner, &self.app);
        self.database.execute(&format!(
            "ALTER DATABASE {name} OWNER TO postgres; DROP OWNED BY {owner}, {app}; DROP ROLE {owner}, {app}"
        ));
    }
}

#[test]
fn all_statements_take_effect_or_none() {
    let ground = Ground::new();
    let mut client = ground.client();
    let statements =
        [format!("CREATE ROLE {}", ground.role()), "GRANT nobody_at_all TO nobody_else".to_owned()];
    assert!(role::make(&mut client, &statements).is_err());
    assert_eq!(role::unused(&mut client, &ground.mark).unwrap(), Vec::<String>::new());
    ground.made(&mut client);
    assert_eq!(role::unused(&mut client, &ground.mark).unwrap(), [ground.role()]);
    role::remove(&mut client, &ground.role(), &ground.app).unwrap();
}

#[test]
fn what_a_role_owns_is_its_heirs_when_it_goes() {
    let ground = Ground::new();
    let mut client = ground.client();
    ground.made(&mut client);
    let (role, owner) = (ground.role(), &ground.owner);
    ground
        .client()
        .batch_execute(&format!("CREATE SCHEMA yard; GRANT CREATE, USAGE ON SCHEMA yard TO {role}"))
        .unwrap();
    let mut own = Client::connect(&ground.url(&role), NoTls).unwrap();
    own.batch_execute(&format!("CREATE TABLE yard.box (id int); GRANT SELECT ON yard.box TO {owner}"))
        .unwrap();
    assert_eq!(role::unused(&mut client, &ground.mark).unwrap(), Vec::<String>::new(), "it has a session");
    // A session ends a while after its client has.
    drop(own);
    let begun = Instant::now();
    while role::unused(&mut client, &ground.mark).unwrap().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the session does not end");
        std::thread::yield_now();
    }
    role::remove(&mut client, &role, &ground.app).unwrap_or_else(|why| panic!("{why}"));
    let row = ground.database.client().query_one(
        "SELECT pg_get_userbyid(relowner)::text, (SELECT count(*) FROM pg_roles WHERE rolname = $1) \
         FROM pg_class WHERE relname = 'box'",
        &[&role],
    );
    let row = row.unwrap();
    assert_eq!((row.get::<_, String>(0), row.get::<_, i64>(1)), (ground.app.clone(), 0));
    // Once more: it is gone already.
    role::remove(&mut client, &role, &ground.app).unwrap();
}

#[test]
fn whoever_connects_is_told_as_whom_and_where() {
    let ground = Ground::new();
    ground.made(&mut ground.client());
    let (role, name) = (ground.role(), ground.database.name());
    ground.database.execute(&format!("ALTER ROLE {role} IN DATABASE {name} SET search_path = yard, public"));
    let url = ground.url(&role);
    assert_eq!(role::user(&url).unwrap(), Some(role.clone()));
    let found = role::find(&url).unwrap();
    assert_eq!((found.user, found.path.as_str()), (role.clone(), "yard, public"));
    role::remove(&mut ground.client(), &role, &ground.app).unwrap();
}

//! What a role may not do is told before anything is begun.

use tandem_postgres::{Execution, Options};

use crate::house::{GO, House, quiet};

#[test]
fn a_role_that_does_not_own_the_tables_begins_nothing() {
    let house = House::new(10, &["id"]);
    let name = house.database.name();
    let other = format!("other_{name}");
    house.database.execute(&format!("CREATE ROLE {other} LOGIN"));
    let url = house.database.url().replace("postgres@", &format!("{other}@"));
    let refused = Execution::open(&url, Options::default(), &GO).err().unwrap().to_string();
    assert!(refused.contains(&format!("GRANT CREATE ON DATABASE \"{name}\" TO \"{other}\"")), "{refused}");

    house.database.execute(&format!("GRANT CREATE ON DATABASE {name} TO {other}"));
    let refused = Execution::open(&url, Options::default(), &GO).err().unwrap().to_string();
    assert!(refused.contains("postgres made it") && refused.contains("GRANT"), "{refused}");

    let grant =
        format!("GRANT ALL ON ALL TABLES IN SCHEMA tandem TO {other}; GRANT USAGE ON SCHEMA app TO {other}");
    house.database.execute(&grant);
    let mut execution = Execution::open(&url, Options::default(), &GO).unwrap();
    let mut plan = house.plan.clone();
    plan.before = tandem_postgres::execution::shape(&mut house.database.client()).unwrap();
    let refused = execution.start(&plan, &mut quiet()).unwrap_err().to_string();
    assert!(refused.contains("change app.users, which it does not own"), "{refused}");
    assert!(refused.contains("connect as postgres"), "{refused}");
    assert!(execution.active().unwrap().is_none(), "something was begun");
    drop(execution);
    house.database.execute(&format!("DROP OWNED BY {other} CASCADE; DROP ROLE {other}"));
}

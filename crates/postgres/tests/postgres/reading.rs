//! A rich schema is read: each class once, in PostgreSQL's words.

use tandem_database::{Database, Server};
use tandem_postgres::{catalog, connect};
use tandem_schema::model::{Catalog, Kind, Object, Oid, Relation, RelationKind};
use tandem_schema::name::Name;

/// Something of everything.
pub(crate) const RICH: &str = include_str!("rich.sql");

fn read(database: &Database<'_>) -> Catalog {
    catalog(&mut connect(&database.url()).unwrap()).unwrap()
}

fn rich() -> Catalog {
    let database = Server::shared().database();
    database.execute(RICH);
    read(&database)
}

fn relation<'a>(catalog: &'a Catalog, name: &str) -> (Oid, &'a Relation) {
    catalog.relation(&Name::new("public", name)).unwrap_or_else(|| panic!("no {name}"))
}

fn object<'a>(catalog: &'a Catalog, kind: Kind, name: &str) -> (Oid, &'a Object) {
    let found = catalog.objects.iter().find(|((of, _), object)| *of == kind && object.name.name == name);
    found.map(|((_, oid), object)| (*oid, object)).unwrap_or_else(|| panic!("no {kind:?} {name}"))
}

#[test]
fn tables_have_their_columns() {
    let catalog = rich();
    let (_, users) = relation(&catalog, "users");
    let names: Vec<&str> = users.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "name", "mail", "mood", "moods", "both", "note", "number", "loud"]);
    let name = users.named("name").unwrap();
    assert_eq!((name.number, name.type_name.as_str(), name.not_null), (3, "character varying(100)", true));
    assert_eq!(name.collation.as_deref(), Some("pg_catalog.\"C\""));
    assert_eq!(name.storage, "STATISTICS 500");
    assert_eq!(name.privileges.as_deref(), Some(&["=r/postgres".to_owned()][..]));
    assert_eq!(name.comment.as_deref(), Some("how they are called"));
    assert_eq!(users.named("mood").unwrap().type_name, "\"my app\".mood");
    assert_eq!(users.named("id").unwrap().identity.as_deref(), Some("a"));
    assert!(users.named("loud").unwrap().generated);
    assert_eq!(
        users.named("number").unwrap().default.as_deref(),
        Some("nextval('public.counter'::regclass)")
    );
    assert_eq!(users.options, ["fillfactor=80", "toast.autovacuum_enabled=off"]);
    assert_eq!(users.row_security, (true, false));
    assert_eq!(users.comment.as_deref(), Some("people"));
    let (_, posts) = relation(&catalog, "posts");
    assert_eq!((posts.privileges.as_ref(), posts.owner.as_str()), (None, "postgres"));
}

#[test]
fn views_partitions_and_children_say_what_they_need() {
    let catalog = rich();
    let (users, _) = relation(&catalog, "users");
    let (loud, view) = relation(&catalog, "loud_users");
    let (add, _) = object(&catalog, Kind::Routine, "add");
    assert!(
        view.query.starts_with("SELECT") && !view.query.ends_with(';') && view.query.contains("public.users")
    );
    assert!(view.needs.contains(&users) && view.needs.contains(&add), "{:?}", view.needs);
    assert_eq!(relation(&catalog, "louder").1.needs, [loud].into());
    let (events, parent) = relation(&catalog, "events");
    assert_eq!(
        (parent.kind, parent.partition_key.as_deref()),
        (RelationKind::Partitioned, Some("RANGE (at)"))
    );
    let (_, rest) = relation(&catalog, "events_rest");
    assert_eq!(rest.partition_of, Some((events, "DEFAULT".to_owned())));
    assert!(rest.inherits.is_empty());
    let (base, _) = relation(&catalog, "base");
    assert_eq!(relation(&catalog, "derived").1.inherits, [base]);
    let (sequence, _) = object(&catalog, Kind::Sequence, "counter");
    let (mood, _) = object(&catalog, Kind::Enum, "mood");
    let (pair, _) = object(&catalog, Kind::Composite, "pair");
    assert!(relation(&catalog, "users").1.needs.is_superset(&[sequence, mood, pair].into()));
}

#[test]
fn what_a_partition_has_from_its_parent_needs_the_parents() {
    let catalog = rich();
    let (parent, _) = relation(&catalog, "events");
    let (child, _) = relation(&catalog, "events_2024");
    for kind in [Kind::PrimaryKey, Kind::Check, Kind::Index, Kind::Trigger] {
        let of = |relation| catalog.on(relation).find(|(found, _, _)| *found == kind).unwrap();
        let ((_, theirs, _), (_, _, own)) = (of(parent), of(child));
        assert!(own.needs.contains(&theirs), "{kind:?}: {:?} lacks {theirs}", own.needs);
    }
}

#[test]
fn objects_are_told_in_postgresqls_words() {
    let catalog = rich();
    let told = |kind, name: &str| {
        let (_, found) = object(&catalog, kind, name);
        (found.identity.clone(), found.definition.clone(), found.state.clone())
    };
    let owned =
        |identity: &str, definition: &str, state: &str| (identity.into(), definition.into(), state.into());
    assert_eq!(told(Kind::Enum, "mood"), owned("\"my app\".\"mood\"", "'sad', 'it''s ok', 'happy'", ""));
    assert_eq!(told(Kind::Composite, "pair").1, "(a integer, \"B\" text COLLATE \"C\")");
    assert_eq!(
        told(Kind::Domain, "email").1,
        "public.citext COLLATE \"C\" DEFAULT 'x@y'::public.citext NOT NULL CONSTRAINT has_at \
         CHECK ((VALUE OPERATOR(public.~~) '%@%'::public.citext))"
    );
    assert_eq!(
        told(Kind::Sequence, "counter").1,
        "AS integer START WITH 5 INCREMENT BY 2 MINVALUE 1 MAXVALUE 99 CACHE 1 CYCLE"
    );
    assert_eq!(told(Kind::Sequence, "users_id_seq").2, "identity");
    assert_eq!(told(Kind::Check, "note_is_long").2, "not valid");
    assert_eq!(told(Kind::Trigger, "untouched").2, "disabled");
    assert_eq!(told(Kind::Routine, "add").0, "\"public\".\"add\"(integer, integer)");
    assert_eq!(
        told(Kind::Policy, "own").1,
        "AS RESTRICTIVE FOR UPDATE TO PUBLIC USING ((number > 1)) WITH CHECK ((number > 2))"
    );
    let (users, table) = relation(&catalog, "users");
    let numbers =
        |names: &[&str]| -> Vec<i16> { names.iter().map(|name| table.named(name).unwrap().number).collect() };
    let (_, unique) = object(&catalog, Kind::Unique, "name_is_unique");
    assert_eq!((unique.on, unique.columns.clone()), (Some(users), numbers(&["name", "number"])));
    let (_, index) = object(&catalog, Kind::Index, "users_by_mail");
    assert_eq!(index.columns, numbers(&["note", "number", "mail"]));
    assert_eq!(index.comment.as_deref(), Some("for logins"));
    let (_, key) = object(&catalog, Kind::ForeignKey, "posts_author_fkey");
    assert_eq!(
        (key.references, key.definition.as_str()),
        (Some(users), "FOREIGN KEY (author) REFERENCES public.users(id) ON DELETE CASCADE DEFERRABLE")
    );
    let (_, serial) = object(&catalog, Kind::Sequence, "serials_id_seq");
    let (serials, _) = relation(&catalog, "serials");
    assert_eq!(
        (serial.on, serial.columns.as_slice(), serial.needs.is_empty()),
        (Some(serials), &[1_i16][..], true)
    );
    let (_, add) = object(&catalog, Kind::Routine, "add");
    assert_eq!(add.privileges.as_deref(), Some(&["postgres=X/postgres".to_owned()][..]));
}

#[test]
fn only_what_is_somebodys_is_read() {
    let catalog = rich();
    let of = |kind| -> Vec<&str> {
        let found = catalog.objects.iter().filter(|((of, _), _)| *of == kind);
        let mut names: Vec<&str> = found.map(|(_, object)| object.name.name.as_str()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(of(Kind::Schema), ["my app", "public", "tandem_0001"]);
    assert_eq!(of(Kind::Extension), ["btree_gist", "citext", "plpgsql"]);
    assert_eq!(of(Kind::Routine), ["add", "noted", "nothing", "on_ddl", "touch"]);
    assert_eq!(of(Kind::Exclusion), ["posts_author_during_excl"]);
    assert_eq!(of(Kind::Rule), ["no_delete"]);
    assert_eq!(of(Kind::Statistics), ["users_statistics"]);
    let mut words: Vec<&str> = catalog
        .objects
        .iter()
        .filter(|((kind, _), _)| *kind == Kind::Other)
        .map(|(_, object)| object.word.as_str())
        .collect();
    words.sort_unstable();
    assert_eq!(
        words,
        [
            "aggregate",
            "cast",
            "collation",
            "default acl",
            "event trigger",
            "operator",
            "publication",
            "text search configuration",
        ]
    );
    assert!(catalog.relations.values().all(|relation| relation.name.schema != "tandem"));
}

#[test]
fn sizes_are_summed_up_over_partitions_and_rewrites_are_seen() {
    let database = Server::shared().database();
    database.execute(
        "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
         CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p SELECT 1 + n % 2 FROM generate_series(1, 1000) n;
         ANALYZE p1; ANALYZE p2",
    );
    let before = read(&database);
    let (_, parent) = relation(&before, "p");
    assert_eq!(parent.rows, 1000);
    assert!(parent.bytes >= 16384);
    database.execute("ALTER TABLE p ADD COLUMN b int DEFAULT 7; ALTER TABLE p1 RENAME TO p3");
    database.execute("VACUUM FULL p2");
    let after = read(&database);
    let (oid, renamed) = relation(&after, "p3");
    assert_eq!(
        (before.relations[&oid].name.name.as_str(), renamed.storage),
        ("p1", before.relations[&oid].storage)
    );
    assert_eq!(renamed.named("b").unwrap().given.as_deref(), Some("'7'"));
    assert_ne!(relation(&after, "p2").1.storage, relation(&before, "p2").1.storage);
}

#[test]
fn the_callers_search_path_is_kept() {
    let database = Server::shared().database();
    let mut client = database.client();
    client
        .batch_execute("SET search_path = public, pg_temp; CREATE TABLE t (a int); CREATE VIEW v AS TABLE t")
        .unwrap();
    let read = catalog(&mut client).unwrap();
    assert!(relation(&read, "v").1.query.contains("public.t"));
    let path: String = client.query_one("SHOW search_path", &[]).unwrap().get(0);
    assert_eq!(path, "public, pg_temp");
}

#[test]
fn lenses_are_left_out_on_demand() {
    let catalog = rich();
    let without = catalog.without_schemas(|schema| schema.starts_with("tandem_"));
    assert!(catalog.relation(&Name::new("tandem_0001", "users")).is_some());
    assert!(without.relation(&Name::new("tandem_0001", "users")).is_none());
    assert_eq!(without.relations.len() + 1, catalog.relations.len());
    assert_eq!(without.objects.len() + 1, catalog.objects.len());
}

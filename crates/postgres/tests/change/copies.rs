//! Rows of an old table copied into a new one, and kept in step while both versions write.

use crate::Case;
use crate::refused;
use crate::stage::CASE;

const USERS: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, bio text, email text);
    INSERT INTO users (name, bio, email)
    SELECT 'N' || i, 'bio ' || i, CASE WHEN i % 2 = 0 THEN 'm' || i END FROM generate_series(1, 300) i";

#[test]
fn a_table_gets_a_second_one_beside_it() {
    for large in [false, true] {
        Case {
            before: USERS,
            migration: "CREATE TABLE emails (id serial PRIMARY KEY, user_id int NOT NULL UNIQUE, email varchar NOT NULL, verified boolean NOT NULL DEFAULT false);
                INSERT INTO emails (user_id, email) SELECT id, email FROM users AS u WHERE u.email IS NOT NULL",
            old: &[
                "SELECT * FROM users WHERE id = $1",
                "INSERT INTO users (name, email) VALUES ('Old', 'o' || $1::text)",
                "INSERT INTO users (name) VALUES ('Old ' || $1::text)",
                "UPDATE users SET email = 'later' WHERE id = 1 + $1::int % 50",
                "UPDATE users SET email = NULL WHERE id = 51 + $1::int % 50",
                "DELETE FROM users WHERE id = 101 + $1::int % 50",
            ],
            new: &[
                "SELECT * FROM emails WHERE user_id = $1",
                "UPDATE emails SET verified = true WHERE user_id = 1 + $1::int % 50",
                "UPDATE emails SET email = 'new', verified = true WHERE user_id = 201 + $1::int % 50",
            ],
            old_sees: &[("SELECT count(*) FROM users WHERE email LIKE 'new%'", "(0)")],
            new_sees: &[
                ("SELECT count(*) > 0 FROM emails WHERE email = 'later'", "(t)"),
                ("SELECT count(*) > 0 FROM emails WHERE user_id <= 50 AND verified", "(t)"),
                ("SELECT count(*) > 0 FROM emails WHERE email LIKE 'o%'", "(t)"),
                ("SELECT count(*) FROM emails WHERE user_id BETWEEN 251 AND 300", "(25)"),
                ("SELECT count(*) FROM users u FULL JOIN emails e ON user_id = u.id WHERE e.email IS DISTINCT FROM u.email AND e.email NOT LIKE 'new%'", "(0)"),
                ("SELECT count(*) FROM users u LEFT JOIN emails e ON user_id = u.id WHERE e.email IS NULL AND u.email IS NOT NULL", "(0)"),
            ],
            large,
            ..CASE
        }
        .run();
    }
}

/// The column goes, so that what either side writes is seen by the other; both write the same rows.
#[test]
fn a_column_moves_to_a_table_of_its_own() {
    for large in [false, true] {
        Case {
            before: USERS,
            migration: "CREATE TABLE profiles (user_id int PRIMARY KEY REFERENCES users ON DELETE CASCADE, bio text, title text NOT NULL DEFAULT '');
                INSERT INTO profiles (user_id, bio) SELECT id, bio FROM users;
                ALTER TABLE users DROP COLUMN bio",
            old: &[
                "SELECT * FROM users WHERE id = $1",
                "INSERT INTO users (name, bio) VALUES ('Old', 'old ' || $1::text)",
                "UPDATE users SET bio = 'old ' || $1::text WHERE id = 1 + $2::int % 20",
                "UPDATE users SET name = name || '' WHERE id = 1 + $1::int % 20",
                "DELETE FROM users WHERE id = 201 + $1::int % 50",
            ],
            new: &[
                "SELECT * FROM profiles WHERE user_id = $1",
                "UPDATE profiles SET bio = 'new ' || $1::text WHERE user_id = 1 + $2::int % 20",
                "WITH u AS (INSERT INTO users (name) VALUES ('New') RETURNING id) INSERT INTO profiles (user_id, bio) SELECT id, 'given' FROM u",
                "UPDATE profiles SET bio = 'moved' WHERE user_id = 101 + $1::int % 50",
                "DELETE FROM profiles WHERE user_id = 151 + $1::int % 50",
                "UPDATE users SET name = name || '' WHERE id = 1 + $1::int % 20",
            ],
            old_sees: &[
                ("SELECT count(*) FROM users u JOIN profiles p ON user_id = id WHERE u.bio IS DISTINCT FROM p.bio", "(0)"),
                ("SELECT count(*) > 0 FROM users WHERE id BETWEEN 101 AND 150 AND bio = 'moved'", "(t)"),
                ("SELECT DISTINCT bio FROM users WHERE name = 'New'", "(given)"),
                ("SELECT count(*) FROM users WHERE id BETWEEN 151 AND 200 AND bio IS NOT NULL AND id NOT IN (SELECT user_id FROM profiles)", "(0)"),
            ],
            new_sees: &[
                ("SELECT count(*) FROM profiles WHERE bio = 'given' AND user_id NOT IN (SELECT id FROM users WHERE name = 'New')", "(0)"),
                ("SELECT count(*) < 50 FROM profiles WHERE user_id BETWEEN 151 AND 200", "(t)"),
                ("SELECT count(*) > 0 FROM profiles WHERE user_id > 300 AND bio LIKE 'old %'", "(t)"),
                ("SELECT count(*) FROM profiles WHERE user_id BETWEEN 251 AND 300", "(50)"),
                ("SELECT count(*) FROM users WHERE id BETWEEN 201 AND 300 AND id NOT IN (SELECT user_id FROM profiles)", "(0)"),
            ],
            undone_sees: &[("SELECT count(*) > 0 FROM users WHERE id BETWEEN 101 AND 150 AND bio = 'moved'", "(t)")],
            large,
            ..CASE
        }
        .run();
    }
}

/// Each side adds to the same rows: whoever came second saw what the first one wrote.
#[test]
fn no_update_is_lost_between_two_tables() {
    Case {
        before: "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, hits int NOT NULL DEFAULT 0, bio text);
            INSERT INTO users (name) SELECT 'N' || i FROM generate_series(1, 3) i; CREATE TABLE news (n bigint)",
        migration: "CREATE TABLE stats (user_id int NOT NULL, hits int NOT NULL, bio text); CREATE UNIQUE INDEX stats_of ON stats (user_id);
            INSERT INTO stats SELECT id, hits, upper(bio) FROM users; ALTER TABLE users DROP COLUMN hits",
        old: &["UPDATE users SET bio = 'b' || $1::text WHERE id = 1 + $2::int % 3"],
        new: &[
            "WITH done AS (UPDATE stats SET hits = hits + 1 WHERE user_id = 1 + $1::int % 3) INSERT INTO news VALUES ($2)",
        ],
        undone_sees: &[("SELECT (SELECT sum(hits) FROM users) = (SELECT count(*) FROM news)", "(t)")],
        old_sees: &[
            ("SELECT count(*) FROM users u JOIN stats s ON user_id = id WHERE upper(u.bio) <> s.bio", "(0)"),
        ],
        new_sees: &[("SELECT (SELECT sum(hits) FROM stats) = (SELECT count(*) FROM news)", "(t)")],
        ..CASE
    }
    .run();
}

/// As vaultwarden did it: a flag becomes a row of a table with a key of two columns.
#[test]
fn a_flag_becomes_rows() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE ciphers (uuid varchar(40) PRIMARY KEY, user_uuid varchar(40), favorite boolean NOT NULL);
                INSERT INTO ciphers SELECT 'c' || i, CASE WHEN i > 10 THEN 'u' || i % 7 END, i % 2 = 0 FROM generate_series(1, 200) i",
            migration: "CREATE TABLE favorites (user_uuid varchar(40) NOT NULL, cipher_uuid varchar(40) NOT NULL REFERENCES ciphers(uuid), PRIMARY KEY (user_uuid, cipher_uuid));
                INSERT INTO favorites(user_uuid, cipher_uuid) SELECT user_uuid, uuid FROM ciphers WHERE favorite = TRUE AND user_uuid IS NOT NULL;
                -- @down ciphers.favorite: EXISTS (SELECT FROM favorites f WHERE f.user_uuid = ciphers.user_uuid AND f.cipher_uuid = ciphers.uuid)
                ALTER TABLE ciphers DROP COLUMN favorite",
            old: &[
                "INSERT INTO ciphers VALUES ('o' || $1::text, 'u1', true)",
                "UPDATE ciphers SET favorite = NOT favorite WHERE uuid = 'c' || (11 + $1::int % 40)",
                "UPDATE ciphers SET user_uuid = 'moved' WHERE uuid = 'c' || (51 + $1::int % 40)",
                "DELETE FROM ciphers WHERE uuid = 'c' || (91 + $1::int % 40)",
            ],
            new: &[
                "INSERT INTO ciphers VALUES ('n' || $1::text, 'u2')",
                "INSERT INTO favorites VALUES ('u' || (131 + $1::int % 20) % 7, 'c' || (131 + $1::int % 20)) ON CONFLICT DO NOTHING",
                "DELETE FROM favorites WHERE cipher_uuid = 'c' || (151 + $1::int % 40)",
            ],
            old_sees: &[
                ("SELECT count(*) FROM ciphers WHERE uuid LIKE 'n%' AND favorite", "(0)"),
                ("SELECT count(*) > 0 FROM ciphers WHERE uuid LIKE 'o%' AND favorite", "(t)"),
                ("SELECT count(*) FROM ciphers c WHERE user_uuid IS NOT NULL AND favorite <> EXISTS (SELECT FROM favorites f WHERE f.user_uuid = c.user_uuid AND cipher_uuid = uuid)", "(0)"),
            ],
            new_sees: &[
                ("SELECT count(*) > 0 FROM favorites WHERE user_uuid = 'moved'", "(t)"),
                ("SELECT count(*) FROM favorites f WHERE NOT EXISTS (SELECT FROM ciphers c WHERE f.user_uuid = c.user_uuid AND cipher_uuid = uuid)", "(0)"),
                ("SELECT count(*) > 0 FROM favorites WHERE cipher_uuid LIKE 'o%'", "(t)"),
            ],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn a_column_goes_whose_default_stands_for_no_copy() {
    Case {
        before: "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, theme text NOT NULL DEFAULT 'light');
            INSERT INTO users (name, theme) SELECT 'N' || i, 'dark' FROM generate_series(1, 100) i",
        migration: "ALTER TABLE users RENAME COLUMN id TO user_id; CREATE TABLE settings (key text PRIMARY KEY, of_user int, theme text NOT NULL, since timestamptz DEFAULT now());
            INSERT INTO settings (key, of_user, theme) SELECT 'u' || user_id AS key, user_id uid, theme FROM users u; ALTER TABLE users DROP COLUMN theme",
        old: &[
            "INSERT INTO users (name) VALUES ('Old ' || $1::text)",
            "UPDATE users SET theme = 'blue' WHERE id = 1 + $1::int % 10",
        ],
        new: &[
            "INSERT INTO users (name) VALUES ('New')",
            "UPDATE settings SET theme = 'red' WHERE of_user = 41 + $1::int % 10",
            "DELETE FROM settings WHERE of_user = 21 + $1::int % 10",
        ],
        old_sees: &[
            ("SELECT DISTINCT theme FROM users WHERE name = 'New'", "(light)"),
            ("SELECT DISTINCT theme FROM users WHERE id BETWEEN 41 AND 60", "(dark) (red)"),
            ("SELECT DISTINCT theme FROM users WHERE id BETWEEN 21 AND 40", "(dark) (light)"),
        ],
        new_sees: &[
            ("SELECT DISTINCT theme FROM settings WHERE of_user <= 20", "(blue) (dark)"),
            ("SELECT DISTINCT theme FROM settings WHERE of_user > 100", "(light)"),
        ],
        ..CASE
    }
    .run();
}

/// As langfuse did it: each row gets a row above it, and refers to it.
#[test]
fn a_row_refers_to_its_own_copy() {
    Case {
        before: "CREATE TABLE projects (id text PRIMARY KEY, name text NOT NULL, config jsonb);
            INSERT INTO projects SELECT 'p' || i, 'N' || i, '{}' FROM generate_series(1, 100) i",
        migration: "CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL, config jsonb);
            INSERT INTO organizations (id, name, config) SELECT CONCAT('o', id) AS id, name, config FROM projects;
            ALTER TABLE projects DROP COLUMN config;
            ALTER TABLE projects ADD COLUMN org_id text; UPDATE projects SET org_id = CONCAT('o', id);
            ALTER TABLE projects ALTER COLUMN org_id SET NOT NULL;
            ALTER TABLE projects ADD CONSTRAINT of_org FOREIGN KEY (org_id) REFERENCES organizations (id) ON DELETE CASCADE",
        old: &[
            "INSERT INTO projects VALUES ('old' || $1::text, 'Old', '{}')",
            "UPDATE projects SET config = '[1]' WHERE id = 'p' || (1 + $1::int % 10)",
        ],
        new: &[
            "SELECT * FROM projects JOIN organizations o ON o.id = org_id WHERE projects.id = 'p' || $1::text",
            "UPDATE organizations SET config = '[2]' WHERE id = 'op' || (21 + $1::int % 10)",
        ],
        old_sees: &[
            ("SELECT count(*) > 0 FROM projects WHERE config = '[2]'", "(t)"),
            ("SELECT count(*) FROM projects p LEFT JOIN organizations o ON o.id = 'o' || p.id WHERE o.config IS DISTINCT FROM p.config", "(0)"),
        ],
        new_sees: &[
            ("SELECT count(*) > 0 FROM organizations WHERE config = '[1]'", "(t)"),
            ("SELECT count(*) FROM projects p LEFT JOIN organizations o ON o.id = org_id WHERE o.id IS NULL", "(0)"),
        ],
        ..CASE
    }
    .run();
}

/// A table may be made of what it holds; the columns of its copies may be made later.
#[test]
fn a_table_is_made_of_another_ones_rows() {
    Case {
        before: USERS,
        migration: "CREATE TABLE counts (of_user text PRIMARY KEY, twice text, label varchar(40) NOT NULL);
            INSERT INTO counts SELECT id + 0, id * 2, upper(name) FROM users;
            CREATE TABLE bios AS SELECT id, bio AS text FROM users;
            ALTER TABLE bios ADD PRIMARY KEY (id), ADD COLUMN likes int NOT NULL DEFAULT 0",
        old: &[
            "INSERT INTO users (name, bio) VALUES ('Old', 'old')",
            "UPDATE users SET bio = 'changed', name = 'x' || $2::text WHERE id = 1 + $1::int % 10",
        ],
        new: &["UPDATE bios SET likes = likes + 1 WHERE id = 1 + $1::int % 10"],
        new_sees: &[
            (
                "SELECT count(*) FROM users u LEFT JOIN bios b USING (id) WHERE b.text IS DISTINCT FROM bio",
                "(0)",
            ),
            ("SELECT count(*) FROM users u LEFT JOIN counts ON of_user = id::text WHERE twice IS DISTINCT FROM (id * 2)::text OR label IS DISTINCT FROM upper(name)", "(0)"),
            ("SELECT sum(likes) > 0 FROM bios WHERE text = 'changed'", "(t)"),
        ],
        ..CASE
    }
    .run();
    let refusals = refused(USERS, "CREATE TABLE bios AS SELECT id, bio FROM users");
    assert_eq!((refusals.len(), refusals[0].code.as_str()), (1, "copied-rows"));
}

#[test]
fn copies_that_can_not_be_kept_in_step() {
    let before = "CREATE TABLE teams (id int PRIMARY KEY);
        CREATE TABLE users (id serial PRIMARY KEY, name text, team int, token text, age bigint NOT NULL)";
    let cases = [
        ("n text", "SELECT name FROM users", "no unique key"),
        ("token text PRIMARY KEY", "SELECT token FROM users", "no unique key"),
        ("id int PRIMARY KEY", "SELECT max(id) FROM users GROUP BY name", "row by row"),
        ("id int PRIMARY KEY", "SELECT u.id FROM users u JOIN teams t ON t.id = team", "row by row"),
        ("id int PRIMARY KEY, n text NOT NULL", "SELECT id, name FROM users", "gives NULL there"),
        ("id int PRIMARY KEY, n varchar(3)", "SELECT id, name FROM users", "can't hold all"),
        ("id int PRIMARY KEY, n text UNIQUE", "SELECT id, name FROM users", "p_n_key of p may refuse"),
        (
            "id int PRIMARY KEY, t int REFERENCES teams",
            "SELECT id, team FROM users",
            "p_t_fkey of p may refuse",
        ),
        (
            "id int PRIMARY KEY, n text CHECK (n <> '')",
            "SELECT id, name FROM users",
            "p_n_check of p may refuse",
        ),
        (
            "id int PRIMARY KEY",
            "SELECT id FROM users; UPDATE teams SET id = (SELECT count(*) FROM p)",
            "uses its rows",
        ),
        (
            "id int PRIMARY KEY, n text",
            "SELECT id, lower(name) FROM users; ALTER TABLE users DROP COLUMN name",
            "@down users.name",
        ),
    ];
    for (columns, select, why) in cases {
        let migration = format!("CREATE TABLE p ({columns}); INSERT INTO p {select}");
        let refusals = refused(before, &migration);
        let found = refusals.iter().find(|refusal| refusal.code == "copied-rows");
        let found = found.unwrap_or_else(|| panic!("{select}: {refusals:?}"));
        assert!(found.message.contains(why), "{select}: {}", found.message);
    }
}

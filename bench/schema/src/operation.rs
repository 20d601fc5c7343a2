//! The nineteen operations of the Nemesis workload (the benchmark of the QuantumDB project), as SQL and as Reshape's actions.

/// An operation.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// For PostgreSQL and for Tandem.
    pub(crate) sql: &'static str,
    /// For Reshape, as TOML; empty where it has no such action.
    pub(crate) reshape: &'static str,
    /// The name of the table and of the column in the new version.
    pub(crate) new: (&'static str, &'static str),
    /// A further column that the new version's rows must be given, if there is one.
    pub(crate) gives: Option<&'static str>,
}

const fn operation(name: &'static str, sql: &'static str, reshape: &'static str) -> Operation {
    Operation { name, sql, reshape, new: ("users", "name"), gives: None }
}

/// All of them.
pub(crate) const OPERATIONS: [Operation; 19] = [
    operation(
        "create-index-on-column",
        "CREATE INDEX users_more ON users (nick)",
        "[[actions]]\ntype = 'add_index'\ntable = 'users'\n[actions.index]\nname = 'users_more'\ncolumns = ['nick']",
    ),
    operation("rename-index", "ALTER INDEX users_name RENAME TO users_by_name", ""),
    operation(
        "drop-index-on-column",
        "DROP INDEX users_name",
        "[[actions]]\ntype = 'remove_index'\nindex = 'users_name'",
    ),
    operation(
        "add-nullable-column",
        "ALTER TABLE users ADD COLUMN story varchar(255)",
        "[[actions]]\ntype = 'add_column'\ntable = 'users'\n[actions.column]\nname = 'story'\ntype = 'varchar(255)'",
    ),
    operation(
        "add-non-nullable-column",
        "ALTER TABLE users ADD COLUMN story varchar(255) NOT NULL DEFAULT 'Simple story'",
        "[[actions]]\ntype = 'add_column'\ntable = 'users'\n[actions.column]\nname = 'story'\ntype = 'varchar(255)'\n\
         nullable = false\ndefault = \"'Simple story'\"",
    ),
    operation(
        "drop-nullable-column",
        "ALTER TABLE users DROP COLUMN nick",
        "[[actions]]\ntype = 'remove_column'\ntable = 'users'\ncolumn = 'nick'",
    ),
    operation(
        "drop-non-nullable-column",
        "ALTER TABLE users DROP COLUMN kind",
        "[[actions]]\ntype = 'remove_column'\ntable = 'users'\ncolumn = 'kind'\ndown = '3'",
    ),
    operation(
        "rename-nullable-column",
        "ALTER TABLE users RENAME COLUMN nick TO alias",
        "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'nick'\n[actions.changes]\nname = 'alias'",
    ),
    Operation {
        name: "rename-non-nullable-column",
        sql: "ALTER TABLE users RENAME COLUMN name TO title",
        reshape: "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'name'\n[actions.changes]\nname = 'title'",
        new: ("users", "title"),
        gives: None,
    },
    operation(
        "modify-data-type-on-nullable",
        "ALTER TABLE users ALTER COLUMN nick TYPE text",
        "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'nick'\nup = 'nick'\ndown = 'nick'\n\
         [actions.changes]\ntype = 'text'",
    ),
    operation(
        "modify-data-type-on-non-nullable",
        "ALTER TABLE users ALTER COLUMN name TYPE text",
        "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'name'\nup = 'name'\ndown = 'name'\n\
         [actions.changes]\ntype = 'text'",
    ),
    operation(
        "modify-data-type-from-int-to-text",
        "ALTER TABLE users ALTER COLUMN size TYPE text;\n-- @down users.size: CASE WHEN size ~ '^[0-9]{1,9}$' THEN size::int END",
        "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'size'\nup = 'size::text'\n\
         down = \"CASE WHEN size ~ '^[0-9]{1,9}$' THEN size::int END\"\n[actions.changes]\ntype = 'text'",
    ),
    operation(
        "set-default-on-nullable",
        "ALTER TABLE users ALTER COLUMN nick SET DEFAULT 'none'",
        "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'nick'\n[actions.changes]\ndefault = \"'none'\"",
    ),
    operation(
        "set-default-on-non-nullable",
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'none'",
        "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'name'\n[actions.changes]\ndefault = \"'none'\"",
    ),
    operation(
        "make-column-nullable",
        "ALTER TABLE users ALTER COLUMN kind DROP NOT NULL",
        "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'kind'\nup = 'kind'\ndown = 'COALESCE(kind, 3)'\n\
         [actions.changes]\nnullable = true",
    ),
    Operation {
        name: "make-column-non-nullable",
        sql: "UPDATE users SET nick = 'none' WHERE nick IS NULL; ALTER TABLE users ALTER COLUMN nick SET NOT NULL",
        reshape: "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'nick'\nup = \"COALESCE(nick, 'none')\"\n\
         down = 'nick'\n[actions.changes]\nnullable = false",
        new: ("users", "name"),
        gives: Some("nick"),
    },
    operation(
        "add-non-nullable-foreign-key",
        "ALTER TABLE users ADD COLUMN team int NOT NULL DEFAULT 1 CONSTRAINT users_team REFERENCES teams (id)",
        "[[actions]]\ntype = 'add_column'\ntable = 'users'\n[actions.column]\nname = 'team'\ntype = 'int'\nnullable = false\n\
         default = '1'\n[[actions]]\ntype = 'add_foreign_key'\ntable = 'users'\n[actions.foreign_key]\ncolumns = ['team']\n\
         referenced_table = 'teams'\nreferenced_columns = ['id']",
    ),
    operation(
        "add-nullable-foreign-key",
        "ALTER TABLE users ADD CONSTRAINT users_group FOREIGN KEY (size) REFERENCES teams (id)",
        "[[actions]]\ntype = 'add_foreign_key'\ntable = 'users'\n[actions.foreign_key]\ncolumns = ['size']\n\
         referenced_table = 'teams'\nreferenced_columns = ['id']",
    ),
    Operation {
        name: "rename-table",
        sql: "ALTER TABLE users RENAME TO people",
        reshape: "[[actions]]\ntype = 'rename_table'\ntable = 'users'\nnew_name = 'people'",
        new: ("people", "name"),
        gives: None,
    },
];

//! The keys of what goes along with versions: the database and its schema, the contract.

use super::super::database::{self, Access, Names, Naming};
use super::super::text;
use super::super::word;
use super::{Key, Kind, Millis, SOME_TIME, UP_TO_A_DAY, WEEK, key};

pub(super) static DATABASE: &[Key] = &[
    key(
        "url",
        Kind::Text(database::url),
        "\"env:DATABASE_URL\"",
        "The database, as the role that owns the tables; env:NAME is read from the environment. Not set: deployments carry no schema.",
    ),
    key(
        "app_url",
        Kind::Text(database::url),
        "\"env:APP_DATABASE_URL\"",
        "The database, as the role of the instances. Not set: that of `url`.",
    ),
    key(
        "variable",
        Kind::Text(text::variable),
        "\"DATABASE_URL\"",
        "The variable in which an instance finds the URL of its own revision.",
    ),
    key(
        "migrations",
        Kind::Text(text::folder),
        "\"db/migrations\"",
        "The folder of migrations: in the deliverable; for `tandem schema` beside this file.",
    )
    .also(&["dir", "path", "folder"]),
    key(
        "migrate",
        Kind::Command,
        "[\"python\", \"manage.py\", \"migrate\"]",
        "The framework's own command, where migrations are no SQL files: tried in a scratch copy, and written down.",
    )
    .also(&["command"]),
    key(
        "texts",
        Kind::Text(text::folder),
        "\"db/tandem.sql\"",
        "A file in the deliverable with `-- @up` and `-- @down` for what the command does.",
    ),
    key(
        "rows",
        Kind::Words(text::table),
        "[\"settings\"]",
        "Small tables whose rows the command looks at. If they change before its work begins, it is tried anew.",
    ),
    key("within", SOME_TIME, "\"10m\"", "How long the command may take."),
    key("home", Kind::Text(text::home), "\"public\"", "The schema where the tables live.").also(&["schema"]),
    key(
        "names",
        Kind::OneOf(Names::ALL, word::names),
        "\"qualified\"",
        "How the app writes the names of tables: bare, or qualified with the schema of its URL, as Prisma does.",
    ),
    key(
        "access",
        Kind::OneOf(Access::ALL, word::access),
        "\"role\"",
        "How an instance is told its revision: by its url, or by a role of each revision's own, for poolers that share sessions.",
    ),
    key(
        "application_name",
        Kind::OneOf(Naming::ALL, word::naming),
        "\"own\"",
        "Who says what the app's sessions are called: url, by which each is known, or own, where the app sets a name itself.",
    ),
    key(
        "wal",
        Kind::Size(0, 1 << 40),
        "\"50MiB\"",
        "How much write-ahead log the server may write in a second while rows are filled. 0: no limit.",
    ),
    key(
        "scratch_url",
        Kind::Text(database::url),
        "\"env:SCRATCH_URL\"",
        "Another server for scratch copies. Not set: the same server.",
    ),
    key(
        "keep",
        UP_TO_A_DAY,
        "\"10m\"",
        "How long after a deployment the old revision is kept, so that going back is possible.",
    ),
];

pub(super) static CONTRACT: &[Key] = &[
    key(
        "document",
        Kind::Text(text::promise),
        "\"openapi.json\"",
        "The OpenAPI document (3.0 or 3.1, JSON or YAML): a file in the deliverable, or a path (\"/openapi.json\") at which instances have it. Not set: there is no contract.",
    )
    .also(&["openapi", "file", "path"]),
    key(
        "caller",
        Kind::Text(text::field),
        "\"User-Agent\"",
        "The header field whose first word tells callers apart.",
    )
    .also(&["client", "header"]),
    key(
        "window",
        Kind::Length(Millis::from_secs(60), WEEK),
        "\"24h\"",
        "What was called within this time is taken to be in use.",
    ),
    key(
        "needs",
        Kind::Documents,
        "{ orders = \"contracts/orders.json\" }",
        "From services that are called to the OpenAPI documents in the deliverable for which it was written; parts will do.",
    )
    .also(&["depends", "dependencies", "consumes"]),
    key(
        "shared",
        Kind::Text(text::shared),
        "\"/var/lib/tandem/contracts\"",
        "A folder, the same for services that call each other: there each tells what its live versions promise and need.",
    ),
];

//! What may be said with `tandem schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  tandem schema plan --url postgres://owner@db/shop --migrations db/migrations
  tandem schema start                          both revisions are served from here on
  tandem schema url --revision 0042_add_phone  the URL for the app that comes
  tandem schema contract                       when no app of the old revision is left

Works without `tandem up`, in front of any deployer. In tandem.toml: [database] with
url, migrations, home and scratch_url.";

/// What is said of a schema change.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Schema {
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(subcommand)]
    pub(crate) verb: SchemaVerb,
}

/// Where the database is, if it is not as the configuration says.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct Database {
    /// The database, as the owner of its tables [default: DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The folder of migrations [default: db/migrations]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) migrations: Option<PathBuf>,
    /// The schema where the tables live [default: public]
    #[arg(long, global = true, value_name = "SCHEMA")]
    pub(crate) home: Option<String>,
    /// The app writes the schema before each name, as Prisma does
    #[arg(long, global = true)]
    pub(crate) qualified: bool,
    /// Another server for scratch copies [default: the same]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) scratch_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaVerb {
    /// Say what the pending migrations would do, without doing it
    #[command(after_help = "Examples:\n  tandem schema plan\n  tandem schema plan --to 0042_add_phone\n  \
        tandem schema plan --statements queries.sql --json\n\n\
        Exit code 5 if it is refused, or if a statement would break.")]
    Plan(Step),
    /// Begin the pending migrations: afterwards the old and the new revision are both served
    #[command(after_help = "Examples:\n  tandem schema start\n  tandem schema start --to 0042_add_phone\n\n\
        Ctrl-C stops between two transactions; `tandem schema resume` goes on.")]
    Start(Step),
    /// Go on with what was stopped, killed or paused
    #[command(after_help = "Example:\n  tandem schema resume")]
    Resume,
    /// Let the filling of rows wait, whoever does it
    #[command(after_help = "Example:\n  tandem schema pause")]
    Pause,
    /// Show where the database stands
    #[command(after_help = "Examples:\n  tandem schema status\n  tandem schema status --json")]
    Status,
    /// Look at every row, and at the clients: is all ready for the contract?
    #[command(after_help = "Example:\n  tandem schema verify\n\nExit code 1 if rows are not ready.")]
    Verify,
    /// Make the new revision the only one
    #[command(after_help = "Examples:\n  tandem schema contract\n  tandem schema contract --force")]
    Contract {
        /// Also while clients of the old revision are seen: they will fail
        #[arg(long)]
        force: bool,
    },
    /// Make the old revision the only one again
    #[command(after_help = "Example:\n  tandem schema undo")]
    Undo,
    /// Take over a database whose migrations another tool has run
    #[command(after_help = "Examples:\n  tandem schema adopt\n  tandem schema adopt --at 0041_orders")]
    Adopt {
        /// The last migration that has run [default: as the tool's own table says]
        #[arg(long, value_name = "NAME")]
        at: Option<String>,
    },
    /// Print the URL for an app of a revision
    #[command(after_help = "Examples:\n  tandem schema url --revision 0042_add_phone\n  \
        tandem schema url --revision 0042_add_phone --form jdbc")]
    Url {
        /// The migration that the app expects as the last one
        #[arg(long, value_name = "NAME")]
        revision: String,
        /// Whose URL
        #[arg(long, value_enum, default_value = "libpq")]
        form: UrlForm,
    },
    /// Make a role for the apps of a revision, for poolers that share sessions
    #[command(after_help = "Examples:\n  tandem schema role --revision 0042_add_phone --member-of shop\n  \
        tandem schema role --revision 0042_add_phone --member-of shop --print | psql")]
    Role {
        /// The migration that the app expects as the last one
        #[arg(long, value_name = "NAME")]
        revision: String,
        /// The role whose rights it gets
        #[arg(long, value_name = "ROLE")]
        member_of: Option<String>,
        /// It may not connect by itself
        #[arg(long)]
        no_login: bool,
        /// Only print the statements
        #[arg(long)]
        print: bool,
    },
}

/// Which step, and what is tried with it.
#[derive(Debug, Default, Args)]
pub(crate) struct Step {
    /// The last migration of the step [default: the last of the folder]
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<String>,
    /// Statements of the version that runs, to be tried in each state: `;` between them, one a line, or a log of the server
    /// [default: what pg_stat_statements has collected]
    #[arg(long, value_name = "FILE")]
    pub(crate) statements: Option<PathBuf>,
    /// Statements of the version that comes
    #[arg(long, value_name = "FILE")]
    pub(crate) new_statements: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UrlForm {
    /// postgres://, for libpq and what understands its URLs
    Libpq,
    /// jdbc:postgresql://
    Jdbc,
    /// postgres:// with ?schema=, for a database whose names are qualified
    Prisma,
}

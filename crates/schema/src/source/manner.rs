//! How a statement is run, by its kind: alone, not at all, or as something whose effects no catalog shows.

use serde_json::Value;

use super::statement::writers;
use crate::syntax::{self, flag, list, part, word};

/// How a statement is run, by its kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) alone: bool,
    pub(super) transaction_control: bool,
    pub(super) opaque: bool,
    pub(super) setting: bool,
}

/// How a statement is run.
pub(super) fn manner(tree: &Value) -> Manner {
    let Some((kind, fields)) = syntax::node(tree) else { return Manner::default() };
    let plain = Manner::default();
    match kind {
        "TransactionStmt" => Manner { transaction_control: true, ..plain },
        "VariableSetStmt" if word(fields, "name").contains("TRANSACTION") => {
            Manner { transaction_control: true, ..plain }
        }
        "VariableSetStmt" | "ConstraintsSetStmt" => Manner { setting: true, ..plain },
        "DiscardStmt" => Manner { setting: true, alone: true, ..plain },
        "IndexStmt" | "DropStmt" => Manner { alone: flag(fields, "concurrent"), ..plain },
        "AlterTableStmt" => Manner { alone: detaches_concurrently(fields), ..plain },
        "ReindexStmt" => Manner { alone: reindexes_alone(fields), opaque: true, ..plain },
        "VacuumStmt" => Manner { alone: flag(fields, "is_vacuumcmd"), opaque: true, ..plain },
        "ClusterStmt" => Manner { alone: part(fields, "relation").is_none(), opaque: true, ..plain },
        "CreatedbStmt"
        | "DropdbStmt"
        | "AlterDatabaseStmt"
        | "CreateTableSpaceStmt"
        | "DropTableSpaceStmt"
        | "AlterSystemStmt"
        | "CreateSubscriptionStmt"
        | "AlterSubscriptionStmt"
        | "DropSubscriptionStmt" => Manner { alone: true, opaque: true, ..plain },
        // A query that makes a table is seen in the catalog.
        "SelectStmt" => {
            Manner { opaque: part(fields, "into_clause").is_none() && writers(tree).is_empty(), ..plain }
        }
        _ => Manner { opaque: OPAQUE.contains(&kind), ..plain },
    }
}

/// Kinds of statements whose effects the catalog can't show.
const OPAQUE: &[&str] = &[
    "DoStmt",
    "CallStmt",
    "CopyStmt",
    "MergeStmt",
    "ListenStmt",
    "UnlistenStmt",
    "NotifyStmt",
    "PrepareStmt",
    "ExecuteStmt",
    "DeallocateStmt",
    "DeclareCursorStmt",
    "FetchStmt",
    "ClosePortalStmt",
    "LoadStmt",
    "LockStmt",
    "ExplainStmt",
    "VariableShowStmt",
    "RefreshMatViewStmt",
    "CheckPointStmt",
    "CreateRoleStmt",
    "AlterRoleStmt",
    "AlterRoleSetStmt",
    "DropRoleStmt",
    "GrantRoleStmt",
    "AlterDatabaseSetStmt",
    "AlterDatabaseRefreshCollStmt",
    "DropOwnedStmt",
    "ReassignOwnedStmt",
];

fn detaches_concurrently(fields: &Value) -> bool {
    let mut found = false;
    syntax::walk(fields, &mut |kind, fields| {
        found |= kind == "PartitionCmd" && flag(fields, "concurrent");
        true
    });
    found
}

fn reindexes_alone(fields: &Value) -> bool {
    let named = list(fields, "params").iter().filter_map(syntax::node);
    let concurrently = named.into_iter().any(|(_, option)| word(option, "defname") == "concurrently");
    // SCHEMA, SYSTEM and DATABASE, which name no relation.
    concurrently || part(fields, "relation").is_none()
}

/// The same for what is nested too deeply to be looked at, by its first word: data statements and queries can't be seen through.
pub(super) fn manner_by_word(first: &str) -> Manner {
    let clear = ["create", "alter", "drop", "comment", "grant", "revoke"];
    Manner { opaque: !clear.iter().any(|word| first.eq_ignore_ascii_case(word)), ..Manner::default() }
}

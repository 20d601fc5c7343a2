//! The rest: aggregates, operators, casts, collations, publications, event triggers, languages, default privileges, …
//!
//! Definitions are made of the system catalogs' own rows, without oids, so that equal things have equal texts; they are for
//! comparing, not for running.

use super::object::{PARTS, Parts, not_brought, scope};
use super::standing::own;

/// The system catalog of an object by its type word.
pub(super) fn class(word: &str) -> &'static str {
    match word {
        "aggregate" => "pg_proc",
        "type" => "pg_type",
        "operator" => "pg_operator",
        "operator class" => "pg_opclass",
        "operator family" => "pg_opfamily",
        "cast" => "pg_cast",
        "collation" => "pg_collation",
        "conversion" => "pg_conversion",
        "text search configuration" => "pg_ts_config",
        "text search dictionary" => "pg_ts_dict",
        "text search parser" => "pg_ts_parser",
        "text search template" => "pg_ts_template",
        "publication" => "pg_publication",
        "event trigger" => "pg_event_trigger",
        "language" => "pg_language",
        "access method" => "pg_am",
        "transform" => "pg_transform",
        "foreign-data wrapper" => "pg_foreign_data_wrapper",
        "server" => "pg_foreign_server",
        _ => "",
    }
}

/// One of these classes.
struct Other<'a> {
    class: &'a str,
    /// The columns of schema (empty: none) and name.
    schema: &'a str,
    name: &'a str,
    owner: &'a str,
    privileges: Option<(&'a str, &'a str)>,
    definition: String,
    state: &'a str,
    /// Which rows of the class, and what is joined to it.
    joined: &'a str,
    only: &'a str,
}

const OTHER: Other<'static> = Other {
    class: "",
    schema: "",
    name: "",
    owner: "",
    privileges: None,
    definition: String::new(),
    state: "''",
    joined: "",
    only: "true",
};

/// A query per class.
pub(super) fn queries(version: u32) -> Vec<String> {
    let mut all = code();
    all.extend(operators());
    all.extend(languages());
    all.extend(text());
    all.extend(database(version));
    all.iter().map(query).collect()
}

fn query(other: &Other<'_>) -> String {
    let class = other.class;
    let (schema, join, which) = if other.schema.is_empty() {
        ("''", String::new(), own(class, "o.oid"))
    } else {
        let join = format!("JOIN pg_namespace n ON n.oid = o.{}", other.schema);
        ("n.nspname", join, scope(class, "o.oid"))
    };
    let from = format!(
        "FROM {class} o {join} {} CROSS JOIN LATERAL pg_identify_object('{class}'::regclass, o.oid, 0) w WHERE {which} AND {} AND {}",
        other.joined,
        other.only,
        not_brought(class, "o.oid")
    );
    Parts {
        kind: "'other'",
        oid: "o.oid",
        schema,
        name: other.name,
        definition: &other.definition,
        identity: "w.identity",
        word: "w.type",
        state: other.state,
        owner: other.owner,
        privileges: other.privileges,
        class,
        from: &from,
        ..PARTS
    }
    .query()
}

/// A row without what differs between databases, and with names in place of some oids.
fn row(alias: &str, without: &[&str], named: &[(&str, &str)]) -> String {
    let taken: String = without
        .iter()
        .chain(named.iter().map(|(column, _)| column))
        .map(|column| format!(" - '{column}'"))
        .collect();
    let pairs: Vec<String> = named.iter().map(|(column, value)| format!("'{column}', {value}")).collect();
    format!("(to_jsonb({alias}){taken} || jsonb_build_object({}))::text", pairs.join(", "))
}

/// Aggregates and base types.
fn code() -> Vec<Other<'static>> {
    vec![
        Other {
            class: "pg_proc",
            schema: "pronamespace",
            name: "o.proname",
            owner: "o.proowner",
            privileges: Some(("o.proacl", "f")),
            joined: "JOIN pg_aggregate g ON g.aggfnoid = o.oid",
            only: "o.prokind = 'a'",
            definition: format!(
                "pg_get_function_result(o.oid) || ' ' || o.proparallel::text || ' ' || {}",
                row(
                    "g",
                    &["aggfnoid"],
                    &[
                        ("aggtranstype", "format_type(g.aggtranstype, NULL)"),
                        ("aggmtranstype", "format_type(nullif(g.aggmtranstype, 0), NULL)"),
                        ("aggsortop", "g.aggsortop::regoperator::text"),
                    ]
                )
            ),
            ..OTHER
        },
        Other {
            class: "pg_type",
            schema: "typnamespace",
            name: "o.typname",
            owner: "o.typowner",
            privileges: Some(("o.typacl", "T")),
            only: "o.typtype IN ('b', 'p') AND o.typisdefined AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)",
            definition: row(
                "o",
                &[
                    "oid",
                    "typnamespace",
                    "typowner",
                    "typacl",
                    "typrelid",
                    "typarray",
                    "typelem",
                    "typcollation",
                    "typbasetype",
                ],
                &[],
            ),
            ..OTHER
        },
    ]
}

/// Operators, their classes and families.
fn operators() -> Vec<Other<'static>> {
    let members = "(SELECT string_agg(concat_ws(' ', m.amopstrategy, m.amoppurpose::text, m.amopopr::regoperator::text), ', '
            ORDER BY m.amopstrategy, m.amopopr::regoperator::text) FROM pg_amop m WHERE m.amopfamily = o.oid)";
    let functions = "(SELECT string_agg(concat_ws(' ', m.amprocnum, m.amproc::regprocedure::text), ', '
            ORDER BY m.amprocnum, m.amproc::regprocedure::text) FROM pg_amproc m WHERE m.amprocfamily = o.oid)";
    let method = |column: &str| format!("(SELECT y.amname FROM pg_am y WHERE y.oid = o.{column})");
    let named = |column: &str| format!("format_type(nullif(o.{column}, 0), NULL)");
    vec![
        Other {
            class: "pg_operator",
            schema: "oprnamespace",
            name: "o.oprname",
            owner: "o.oprowner",
            definition: row(
                "o",
                &["oid", "oprnamespace", "oprowner"],
                &[
                    ("oprleft", &named("oprleft")),
                    ("oprright", &named("oprright")),
                    ("oprresult", &named("oprresult")),
                    ("oprcom", "o.oprcom::regoperator::text"),
                    ("oprnegate", "o.oprnegate::regoperator::text"),
                ],
            ),
            ..OTHER
        },
        Other {
            class: "pg_opclass",
            schema: "opcnamespace",
            name: "o.opcname",
            owner: "o.opcowner",
            definition: row(
                "o",
                &["oid", "opcnamespace", "opcowner"],
                &[
                    ("opcmethod", &method("opcmethod")),
                    ("opcfamily", "(SELECT y.opfname FROM pg_opfamily y WHERE y.oid = o.opcfamily)"),
                    ("opcintype", &named("opcintype")),
                    ("opckeytype", &named("opckeytype")),
                ],
            ),
            ..OTHER
        },
        Other {
            class: "pg_opfamily",
            schema: "opfnamespace",
            name: "o.opfname",
            owner: "o.opfowner",
            definition: format!("concat_ws('; ', {}, {members}, {functions})", method("opfmethod")),
            ..OTHER
        },
    ]
}

/// Casts, languages, access methods, transforms.
fn languages() -> Vec<Other<'static>> {
    vec![
        Other {
            class: "pg_cast",
            name: "w.identity",
            definition: "concat_ws(' ', o.castfunc::regprocedure, o.castcontext::text, o.castmethod::text)".to_owned(),
            ..OTHER
        },
        Other {
            class: "pg_language",
            name: "o.lanname",
            owner: "o.lanowner",
            privileges: Some(("o.lanacl", "l")),
            definition: "concat_ws(' ', o.lanpltrusted, o.lanplcallfoid::regproc, o.laninline::regproc, o.lanvalidator::regproc)"
                .to_owned(),
            ..OTHER
        },
        Other {
            class: "pg_am",
            name: "o.amname",
            definition: "o.amhandler::text || ' ' || o.amtype::text".to_owned(),
            ..OTHER
        },
        Other {
            class: "pg_transform",
            name: "w.identity",
            definition: "concat_ws(' ', o.trffromsql, o.trftosql)".to_owned(),
            ..OTHER
        },
    ]
}

/// Collations, conversions and text search.
fn text() -> Vec<Other<'static>> {
    let map =
        "(SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::regdictionary::text), ', '
            ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = o.oid)";
    let prefix =
        |class, schema, name, owner, definition| Other { class, schema, name, owner, definition, ..OTHER };
    vec![
        prefix(
            "pg_collation",
            "collnamespace",
            "o.collname",
            "o.collowner",
            row("o", &["oid", "collnamespace", "collowner", "collversion"], &[]),
        ),
        prefix(
            "pg_conversion",
            "connamespace",
            "o.conname",
            "o.conowner",
            row("o", &["oid", "connamespace", "conowner"], &[]),
        ),
        prefix(
            "pg_ts_config",
            "cfgnamespace",
            "o.cfgname",
            "o.cfgowner",
            format!("concat_ws('; ', (SELECT y.prsname FROM pg_ts_parser y WHERE y.oid = o.cfgparser), {map})"),
        ),
        prefix(
            "pg_ts_dict",
            "dictnamespace",
            "o.dictname",
            "o.dictowner",
            "concat_ws('; ', (SELECT y.tmplname FROM pg_ts_template y WHERE y.oid = o.dicttemplate), o.dictinitoption)".to_owned(),
        ),
        prefix("pg_ts_parser", "prsnamespace", "o.prsname", "", row("o", &["oid", "prsnamespace"], &[])),
        prefix("pg_ts_template", "tmplnamespace", "o.tmplname", "", row("o", &["oid", "tmplnamespace"], &[])),
    ]
}

/// Publications, event triggers, foreign servers, default privileges.
fn database(version: u32) -> Vec<Other<'static>> {
    let tables = if version >= 150_000 {
        "concat_ws(' ', r.prrelid::regclass::text, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)), pg_get_expr(r.prqual, r.prrelid))"
    } else {
        "r.prrelid::regclass::text"
    };
    let schemas = if version >= 150_000 {
        "(SELECT string_agg(s.pnnspid::regnamespace::text, ', ' ORDER BY s.pnnspid::regnamespace::text)
            FROM pg_publication_namespace s WHERE s.pnpubid = o.oid)"
    } else {
        "NULL"
    };
    vec![
        Other {
            class: "pg_publication",
            name: "o.pubname",
            owner: "o.pubowner",
            definition: format!(
                "concat_ws('; ', {}, (SELECT string_agg({tables}, ', ' ORDER BY r.prrelid::regclass::text)
                    FROM pg_publication_rel r WHERE r.prpubid = o.oid), {schemas})",
                row("o", &["oid", "pubname", "pubowner"], &[])
            ),
            ..OTHER
        },
        Other {
            class: "pg_event_trigger",
            name: "o.evtname",
            owner: "o.evtowner",
            definition: "concat_ws(' ', o.evtevent, o.evtfoid::regprocedure, o.evttags)".to_owned(),
            state: "CASE o.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE '' END",
            ..OTHER
        },
        Other {
            class: "pg_foreign_data_wrapper",
            name: "o.fdwname",
            owner: "o.fdwowner",
            privileges: Some(("o.fdwacl", "F")),
            definition: "concat_ws(' ', nullif(o.fdwhandler, 0)::regproc, nullif(o.fdwvalidator, 0)::regproc, o.fdwoptions)".to_owned(),
            ..OTHER
        },
        Other {
            class: "pg_foreign_server",
            name: "o.srvname",
            owner: "o.srvowner",
            privileges: Some(("o.srvacl", "S")),
            definition: "concat_ws(' ', (SELECT y.fdwname FROM pg_foreign_data_wrapper y WHERE y.oid = o.srvfdw), o.srvtype,
                o.srvversion, o.srvoptions)"
                .to_owned(),
            ..OTHER
        },
        Other {
            class: "pg_default_acl",
            name: "w.identity",
            definition: "(SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(o.defaclacl) a)".to_owned(),
            ..OTHER
        },
    ]
}

//! Objects that stand for themselves: schemas, extensions, types, sequences, routines.

use super::object::{PARTS, Parts, by_somebody, not_brought, quoted, scope};

/// A query per class.
pub(super) fn queries(version: u32) -> Vec<String> {
    vec![schemas(), extensions(), types(version), sequences(), routines()]
}

fn schemas() -> String {
    let from = format!("FROM pg_namespace n WHERE {}", scope("pg_namespace", "n.oid"));
    let identity = quoted("n.nspname");
    Parts {
        kind: "'schema'",
        oid: "n.oid",
        name: "n.nspname",
        identity: &identity,
        word: "'schema'",
        owner: "n.nspowner",
        privileges: Some(("n.nspacl", "n")),
        class: "pg_namespace",
        from: &from,
        ..PARTS
    }
    .query()
}

fn extensions() -> String {
    let identity = quoted("x.extname");
    Parts {
        kind: "'extension'",
        oid: "x.oid",
        schema: "n.nspname",
        name: "x.extname",
        definition: "x.extversion",
        identity: &identity,
        word: "'extension'",
        class: "pg_extension",
        from: "FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace",
        ..PARTS
    }
    .query()
}

fn types(version: u32) -> String {
    let multirange =
        if version >= 140_000 { "', MULTIRANGE_TYPE_NAME = ' || r.rngmultitypid::regtype" } else { "''" };
    let definition = format!(
        "CASE t.typtype
            WHEN 'e' THEN (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                FROM pg_enum l WHERE l.enumtypid = t.oid)
            WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
                || coalesce((SELECT ' COLLATE ' || o.oid::regcollation FROM pg_collation o JOIN pg_type b ON b.oid = t.typbasetype
                    WHERE o.oid = t.typcollation AND t.typcollation <> b.typcollation), '')
                || coalesce(' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), '')
                || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
                || coalesce((SELECT string_agg(' CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), ''
                    ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
            WHEN 'c' THEN '(' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                    || CASE WHEN a.attcollation <> y.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END,
                    ', ' ORDER BY a.attnum) FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
                WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'
            WHEN 'r' THEN (SELECT 'RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL)
                    || ', SUBTYPE_OPCLASS = ' || (SELECT quote_ident(s.nspname) || '.' || quote_ident(p.opcname) FROM pg_opclass p
                        JOIN pg_namespace s ON s.oid = p.opcnamespace WHERE p.oid = r.rngsubopc)
                    || CASE WHEN r.rngcollation <> 0 THEN ', COLLATION = ' || r.rngcollation::regcollation ELSE '' END
                    || CASE WHEN r.rngcanonical <> 0 THEN ', CANONICAL = ' || r.rngcanonical ELSE '' END
                    || CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff ELSE '' END
                    || {multirange} || ')' FROM pg_range r WHERE r.rngtypid = t.oid)
        END"
    );
    let identity = format!("{} || '.' || {}", quoted("n.nspname"), quoted("t.typname"));
    let from = format!(
        "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class w ON w.oid = t.typrelid
        WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND w.relkind = 'c') AND {}",
        scope("pg_type", "t.oid")
    );
    Parts {
        kind: "CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite' ELSE 'range' END",
        oid: "t.oid",
        schema: "n.nspname",
        name: "t.typname",
        definition: &definition,
        identity: &identity,
        word: "CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END",
        owner: "t.typowner",
        privileges: Some(("t.typacl", "T")),
        class: "pg_type",
        from: &from,
        ..PARTS
    }
    .query()
}

fn sequences() -> String {
    let identity = format!("{} || '.' || {}", quoted("n.nspname"), quoted("c.relname"));
    let from = format!(
        "FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
        WHERE {}",
        scope("pg_class", "c.oid")
    );
    Parts {
        kind: "'sequence'",
        oid: "c.oid",
        schema: "n.nspname",
        name: "c.relname",
        on: "d.refobjid",
        columns: "CASE WHEN d.refobjsubid IS NULL THEN '{}' ELSE ARRAY[d.refobjsubid] END",
        definition: "'AS ' || format_type(s.seqtypid, NULL) || ' START WITH ' || s.seqstart || ' INCREMENT BY ' || s.seqincrement
            || ' MINVALUE ' || s.seqmin || ' MAXVALUE ' || s.seqmax || ' CACHE ' || s.seqcache
            || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END",
        identity: &identity,
        word: "'sequence'",
        state: "concat_ws(', ', CASE WHEN d.deptype = 'i' THEN 'identity' END,
            CASE WHEN c.relpersistence = 'u' THEN 'unlogged' END)",
        owner: "c.relowner",
        privileges: Some(("c.relacl", "s")),
        class: "pg_class",
        from: &from,
        ..PARTS
    }
    .query()
}

// A range type brings its constructors: they depend on it internally.
fn routines() -> String {
    let identity = format!(
        "{} || '.' || {} || '(' || oidvectortypes(p.proargtypes) || ')'",
        quoted("n.nspname"),
        quoted("p.proname")
    );
    let from = format!(
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind <> 'a' AND {} AND {}",
        not_brought("pg_proc", "p.oid"),
        scope("pg_proc", "p.oid")
    );
    Parts {
        kind: "'routine'",
        oid: "p.oid",
        schema: "n.nspname",
        name: "p.proname",
        definition: "pg_get_functiondef(p.oid)",
        identity: &identity,
        word: "CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END",
        owner: "p.proowner",
        privileges: Some(("p.proacl", "f")),
        class: "pg_proc",
        from: &from,
        ..PARTS
    }
    .query()
}

/// What an object of no schema must be: somebody's own, not brought by `initdb`.
pub(super) fn own(class: &str, oid: &str) -> String {
    format!("{oid} >= 16384 AND {}", by_somebody(class, oid))
}

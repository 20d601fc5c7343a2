//! Objects that belong to a relation: constraints, indexes, triggers, rules, policies, statistics.

use super::object::{PARTS, Parts, quoted, scope};

/// A query per class.
pub(super) fn queries() -> Vec<String> {
    vec![constraints(), indexes(), triggers(), rules(), policies(), statistics()]
}

/// Columns in order of a key, then the others that its expressions use.
fn columns(key: &str, class: &str, oid: &str, relation: &str) -> String {
    format!(
        "ARRAY(SELECT k.number::int4 FROM unnest({key}) WITH ORDINALITY k (number, place) WHERE k.number > 0 ORDER BY k.place)
        || ARRAY(SELECT DISTINCT d.refobjsubid FROM pg_depend d WHERE d.classid = '{class}'::regclass AND d.objid = {oid}
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = {relation} AND d.refobjsubid > 0
            AND d.refobjsubid <> ALL (coalesce(({key})::int2[], '{{}}')) ORDER BY d.refobjsubid)"
    )
}

/// What is special about an index.
const INDEX_STATE: &str = "CASE WHEN NOT i.indisvalid THEN 'invalid' END,
    CASE WHEN i.indisclustered THEN 'clustered' END, CASE WHEN i.indisreplident THEN 'replica identity' END";

/// How a trigger or rule is switched.
fn switched(column: &str) -> String {
    format!(
        "CASE {column} WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE '' END"
    )
}

fn constraints() -> String {
    let identity = quoted("k.conname");
    let columns = columns("k.conkey", "pg_constraint", "k.oid", "k.conrelid");
    let state = format!("concat_ws(', ', CASE WHEN NOT k.convalidated THEN 'not valid' END, {INDEX_STATE})");
    let from = format!(
        "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
        WHERE k.contype IN ('p', 'u', 'c', 'x', 'f') AND {}",
        scope("pg_class", "c.oid")
    );
    Parts {
        kind: "k.contype",
        oid: "k.oid",
        schema: "n.nspname",
        name: "k.conname",
        on: "k.conrelid",
        columns: &columns,
        references: "nullif(k.confrelid, 0)",
        definition: "pg_get_constraintdef(k.oid)",
        identity: &identity,
        word: "'constraint'",
        state: &state,
        class: "pg_constraint",
        from: &from,
        ..PARTS
    }
    .query()
}

fn indexes() -> String {
    let identity = format!("{} || '.' || {}", quoted("n.nspname"), quoted("x.relname"));
    let columns = columns("i.indkey", "pg_class", "x.oid", "i.indrelid");
    let state = format!("concat_ws(', ', {INDEX_STATE})");
    let from = format!(
        "FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
            JOIN pg_namespace n ON n.oid = x.relnamespace
        WHERE c.relkind IN ('r', 'p', 'm') AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
            AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')) AND {}",
        scope("pg_class", "c.oid")
    );
    Parts {
        kind: "'index'",
        oid: "x.oid",
        schema: "n.nspname",
        name: "x.relname",
        on: "i.indrelid",
        columns: &columns,
        definition: "pg_get_indexdef(x.oid)",
        identity: &identity,
        word: "'index'",
        state: &state,
        class: "pg_class",
        from: &from,
        ..PARTS
    }
    .query()
}

fn triggers() -> String {
    let identity = quoted("t.tgname");
    let columns = columns("t.tgattr", "pg_trigger", "t.oid", "t.tgrelid");
    let state = switched("t.tgenabled");
    // Up to 14 a partition's copies of its parent's triggers count as internal.
    let from = format!(
        "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0) AND {}",
        scope("pg_class", "c.oid")
    );
    Parts {
        kind: "'trigger'",
        oid: "t.oid",
        schema: "n.nspname",
        name: "t.tgname",
        on: "t.tgrelid",
        columns: &columns,
        definition: "pg_get_triggerdef(t.oid)",
        identity: &identity,
        word: "'trigger'",
        state: &state,
        class: "pg_trigger",
        from: &from,
        ..PARTS
    }
    .query()
}

fn rules() -> String {
    let identity = quoted("r.rulename");
    let columns = columns("'{}'::int2[]", "pg_rewrite", "r.oid", "r.ev_class");
    let state = switched("r.ev_enabled");
    let from = format!(
        "FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.rulename <> '_RETURN' AND {}",
        scope("pg_class", "c.oid")
    );
    Parts {
        kind: "'rule'",
        oid: "r.oid",
        schema: "n.nspname",
        name: "r.rulename",
        on: "r.ev_class",
        columns: &columns,
        definition: "pg_get_ruledef(r.oid)",
        identity: &identity,
        word: "'rule'",
        state: &state,
        class: "pg_rewrite",
        from: &from,
        ..PARTS
    }
    .query()
}

fn policies() -> String {
    let identity = quoted("p.polname");
    let columns = columns("'{}'::int2[]", "pg_policy", "p.oid", "p.polrelid");
    let from = format!(
        "FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {}",
        scope("pg_class", "c.oid")
    );
    Parts {
        kind: "'policy'",
        oid: "p.oid",
        schema: "n.nspname",
        name: "p.polname",
        on: "p.polrelid",
        columns: &columns,
        definition: "'AS ' || CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END
            || ' FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                WHEN 'd' THEN 'DELETE' ELSE 'ALL' END
            || ' TO ' || (SELECT string_agg(CASE WHEN o = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', '
                ORDER BY CASE WHEN o = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(o) END) FROM unnest(p.polroles) o)
            || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
            || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')",
        identity: &identity,
        word: "'policy'",
        class: "pg_policy",
        from: &from,
        ..PARTS
    }
    .query()
}

fn statistics() -> String {
    let identity = format!("{} || '.' || {}", quoted("n.nspname"), quoted("s.stxname"));
    let columns = columns("s.stxkeys", "pg_statistic_ext", "s.oid", "s.stxrelid");
    let from = format!(
        "FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {}",
        scope("pg_statistic_ext", "s.oid")
    );
    Parts {
        kind: "'statistics'",
        oid: "s.oid",
        schema: "n.nspname",
        name: "s.stxname",
        on: "s.stxrelid",
        columns: &columns,
        definition: "pg_get_statisticsobjdef(s.oid)",
        identity: &identity,
        word: "'statistics'",
        state: "CASE WHEN s.stxstattarget >= 0 THEN 'statistics ' || s.stxstattarget ELSE '' END",
        owner: "s.stxowner",
        class: "pg_statistic_ext",
        from: &from,
        ..PARTS
    }
    .query()
}

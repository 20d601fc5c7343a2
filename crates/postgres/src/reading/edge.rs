//! What needs what: `pg_depend`, brought down to the objects that a catalog holds.

use postgres::GenericClient;
use tandem_schema::model::Oid;

use crate::error::Error;

/// One object needs another.
pub(super) struct Edge {
    /// The system catalog of the one that needs.
    pub(super) class: String,
    /// The one that needs.
    pub(super) from: Oid,
    /// What it needs.
    pub(super) to: Oid,
}

/// A view's rule stands for the view, a default for its table, a domain's constraint for the domain; a table's row type
/// for the table, an array for its elements; a constraint's index for the constraint. The last part: CHECKs that a
/// child has from its parent.
const QUERY: &str = "
    SELECT
        CASE
            WHEN w.oid IS NOT NULL OR f.oid IS NOT NULL THEN 'pg_class'
            WHEN k.contypid <> 0 THEN 'pg_type'
            WHEN c.relkind = 'c' THEN 'pg_type'
            ELSE d.classid::regclass::text
        END,
        CASE
            WHEN w.oid IS NOT NULL THEN w.ev_class
            WHEN f.oid IS NOT NULL THEN f.adrelid
            WHEN k.contypid <> 0 THEN k.contypid
            WHEN c.relkind = 'c' THEN c.reltype
            ELSE d.objid
        END,
        CASE
            WHEN rt.typrelid <> 0 AND rc.relkind <> 'c' THEN rt.typrelid
            WHEN rt.oid IS NOT NULL THEN rt.oid
            WHEN tc.relkind = 'c' THEN tc.reltype
            WHEN tk.oid IS NOT NULL THEN tk.oid
            ELSE d.refobjid
        END
    FROM pg_depend d
        LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid AND w.rulename = '_RETURN'
        LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
        LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
        LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
        LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
        LEFT JOIN pg_type rt ON rt.oid = coalesce(nullif(CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, 0), t.oid)
        LEFT JOIN pg_class rc ON rc.oid = rt.typrelid
        LEFT JOIN pg_class tc ON d.refclassid = 'pg_class'::regclass AND tc.oid = d.refobjid
        LEFT JOIN pg_constraint tk ON tc.relkind IN ('i', 'I') AND tk.conindid = tc.oid AND tk.contype IN ('p', 'u', 'x')
    WHERE d.deptype IN ('n', 'a', 'i', 'P', 'S') AND d.objid >= 16384 AND d.refobjid >= 16384
        AND d.refclassid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_constraint'::regclass,
            'pg_trigger'::regclass)
    UNION
    SELECT 'pg_constraint', k.oid, a.oid FROM pg_constraint k
        JOIN pg_inherits i ON i.inhrelid = k.conrelid
        JOIN pg_constraint a ON a.conrelid = i.inhparent AND a.conname = k.conname AND a.contype = 'c'
    WHERE k.contype = 'c' AND k.coninhcount > 0";

/// Reads them all.
pub(super) fn read(client: &mut impl GenericClient) -> Result<Vec<Edge>, Error> {
    let mut edges = Vec::new();
    for row in client.query(QUERY, &[])? {
        edges.push(Edge { class: row.try_get(0)?, from: row.try_get(1)?, to: row.try_get(2)? });
    }
    Ok(edges)
}

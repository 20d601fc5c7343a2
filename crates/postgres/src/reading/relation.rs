//! Tables and views with their columns.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{GenericClient, Row};
use tandem_schema::model::{Column, Oid, Relation, RelationKind};
use tandem_schema::name::Name;

use super::object::{privileges, scope};
use crate::error::Error;

/// Reads them all.
pub(super) fn read(client: &mut impl GenericClient, version: u32) -> Result<BTreeMap<Oid, Relation>, Error> {
    let mut relations = BTreeMap::new();
    for row in client.query(&relations_query(), &[])? {
        let oid: Oid = row.try_get(0)?;
        relations.insert(oid, relation(&row)?);
    }
    for row in client.query(&columns_query(version), &[])? {
        let oid: Oid = row.try_get(0)?;
        // A table made between the two queries is not of this reading.
        if let Some(relation) = relations.get_mut(&oid) {
            relation.columns.push(column(&row)?);
        }
    }
    sum_up(&mut relations);
    Ok(relations)
}

fn relations_query() -> String {
    format!(
        "SELECT c.oid, c.relkind::text, n.nspname::text, c.relname::text,
            CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
            c.relpersistence::text,
            CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
            c.relispartition,
            pg_get_expr(c.relpartbound, c.oid),
            ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
            coalesce(c.reloptions, '{{}}')
                || ARRAY(SELECT 'toast.' || o FROM pg_class t, unnest(t.reloptions) o WHERE t.oid = c.reltoastrelid)
                || coalesce((SELECT ARRAY['server=' || s.srvname] || coalesce(f.ftoptions, '{{}}')
                    FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid), '{{}}')
                || CASE WHEN c.reloftype <> 0 THEN ARRAY['of=' || format_type(c.reloftype, NULL)] ELSE '{{}}' END
                || coalesce((SELECT ARRAY['access method=' || m.amname] FROM pg_am m
                    WHERE m.oid = c.relam AND m.amname <> 'heap'), '{{}}'),
            c.relreplident::text, c.relrowsecurity, c.relforcerowsecurity,
            pg_get_userbyid(c.relowner)::text,
            c.relacl::text[], acldefault('r', c.relowner)::text[],
            obj_description(c.oid, 'pg_class'),
            c.relfilenode,
            greatest(c.reltuples, 0)::float8,
            CASE WHEN c.relkind IN ('r', 'm') THEN coalesce(pg_relation_size(c.oid), 0) ELSE 0 END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {scope}",
        scope = scope("pg_class", "c.oid")
    )
}

fn columns_query(version: u32) -> String {
    let compression = if version >= 140_000 {
        "CASE a.attcompression WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END"
    } else {
        "NULL"
    };
    // From 18 on a NOT NULL can be unproven as well.
    let not_null = if version >= 180_000 {
        "a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
            AND k.conkey[1] = a.attnum AND NOT k.convalidated)"
    } else {
        "a.attnotnull"
    };
    format!(
        "SELECT a.attrelid, a.attnum, a.attname::text, format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod,
            (SELECT quote_ident(l.nspname) || '.' || quote_ident(o.collname) FROM pg_collation o
                JOIN pg_namespace l ON l.oid = o.collnamespace
                WHERE o.oid = a.attcollation AND a.attcollation <> t.typcollation),
            {not_null}, pg_get_expr(d.adbin, d.adrelid),
            CASE WHEN a.atthasmissing THEN quote_literal((a.attmissingval::text::text[])[1]) END,
            nullif(a.attidentity::text, ''), a.attgenerated::text <> '',
            concat_ws(' ',
                CASE WHEN a.attstorage <> t.typstorage THEN 'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'plain'
                    WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END END,
                {compression},
                CASE WHEN a.attstattarget >= 0 THEN 'STATISTICS ' || a.attstattarget END,
                CASE WHEN a.attoptions IS NOT NULL THEN '(' || array_to_string(a.attoptions, ', ') || ')' END,
                CASE WHEN a.attfdwoptions IS NOT NULL
                    THEN 'OPTIONS (' || array_to_string(a.attfdwoptions, ', ') || ')' END,
                CASE WHEN a.attgenerated::text = 'v' THEN 'VIRTUAL' END),
            a.attacl::text[], col_description(a.attrelid, a.attnum)
        FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {scope}
        ORDER BY a.attrelid, a.attnum",
        scope = scope("pg_class", "c.oid")
    )
}

fn relation(row: &Row) -> Result<Relation, Error> {
    let kind = match row.try_get::<_, &str>(1)? {
        "p" => RelationKind::Partitioned,
        "v" => RelationKind::View,
        "m" => RelationKind::Materialized,
        "f" => RelationKind::Foreign,
        _ => RelationKind::Table,
    };
    let parents: Vec<Oid> = row.try_get(9)?;
    let (partition_of, inherits) = match (row.try_get(7)?, parents.first()) {
        (true, Some(parent)) => {
            (Some((*parent, row.try_get::<_, Option<String>>(8)?.unwrap_or_default())), Vec::new())
        }
        _ => (None, parents),
    };
    let query: Option<String> = row.try_get(4)?;
    let query = query.map(|text| text.trim().trim_end_matches(';').to_owned()).unwrap_or_default();
    let size: i64 = row.try_get(20)?;
    Ok(Relation {
        kind,
        name: Name { schema: row.try_get(2)?, name: row.try_get(3)? },
        columns: Vec::new(),
        query,
        persistence: row.try_get(5)?,
        partition_key: row.try_get(6)?,
        partition_of,
        inherits,
        options: row.try_get(10)?,
        replica_identity: row.try_get(11)?,
        row_security: (row.try_get(12)?, row.try_get(13)?),
        owner: row.try_get(14)?,
        privileges: privileges(row.try_get(15)?, row.try_get(16)?),
        comment: row.try_get(17)?,
        needs: BTreeSet::new(),
        storage: row.try_get(18)?,
        rows: row.try_get::<_, f64>(19)? as u64,
        bytes: u64::try_from(size).unwrap_or_default(),
    })
}

fn column(row: &Row) -> Result<Column, Error> {
    Ok(Column {
        number: row.try_get(1)?,
        name: row.try_get(2)?,
        type_name: row.try_get(3)?,
        type_oid: (row.try_get(4)?, row.try_get(5)?),
        collation: row.try_get(6)?,
        not_null: row.try_get(7)?,
        default: row.try_get(8)?,
        given: row.try_get(9)?,
        identity: row.try_get(10)?,
        generated: row.try_get(11)?,
        storage: row.try_get(12)?,
        privileges: privileges(row.try_get(13)?, Some(Vec::new())),
        comment: row.try_get(14)?,
    })
}

/// A partitioned table is as large as its partitions together.
fn sum_up(relations: &mut BTreeMap<Oid, Relation>) {
    for relation in relations.values_mut().filter(|relation| relation.kind == RelationKind::Partitioned) {
        (relation.rows, relation.bytes) = (0, 0);
    }
    let leaves: Vec<(Oid, u64, u64)> = relations
        .values()
        .filter(|relation| relation.kind != RelationKind::Partitioned)
        .filter_map(|leaf| leaf.partition_of.as_ref().map(|(parent, _)| (*parent, leaf.rows, leaf.bytes)))
        .collect();
    for (parent, rows, bytes) in leaves {
        let mut above = Some(parent);
        while let Some(relation) = above.and_then(|oid| relations.get_mut(&oid)) {
            relation.rows = relation.rows.saturating_add(rows);
            relation.bytes = relation.bytes.saturating_add(bytes);
            above = relation.partition_of.as_ref().map(|(parent, _)| *parent);
        }
    }
}

-- Rows that a data statement changes are held, so that undo can give them back. Run with tables.sql.

-- Keeps what a row was and what it became, for the change that is active. AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW.
-- A time is written the same way whatever the session's zone.
CREATE FUNCTION tandem.hold() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog SET timezone = 'UTC' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
AS $hold$
BEGIN
    INSERT INTO tandem.held (change, relation, before, after)
    SELECT id, coalesce(pg_catalog.pg_partition_root(TG_RELID)::oid, TG_RELID),
           CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
           CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
    FROM tandem.change WHERE ended IS NULL;
    RETURN NULL;
END
$hold$;

-- Gives back what is held of a relation, newest first, and tells how many rows were changed since and stay as they are.
-- Columns that did not exist then, Tandem's own and those named in "ignoring" don't count as changed.
-- Known limit: a JSON null in a jsonb column comes back as an SQL NULL.
CREATE FUNCTION tandem.give_back(of regclass, ignoring text[] DEFAULT '{}') RETURNS bigint LANGUAGE plpgsql
    SET search_path = pg_catalog SET timezone = 'UTC' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
AS $give_back$
DECLARE
    entry record;
    key text[];
    columns text[];
    skipped text[];
    matching text;
    same text;
    touched bigint;
    found_it boolean;
    lost bigint := 0;
BEGIN
    SELECT array_agg(a.attname::text ORDER BY a.attnum) INTO key
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = of AND i.indisprimary;

    FOR entry IN
        SELECT h.change, h.seq, h.before, h.after
        FROM tandem.held h JOIN tandem.change c ON c.id = h.change
        WHERE c.ended IS NULL AND h.relation = of
        ORDER BY h.seq DESC
    LOOP
        -- What the row held then is compared with what it holds now, over the columns that both know.
        SELECT coalesce(array_agg(a.attname::text), '{}') INTO skipped
        FROM pg_attribute a
        WHERE a.attrelid = of AND a.attnum > 0 AND NOT a.attisdropped
          AND (NOT coalesce(entry.after, entry.before) ? a.attname OR a.attname = ANY (ignoring)
               OR starts_with(a.attname, '__tandem_'));
        -- What can be written: no generated columns; identity keeps what it is but in rows that come back.
        SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum) INTO columns
        FROM pg_attribute a
        WHERE a.attrelid = of AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
          AND NOT a.attname = ANY (skipped) AND (entry.after IS NULL OR a.attidentity <> 'a');
        same := 'to_jsonb(t) - $2 = to_jsonb(o) - $2';
        IF key IS NULL THEN
            matching := same;
        ELSE
            SELECT string_agg(format('t.%1$I = o.%1$I', k), ' AND ') INTO matching FROM unnest(key) k;
        END IF;
        touched := 0;
        BEGIN
            IF entry.after IS NULL THEN
                EXECUTE format(
                    'INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s
                     FROM jsonb_populate_record(NULL::%1$s, $1) o ON CONFLICT DO NOTHING',
                    of, array_to_string(columns, ', ')) USING entry.before;
                GET DIAGNOSTICS touched = ROW_COUNT;
            ELSIF entry.before IS NULL THEN
                EXECUTE format(
                    'DELETE FROM %1$s d WHERE (d.tableoid, d.ctid) = (
                     SELECT t.tableoid, t.ctid FROM %1$s t, jsonb_populate_record(NULL::%1$s, $1) o
                     WHERE %2$s AND %3$s LIMIT 1 FOR UPDATE OF t)',
                    of, matching, same) USING entry.after, skipped;
                GET DIAGNOSTICS touched = ROW_COUNT;
            ELSIF columns IS NOT NULL THEN
                EXECUTE format(
                    'UPDATE %1$s d SET (%4$s) = (SELECT %4$s FROM jsonb_populate_record(NULL::%1$s, $3) b)
                     WHERE (d.tableoid, d.ctid) = (
                     SELECT t.tableoid, t.ctid FROM %1$s t, jsonb_populate_record(NULL::%1$s, $1) o
                     WHERE %2$s AND %3$s LIMIT 1 FOR UPDATE OF t)',
                    of, matching, same, array_to_string(columns, ', ')) USING entry.after, skipped, entry.before;
                GET DIAGNOSTICS touched = ROW_COUNT;
            END IF;
        EXCEPTION WHEN integrity_constraint_violation THEN
            touched := -1;
        END;
        IF touched = 1 THEN
            DELETE FROM tandem.held WHERE change = entry.change AND seq = entry.seq;
            CONTINUE;
        END IF;
        -- A row that somebody deleted since is gone with good reason; one that was changed since is lost to undo.
        found_it := true;
        IF touched = 0 AND entry.after IS NOT NULL AND key IS NOT NULL THEN
            EXECUTE format(
                'SELECT EXISTS (SELECT FROM %1$s t, jsonb_populate_record(NULL::%1$s, $1) o WHERE %2$s)',
                of, matching) INTO found_it USING entry.after;
        END IF;
        IF found_it THEN
            lost := lost + 1;
        END IF;
    END LOOP;
    RETURN lost;
END
$give_back$;

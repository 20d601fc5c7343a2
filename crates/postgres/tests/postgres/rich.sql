-- Something of everything that a schema can hold.
CREATE EXTENSION citext;
CREATE EXTENSION btree_gist;
CREATE SCHEMA "my app";
COMMENT ON SCHEMA "my app" IS 'with a space';
CREATE TYPE "my app".mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TYPE pair AS (a int, "B" text COLLATE "C");
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN email AS citext COLLATE "C" DEFAULT 'x@y' NOT NULL CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
COMMENT ON TYPE pair IS 'two';
CREATE SEQUENCE counter AS int START 5 INCREMENT 2 MINVALUE 1 MAXVALUE 99 CYCLE;
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.note := 'touched'; RETURN NEW; END $f$;
CREATE FUNCTION add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE PROCEDURE nothing(INOUT x int) LANGUAGE plpgsql AS $p$ BEGIN x := x; END $p$;
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE OPERATOR |+| (function = add, leftarg = int, rightarg = int);
REVOKE EXECUTE ON FUNCTION add(int, int) FROM PUBLIC;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gone int,
    name varchar(100) COLLATE "C" NOT NULL,
    mail email,
    mood "my app".mood DEFAULT 'sad',
    moods "my app".mood[],
    "both" pair,
    note text DEFAULT 'none',
    number int DEFAULT nextval('counter'),
    loud text GENERATED ALWAYS AS (upper(name)) STORED,
    CONSTRAINT number_is_small CHECK (number < 1000),
    CONSTRAINT name_is_unique UNIQUE (name, number) DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE users DROP COLUMN gone;
ALTER TABLE users ALTER COLUMN note SET STORAGE external, ALTER COLUMN name SET STATISTICS 500;
ALTER TABLE users ADD CONSTRAINT note_is_long CHECK (length(note) > 1) NOT VALID;
ALTER TABLE users SET (fillfactor = 80, toast.autovacuum_enabled = off);
COMMENT ON TABLE users IS 'people';
COMMENT ON COLUMN users.name IS 'how they are called';
COMMENT ON CONSTRAINT number_is_small ON users IS 'not too large';
CREATE INDEX users_by_mail ON users (lower(mail::text), note DESC) INCLUDE (number) WHERE number > 3;
CREATE UNIQUE INDEX users_by_number ON users (number);
COMMENT ON INDEX users_by_mail IS 'for logins';
CREATE STATISTICS users_statistics (dependencies) ON name, number FROM users;
CREATE TRIGGER touched BEFORE UPDATE OF note ON users FOR EACH ROW WHEN (NEW.number > 1) EXECUTE FUNCTION touch();
CREATE TRIGGER untouched BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE users DISABLE TRIGGER untouched;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users AS RESTRICTIVE FOR UPDATE TO CURRENT_USER, PUBLIC USING (number > 1) WITH CHECK (number > 2);
GRANT SELECT (name), UPDATE (note) ON users TO PUBLIC;
GRANT SELECT ON users TO pg_monitor;

CREATE TABLE serials (id serial PRIMARY KEY, t text);
CREATE TABLE posts (
    id int PRIMARY KEY,
    author bigint REFERENCES users ON DELETE CASCADE DEFERRABLE,
    during tsrange,
    EXCLUDE USING gist (author WITH =, during WITH &&)
);
CREATE UNLOGGED TABLE quick (a int);
ALTER TABLE quick REPLICA IDENTITY FULL;
CREATE RULE no_delete AS ON DELETE TO quick DO INSTEAD NOTHING;
CREATE TABLE base (x int CHECK (x > 0));
CREATE TABLE kinds (
    kind varchar(10) DEFAULT 'a' CHECK (kind IN ('a', 'b,]', 'it''s')),
    known bool GENERATED ALWAYS AS (kind IN ('a', 'c')) STORED
);
CREATE INDEX kinds_known ON kinds (known) WHERE kind IN ('a', 'b');
CREATE POLICY kinds_shown ON kinds USING (kind NOT IN ('x', 'y'));
CREATE VIEW some_kinds AS SELECT kind FROM kinds WHERE kind IN ('a', 'b');
CREATE TABLE derived (y int) INHERITS (base);

CREATE TABLE events (id int, at date, what text, CHECK (id > 0), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY RANGE (id);
CREATE TABLE events_rest_a PARTITION OF events_rest FOR VALUES FROM (0) TO (10);
CREATE INDEX events_by_what ON events (what);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER on_event AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION noted();
CREATE TABLE remarks (event int, at date, FOREIGN KEY (event, at) REFERENCES events);

CREATE VIEW loud_users WITH (security_barrier) AS SELECT id, loud, add(number) AS more FROM users WHERE number > 1;
CREATE VIEW louder AS SELECT * FROM loud_users ORDER BY 1;
COMMENT ON VIEW louder IS 'even more';
COMMENT ON COLUMN louder.loud IS 'a view''s column';
CREATE MATERIALIZED VIEW counted AS SELECT mood, count(*) AS n FROM users GROUP BY mood;
CREATE UNIQUE INDEX counted_by_mood ON counted (mood);

CREATE CAST (pair AS text) WITH INOUT;
CREATE PUBLICATION news FOR TABLE posts;
ALTER DEFAULT PRIVILEGES IN SCHEMA "my app" GRANT SELECT ON TABLES TO PUBLIC;
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl();
ALTER EVENT TRIGGER watch DISABLE;

CREATE SCHEMA tandem;
CREATE TABLE tandem.journal (a int);
CREATE SCHEMA tandem_0001;
CREATE VIEW tandem_0001.users AS SELECT id FROM users;

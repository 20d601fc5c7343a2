-- What Tandem keeps in a database, format 1. Run once, in one transaction.
CREATE SCHEMA IF NOT EXISTS tandem;

CREATE TABLE tandem.format (number int NOT NULL);
INSERT INTO tandem.format VALUES (1);

CREATE TABLE tandem.revision (
    name text PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    migrations jsonb NOT NULL,
    adopted boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tandem.change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan jsonb NOT NULL,
    phase text NOT NULL
        CHECK (phase IN ('starting', 'mixed', 'contracting', 'undoing', 'settled', 'undone')),
    next int NOT NULL DEFAULT 0,
    paused boolean NOT NULL DEFAULT false,
    -- Grows with each operator that takes the change over: one that lost its lock can't go on unnoticed.
    turn bigint NOT NULL DEFAULT 0,
    by text NOT NULL,
    begun timestamptz NOT NULL DEFAULT now(),
    ended timestamptz,
    CHECK ((ended IS NOT NULL) = (phase IN ('settled', 'undone')))
);
CREATE UNIQUE INDEX change_active ON tandem.change ((true)) WHERE ended IS NULL;

CREATE TABLE tandem.progress (
    change bigint NOT NULL REFERENCES tandem.change ON DELETE CASCADE,
    list text NOT NULL CHECK (list IN ('start', 'contract', 'undo')),
    step int NOT NULL,
    mark jsonb NOT NULL,
    rows_done bigint NOT NULL,
    rows_total bigint NOT NULL,
    PRIMARY KEY (change, list, step)
);

CREATE TABLE tandem.held (
    change bigint NOT NULL REFERENCES tandem.change ON DELETE CASCADE,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    relation oid NOT NULL,
    before jsonb,
    after jsonb,
    PRIMARY KEY (change, seq)
);

-- Where things stand may be seen by everybody; values of rows (keys in marks, held rows) may not.
GRANT USAGE ON SCHEMA tandem TO PUBLIC;
GRANT SELECT ON tandem.format, tandem.revision, tandem.change TO PUBLIC;
GRANT SELECT (change, list, step, rows_done, rows_total) ON tandem.progress TO PUBLIC;

//! Names that must be quoted, and the longest ones.

use crate::Case;
use crate::stage::CASE;

#[test]
fn names_with_spaces_quotes_keywords_and_capitals() {
    Case {
        before: r#"CREATE TABLE "User ""T""" ("a b" serial PRIMARY KEY, "select" text NOT NULL DEFAULT 'x', "Übung" int, "Group" int);
            INSERT INTO "User ""T""" ("Übung") SELECT i FROM generate_series(1, 20) i;
            CREATE TABLE "Order Items" ("user" int REFERENCES "User ""T""", n int);
            CREATE VIEW "V w" AS SELECT "select" FROM "User ""T""";
            CREATE FUNCTION "F n"() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
            CREATE TRIGGER "Tr g" BEFORE UPDATE ON "User ""T""" FOR EACH ROW EXECUTE FUNCTION "F n"()"#,
        migration: r#"ALTER TABLE "User ""T""" RENAME COLUMN "select" TO "from";
            ALTER TABLE "User ""T""" DROP COLUMN "Group";
            ALTER TABLE "User ""T""" ADD COLUMN "it's" int CONSTRAINT "c ""k"" '" CHECK ("it's" > 0);
            CREATE TYPE "En um" AS ENUM ('a, b', 'it''s');
            ALTER TABLE "User ""T""" ADD COLUMN "Order" "En um" DEFAULT 'it''s';
            ALTER TABLE "User ""T""" RENAME TO "User";
            CREATE TABLE "Group" ("limit" int, CONSTRAINT "P k" PRIMARY KEY ("limit"));
            CREATE INDEX "I x" ON "User" ("from");
            CREATE TRIGGER "Tr 2" AFTER UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION "F n"();
            CREATE OR REPLACE VIEW "V w" AS SELECT "from" AS "select", "a b" FROM "User";
            CREATE OR REPLACE FUNCTION "F n"() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW."a b" := NEW."a b"; RETURN NEW; END$$"#,
        old: &[
            r#"INSERT INTO "User ""T""" ("select", "Übung", "Group") VALUES ($1::text, 1, 2)"#,
            r#"UPDATE "User ""T""" SET "select" = $1::text WHERE "a b" = 3"#,
            r#"SELECT * FROM "V w""#,
        ],
        new: &[
            r#"INSERT INTO "User" ("from", "Übung") VALUES ($1::text, 1) RETURNING "Order""#,
            r#"UPDATE "User" SET "from" = $1::text, "it's" = 3 WHERE "a b" = 4"#,
            r#"SELECT "a b" FROM "V w""#,
        ],
        large: true,
        ..CASE
    }
    .run();
}

#[test]
fn names_as_long_as_they_may_be() {
    let named = |last: char| format!("{}{last}", "é".repeat(31));
    let (name, other, third) = (named('x'), named('y'), named('z'));
    Case {
        before: &format!(
            r#"CREATE TABLE "{name}" (id serial PRIMARY KEY, "{name}" text NOT NULL);
            INSERT INTO "{name}" ("{name}") SELECT i FROM generate_series(1, 20) i"#
        ),
        migration: &format!(
            r#"ALTER TABLE "{name}" ALTER "{name}" TYPE int USING "{name}"::int;
            ALTER TABLE "{name}" ADD COLUMN "{other}" int NOT NULL DEFAULT 3;
            ALTER TABLE "{name}" ADD CONSTRAINT "{third}" UNIQUE ("{other}", id);
            -- @down "{name}"."{name}": "{name}"::text"#
        ),
        old: &[&format!(r#"INSERT INTO "{name}" ("{name}") VALUES ($1::text)"#)],
        new: &[&format!(r#"INSERT INTO "{name}" ("{name}") VALUES ($1) RETURNING "{other}""#)],
        ..CASE
    }
    .run();
}

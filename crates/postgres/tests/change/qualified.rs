//! Clients that write the schema before each name, as Prisma does: they have nothing but their lens, through all phases.

use crate::Case;
use crate::stage::CASE;

const SHOP: &str = r#"
    CREATE TYPE "Mood" AS ENUM ('GOOD', 'BAD');
    CREATE TABLE "User" (id serial PRIMARY KEY, email text UNIQUE NOT NULL, name text, mood "Mood" NOT NULL DEFAULT 'GOOD', age int);
    CREATE TABLE "Post" (id serial PRIMARY KEY, title text NOT NULL, "authorId" int NOT NULL REFERENCES "User" (id));
    CREATE TABLE "Gone" (id serial PRIMARY KEY, note text);
    CREATE TABLE "Still" (id int PRIMARY KEY, counter bigint NOT NULL);
    CREATE VIEW "Adults" AS SELECT id, name FROM "User" WHERE age >= 18;
    INSERT INTO "User" (email, name, age) SELECT 'e' || i, 'n' || i, i FROM generate_series(1, 50) i;
    INSERT INTO "Post" (title, "authorId") SELECT 'p' || i, i FROM generate_series(1, 50) i;
    INSERT INTO "Still" VALUES (1, 0)"#;

const OLD: &[&str] = &[
    r#"SELECT @."User"."id", @."User"."email", @."User"."mood"::text FROM @."User" WHERE @."User"."id" = $1"#,
    r#"INSERT INTO @."User" ("email", "name", "mood", "age") VALUES ($1::text, 'x', CAST('BAD'::text AS @."Mood"), 5) RETURNING @."User"."id""#,
    r#"INSERT INTO @."User" ("email", "name") VALUES ('e1', 'one') ON CONFLICT ("email") DO UPDATE SET "name" = $1::text WHERE @."User"."email" = 'e1' RETURNING "id""#,
    r#"SELECT "t0"."id", (SELECT count(*) FROM @."Post" AS "t1" WHERE "t1"."authorId" = "t0"."id") FROM @."User" AS "t0" ORDER BY "t0"."id" LIMIT 3"#,
    r#"UPDATE @."Still" SET "counter" = "counter" + 1 WHERE "id" = 1"#,
    r#"SELECT * FROM @."Adults" WHERE id = $1"#,
    r#"INSERT INTO @."Gone" ("note") VALUES ($1::text)"#,
    r#"SELECT count(*) FROM @."User" WHERE @."User"."mood" = CAST('BAD'::text AS @."Mood") AND "mood" IN (CAST('BAD'::text AS @."Mood"), CAST('GOOD'::text AS @."Mood"))"#,
    r#"SELECT count(*) FROM @."User" WHERE CAST('BAD'::text AS @."Mood") >= "mood" AND "mood" <> ALL (ARRAY['GOOD']::@."Mood"[])"#,
    r#"SELECT count(*) FROM @."User" a JOIN @."User" b ON a."mood" = b."mood" AND a.mood = 'GOOD' AND a.id = b.id WHERE CAST('BAD'::text AS @."Mood") <> CAST('GOOD'::text AS @."Mood")"#,
    r#"SELECT 1 FROM @."Post" AS "p" WHERE "p"."id" = $1 FOR UPDATE"#,
];

#[test]
fn everything_is_reached_through_the_lens_alone() {
    Case {
        before: SHOP,
        migration: r#"
            ALTER TABLE "User" RENAME COLUMN "name" TO "fullName";
            -- @down "User".age: 0
            ALTER TABLE "User" DROP COLUMN "age" CASCADE;
            ALTER TABLE "User" ADD COLUMN "score" int NOT NULL DEFAULT 7;
            ALTER TABLE "Post" ALTER COLUMN "id" TYPE bigint;
            ALTER TABLE "Post" RENAME TO "Article";
            DROP TABLE "Gone";
            CREATE TYPE "Colour" AS ENUM ('RED', 'BLUE');
            CREATE TABLE "Tag" (id serial PRIMARY KEY, colour "Colour" NOT NULL DEFAULT 'RED');
            CREATE VIEW "Named" AS SELECT id, "fullName" FROM "User""#,
        old: OLD,
        new: &[
            r#"SELECT @."User"."fullName", @."User"."score", @."User"."mood"::text FROM @."User" WHERE @."User"."id" = $1"#,
            r#"INSERT INTO @."User" ("email", "fullName", "mood") VALUES ($1::text, 'y', CAST('GOOD'::text AS @."Mood")) RETURNING @."User"."id", "score""#,
            r#"INSERT INTO @."User" ("email") VALUES ('e2') ON CONFLICT ("email") DO UPDATE SET "fullName" = $1::text RETURNING "id""#,
            r#"INSERT INTO @."Tag" ("colour") VALUES (CAST('BLUE'::text AS @."Colour"))"#,
            r#"UPDATE @."Still" SET "counter" = "counter" + 1 WHERE "id" = 1"#,
            r#"SELECT * FROM @."Article" AS "a" JOIN @."Named" AS "n" ON "n"."id" = "a"."authorId" WHERE "a"."id" = $1"#,
        ],
        old_sees: &[(r#"SELECT id, email, name, mood, age FROM @."User" WHERE id = 7"#, "(7,e7,n7,GOOD,7)")],
        new_sees: &[
            (r#"SELECT id, email, "fullName", mood, score FROM @."User" WHERE id = 7"#, "(7,e7,n7,GOOD,7)"),
            (r#"SELECT title FROM @."Article" WHERE id = 7::bigint"#, "(p7)"),
        ],
        qualified: true,
        ..CASE
    }
    .run();
}

#[test]
fn an_enum_is_rebuilt_and_tables_wait_for_their_names() {
    Case {
        before: SHOP,
        migration: r#"
            ALTER TYPE "Mood" RENAME TO "Mood_old";
            CREATE TYPE "Mood" AS ENUM ('GOOD', 'BAD', 'FINE');
            ALTER TABLE "User" ALTER COLUMN "mood" DROP DEFAULT;
            -- @down "User".mood: CASE mood WHEN 'FINE' THEN 'GOOD' ELSE mood::text END::"Mood"
            ALTER TABLE "User" ALTER COLUMN "mood" TYPE "Mood" USING ("mood"::text::"Mood");
            ALTER TABLE "User" ALTER COLUMN "mood" SET DEFAULT 'FINE';
            DROP TYPE "Mood_old";
            DROP TABLE "Gone";
            CREATE TABLE "Gone" (key text PRIMARY KEY)"#,
        old: OLD,
        new: &[
            r#"INSERT INTO @."User" ("email", "mood") VALUES ($1::text, CAST('FINE'::text AS @."Mood")) RETURNING "id", "mood"::text"#,
            r#"SELECT * FROM @."User" WHERE id = $1"#,
            r#"INSERT INTO @."Gone" ("key") VALUES ($1::text)"#,
            r#"SELECT * FROM @."Adults" WHERE id = $1"#,
        ],
        new_sees: &[(r#"SELECT mood FROM @."User" WHERE id = 7"#, "(GOOD)")],
        qualified: true,
        ..CASE
    }
    .run();
}

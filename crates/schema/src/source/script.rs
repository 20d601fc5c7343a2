//! A script divided into its statements.

use super::annotation::{self, Note};
use super::manner;
use super::statement::Sight;
use super::{DataStatement, Mark, Place, SourceError};
use crate::syntax::{self, Fault, Parsed, Token};

/// A statement of a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// As it was written, without the final `;`.
    pub text: String,
    /// Where it stands in its file.
    pub place: Place,
    /// When it is to be run, where the team said so.
    pub mark: Option<Mark>,
    /// What it does to rows, where it is an INSERT, UPDATE, DELETE or TRUNCATE (also under WITH).
    pub data: Option<DataStatement>,
    /// The rows that it puts into the table that it makes: of CREATE TABLE … AS.
    pub filled: Option<DataStatement>,
    /// The table that it makes for its session alone.
    pub temporary: Option<String>,
    /// Of ALTER TABLE … ALTER COLUMN … TYPE … USING: table's schema if written, table, column, expression.
    pub using: Vec<(Option<String>, String, String, String)>,
    /// Must run outside of a transaction block (CREATE INDEX CONCURRENTLY, VACUUM, …).
    pub alone: bool,
    /// BEGIN, COMMIT and the like: skipped.
    pub transaction_control: bool,
    /// Anything whose effects the catalog can't show: DO, CALL, SELECT of a function, COPY, LISTEN, MERGE.
    pub opaque: bool,
    /// SET, RESET and the like: matters to the statements after it, and to nobody else.
    pub setting: bool,
}

impl Statement {
    /// LOCK TABLE: it is for the transaction that a framework would wrap around the file.
    pub fn locks(&self) -> bool {
        self.begins_with("lock ")
    }

    /// VACUUM: it changes nothing that anybody sees.
    pub fn vacuums(&self) -> bool {
        self.begins_with("vacuum")
    }

    /// ALTER TYPE … ADD VALUE: no transaction can use the value that it adds, and nothing takes it away.
    pub fn adds_value(&self) -> bool {
        self.text.to_lowercase().contains("add value")
    }

    fn begins_with(&self, word: &str) -> bool {
        self.text.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word))
    }
}

/// Divides a text; `offset` is where it begins in `file`.
///
/// # Errors
/// It does not parse.
pub fn split(file: &str, text: &str, offset: usize) -> Result<Vec<Statement>, SourceError> {
    Script::new(file, text, offset)?.statements()
}

/// A text with its tokens and where it stands.
pub(super) struct Script<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) offset: usize,
    pub(super) tokens: Vec<Token>,
}

impl<'a> Script<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, offset: usize) -> Result<Script<'a>, SourceError> {
        // Some editors begin a file with this mark; PostgreSQL's tools skip it, its parser doesn't.
        let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
        let offset = offset + text.len() - bare.len();
        let mut script = Script { file, text: bare, offset, tokens: Vec::new() };
        match syntax::tokens(bare) {
            Ok(tokens) => script.tokens = tokens,
            Err(fault) => return Err(script.error(fault)),
        }
        match script.tokens.iter().find(|token| token.is_sign(b'\\')) {
            Some(token) => Err(script.meta(token.start)),
            None => Ok(script),
        }
    }

    pub(super) fn place(&self, start: usize, end: usize) -> Place {
        Place { file: self.file.to_owned(), start: self.offset + start, end: self.offset + end }
    }

    fn error(&self, fault: Fault) -> SourceError {
        let (start, end) = fault.at.unwrap_or((0, self.text.len()));
        // A psql command at the start of a line before it, or data after COPY … FROM stdin, is what is really wrong.
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            let inner = at + line.len() - line.trim_start().len();
            if inner <= start && line.trim_start().starts_with('\\') && !self.is_inside(inner) {
                return self.meta(inner);
            }
            at += line.len();
        }
        SourceError {
            message: format!("not SQL that PostgreSQL understands: {}", fault.message),
            help: None,
            place: Some(self.place(start, end)),
        }
    }

    /// Whether a byte belongs to a literal or comment.
    fn is_inside(&self, at: usize) -> bool {
        self.tokens.iter().any(|token| token.start < at && at < token.end)
    }

    fn meta(&self, start: usize) -> SourceError {
        let rest = self.text.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default().trim_end();
        let help = if line.starts_with("\\.") {
            "write the rows as INSERT: COPY … FROM stdin needs a client that sends them"
        } else {
            "remove the line: only psql understands it (pg_dump writes such lines)"
        };
        SourceError {
            message: format!("`{line}` is a command of psql, not SQL"),
            help: Some(help.to_owned()),
            place: Some(self.place(start, start + line.len())),
        }
    }

    pub(super) fn statements(&self) -> Result<Vec<Statement>, SourceError> {
        let all = syntax::statements(self.text, &self.tokens).map_err(|fault| self.error(fault))?;
        let notes = annotation::marks(self);
        let mut before = 0;
        let mut found = Vec::new();
        for (index, parsed) in all.iter().enumerate() {
            let after = all.get(index + 1).map_or(self.text.len(), |next| next.start);
            let from = self.line_after(before, parsed.start);
            let to = if index + 1 == all.len() { after } else { self.line_after(parsed.end, after) };
            let mark = self.mark(&notes, from, to)?;
            found.push(self.statement(parsed, mark));
            before = parsed.end;
        }
        Ok(found)
    }

    /// The end of the line on which a statement ends, but no further than the next statement: a comment there is still its own.
    fn line_after(&self, end: usize, limit: usize) -> usize {
        if end == 0 {
            return 0;
        }
        let rest = self.text.get(end..limit).unwrap_or_default();
        rest.find('\n').map_or(limit, |at| end + at)
    }

    fn mark(&self, notes: &[(usize, Mark)], from: usize, to: usize) -> Result<Option<Mark>, SourceError> {
        let mut own = notes.iter().filter(|(at, _)| (from..to).contains(at));
        let Some((_, first)) = own.next() else { return Ok(None) };
        match own.find(|(_, mark)| mark != first) {
            Some((at, _)) => Err(SourceError {
                message: "a statement can't be marked both @expand and @contract".to_owned(),
                help: Some("keep the one of the time when it is to be run".to_owned()),
                place: Some(self.place(*at, *at + 2)),
            }),
            None => Ok(Some(*first)),
        }
    }

    fn statement(&self, parsed: &Parsed, mark: Option<Mark>) -> Statement {
        let text = self.text.get(parsed.start..parsed.end).unwrap_or_default().to_owned();
        let sight = parsed.tree.as_ref().map(|tree| Sight::new(self.text, &self.tokens, parsed, tree));
        let manner = match &parsed.tree {
            Some(tree) => manner::manner(tree),
            None => manner::manner_by_word(text.split_whitespace().next().unwrap_or_default()),
        };
        Statement {
            place: self.place(parsed.start, parsed.end),
            mark,
            data: sight.as_ref().and_then(Sight::data),
            filled: sight.as_ref().and_then(Sight::filled),
            temporary: sight.as_ref().and_then(Sight::temporary),
            using: sight.map(|sight| sight.using()).unwrap_or_default(),
            alone: manner.alone,
            transaction_control: manner.transaction_control,
            opaque: manner.opaque,
            setting: manner.setting,
            text,
        }
    }

    pub(super) fn notes(&self) -> Vec<Note<'a>> {
        annotation::notes(self.text, &self.tokens)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Verb;
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let all = split("a.sql", text, 0).expect("it is SQL");
        for one in &all {
            assert_eq!(&text[one.place.start..one.place.end], one.text);
        }
        all.into_iter().map(|one| one.text).collect()
    }

    fn one(text: &str) -> Statement {
        let mut all = split("a.sql", text, 0).expect("it is SQL");
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn statements_stand_alone() {
        let text = "\u{feff}-- ü; no\n/* a /* nested; */ b; */ SELECT 'a;--b' , E'\\';' ;;\n\
            CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ SELECT 1; -- ; $$ $x$; -- end\n\
            CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\r\n\
            INSERT INTO \"Ä;\" VALUES (U&'\\00e4;')\n -- last";
        let all = texts(text);
        assert_eq!(all.len(), 4, "{all:?}");
        assert_eq!(all[0], "SELECT 'a;--b' , E'\\';'");
        assert_eq!(all[3], "INSERT INTO \"Ä;\" VALUES (U&'\\00e4;')");
        assert!(texts("").is_empty() && texts(" -- nothing\n;;").is_empty());
        assert_eq!(split("a.sql", "select 1", 7).unwrap()[0].place.start, 7);
    }

    #[test]
    fn errors_have_a_place() {
        let error = split("a.sql", "SELECT 1;\nSELEC 'ä';", 100).unwrap_err();
        assert_eq!(error.place, Some(Place { file: "a.sql".into(), start: 110, end: 115 }));
        let error = split("a.sql", "SELECT '\\x';\n\\restrict it's\nSELECT 1;", 0).unwrap_err();
        assert!(error.message.starts_with("`\\restrict it's` is a command of psql"), "{error}");
        let error = split("a.sql", "COPY t FROM stdin;\n1\tit's\n\\.\nSELECT 1;", 0).unwrap_err();
        assert!(error.message.starts_with("not SQL") || error.message.contains("\\."), "{error}");
    }

    #[test]
    fn marks_belong_to_the_nearest_statement() {
        let text = "-- @expand\nSELECT 1; -- @contract\nSELECT 2;\n\n-- author\n-- @contract\nSELECT\n 3;\n\
                    SELECT -- @expand\n4;\nSELECT '-- @expand'; -- @contract";
        assert_eq!(split("a", text, 0).unwrap_err().place.unwrap().start, 21);
        let text = text.replacen("@contract", "then", 1);
        let marks: Vec<_> = split("a", &text, 0).unwrap().into_iter().map(|one| one.mark).collect();
        let (expand, contract) = (Some(Mark::Expand), Some(Mark::Contract));
        assert_eq!(marks, [expand, None, contract, expand, contract]);
    }

    #[test]
    fn how_a_statement_is_run() {
        let flags = |text: &str| {
            let one = one(text);
            let all =
                [(one.alone, 'a'), (one.transaction_control, 't'), (one.opaque, 'o'), (one.setting, 's')];
            all.iter().filter(|(is, _)| *is).map(|(_, letter)| *letter).collect::<String>()
        };
        for (text, expected) in [
            ("CREATE INDEX CONCURRENTLY i ON t (a)", "a"),
            ("CREATE INDEX i ON t (a)", ""),
            ("DROP INDEX CONCURRENTLY i", "a"),
            ("REINDEX INDEX CONCURRENTLY i", "ao"),
            ("REINDEX (VERBOSE, CONCURRENTLY) TABLE t", "ao"),
            ("REINDEX TABLE t", "o"),
            ("VACUUM t", "ao"),
            ("ANALYZE t", "o"),
            ("CREATE DATABASE x", "ao"),
            ("ALTER SYSTEM SET work_mem = '1MB'", "ao"),
            ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", "a"),
            ("ALTER TABLE t DETACH PARTITION p", ""),
            ("BEGIN", "t"),
            ("COMMIT", "t"),
            ("SAVEPOINT x", "t"),
            ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "t"),
            ("SET LOCAL lock_timeout = '1s'", "s"),
            ("RESET ALL", "s"),
            ("SET CONSTRAINTS ALL DEFERRED", "s"),
            ("DO $$ BEGIN END $$", "o"),
            ("CALL p()", "o"),
            ("COPY t FROM '/x'", "o"),
            ("SELECT 1", "o"),
            ("SELECT pg_catalog.set_config('search_path', '', false)", "o"),
            ("SELECT * INTO x FROM y", ""),
            ("CREATE TABLE x AS SELECT 1", ""),
            ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", "o"),
            ("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", ""),
            ("COMMENT ON TABLE t IS 'x'", ""),
        ] {
            assert_eq!(flags(text), expected, "{text}");
        }
    }

    #[test]
    fn rows_that_are_copied_one_by_one() {
        let copied = |text: &str| one(text).data.expect("it writes rows").copied;
        let found = copied(
            "INSERT INTO p (a, \"B\", c) SELECT u.id AS x, coalesce(a, ',') || extract(year FROM b) y, 'from' \
             FROM s.users u WHERE u.x IS NOT NULL -- all",
        )
        .expect("row by row");
        assert_eq!(found.columns, ["a", "B", "c"]);
        assert_eq!(found.values, ["u.id", "coalesce(a, ',') || extract(year FROM b)", "'from'"]);
        assert_eq!((found.source, &*found.alias), ((Some("s".into()), "users".into()), "u"));
        assert_eq!(found.condition.as_deref(), Some("u.x IS NOT NULL"));
        let filled = |text: &str| one(text).filled;
        let made = filled("CREATE TABLE s.p (x) AS SELECT id FROM users").expect("it fills a table");
        assert_eq!((made.schema.as_deref(), &*made.table), (Some("s"), "p"));
        assert_eq!(
            made.copied.map(|rows| (rows.columns, rows.values)),
            Some((vec!["x".into()], vec!["id".into()]))
        );
        assert!(filled("SELECT id INTO p FROM users").is_some_and(|made| made.copied.is_none()));
        assert!(filled("CREATE TABLE p AS EXECUTE q").is_some_and(|made| made.copied.is_none()));
        for nothing in [
            "CREATE TABLE p AS SELECT 1 WITH NO DATA",
            "CREATE TEMP TABLE p AS SELECT 1",
            "CREATE MATERIALIZED VIEW p AS SELECT 1",
        ] {
            assert_eq!(filled(nothing), None, "{nothing}");
        }
        for select in [
            "SELECT id FROM users LIMIT 3",
            "SELECT DISTINCT id FROM users",
            "SELECT count(*) FROM users GROUP BY x",
            "SELECT a.id FROM users a, users b",
            "SELECT id FROM users UNION SELECT 1",
            "SELECT (SELECT max(x) FROM other) FROM users",
            "SELECT unnest(tags) FROM users",
            "SELECT 1",
            "SELECT id FROM users ON CONFLICT DO NOTHING",
        ] {
            assert_eq!(copied(&format!("INSERT INTO p {select}")), None, "{select}");
        }
    }

    #[test]
    fn what_a_statement_does_to_rows() {
        let data = |text: &str| one(text).data.expect("it writes rows");
        let update = data(
            "UPDATE ONLY s.\"T\" AS x SET a = x.b || ',WHERE' , /* c */ \"Ü\"=(SELECT 1, 2), c = a IS DISTINCT FROM b \
             WHERE a[1] = 'x' /* why */ AND t.from IS NULL RETURNING a",
        );
        assert_eq!(
            (update.verb, update.schema.as_deref(), &*update.table, &*update.alias),
            (Verb::Update, Some("s"), "T", "x")
        );
        let set: Vec<_> = update.set.iter().map(|(column, text)| (&**column, &**text)).collect();
        assert_eq!(set, [("a", "x.b || ',WHERE'"), ("Ü", "(SELECT 1, 2)"), ("c", "a IS DISTINCT FROM b")]);
        assert_eq!(update.condition.as_deref(), Some("a[1] = 'x' /* why */ AND t.from IS NULL"));
        assert!(update.own_rows_only && update.returning_or_conflict);
        let other = data("UPDATE t SET a = a IS DISTINCT FROM u.b FROM u WHERE t.id = u.id");
        assert_eq!((other.set[0].1.as_str(), other.own_rows_only), ("a IS DISTINCT FROM u.b", false));
        assert!(!data("UPDATE t SET a = (SELECT max(b) FROM u)").own_rows_only);
        assert!(data("UPDATE t SET a = (SELECT max(x) FROM unnest(t.b) x)").own_rows_only);
        assert!(data("UPDATE t SET (a, b) = (1, 2)").set.is_empty());
        assert!(data("UPDATE t SET a = DEFAULT").set.is_empty());
        let delete = data("WITH x AS (INSERT INTO log VALUES (1)) DELETE FROM t WHERE a = 1");
        assert_eq!(
            (delete.verb, delete.own_rows_only, delete.others),
            (Verb::Delete, false, vec![(None, "log".into())])
        );
        assert_eq!(delete.condition.as_deref(), Some("a = 1"));
        let truncate = data("TRUNCATE a, s.b CASCADE");
        assert_eq!((&*truncate.table, truncate.others), ("a", vec![(Some("s".into()), "b".into())]));
        let insert = data(
            "INSERT INTO t (a) VALUES (-1, 'x'::text, NULL), (true, 2.5, ARRAY['a']) ON CONFLICT DO NOTHING",
        );
        assert!(insert.constant_rows && insert.own_rows_only && insert.returning_or_conflict);
        assert!(
            data("INSERT INTO t SELECT * FROM unnest('{1,2}'::int[], (ARRAY['a', NULL])::text[])")
                .constant_rows
        );
        assert!(!data("INSERT INTO t SELECT * FROM unnest(ARRAY[now()])").constant_rows);
        assert!(!data("INSERT INTO t SELECT * FROM unnest('{1}'::int[]), u").constant_rows);
        assert!(!data("INSERT INTO t VALUES (now())").constant_rows);
        assert!(!data("INSERT INTO t SELECT * FROM u").own_rows_only);
        assert_eq!(data("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d").verb, Verb::Delete);
    }

    #[test]
    fn using_is_kept_as_written() {
        let using = one(
            "ALTER TABLE IF EXISTS s.t ADD CONSTRAINT e EXCLUDE USING gist (a WITH =), ALTER a TYPE numeric(1,2) \
             USING round(a, 2)::numeric, ALTER COLUMN \"B\" SET DATA TYPE text COLLATE \"C\" USING CASE WHEN x THEN 'a' END, DROP c",
        )
        .using;
        let table = (Some("s".to_owned()), "t".to_owned());
        let row =
            |column: &str, text: &str| (table.0.clone(), table.1.clone(), column.to_owned(), text.to_owned());
        assert_eq!(using, [row("a", "round(a, 2)::numeric"), row("B", "CASE WHEN x THEN 'a' END")]);
        assert!(one("ALTER TABLE t ALTER a TYPE int").using.is_empty());
    }

    proptest! {
        #[test]
        fn whatever_the_text_is(text in ".{0,60}", sql in "([a-z('\";$ü\\\\.,)*:=@\\-/ \n]|SELECT |UPDATE t SET |WHERE |USING |ALTER TABLE |\\$\\$|--|/\\*){0,20}", offset in 0..9_usize) {
            for text in [text.clone(), sql.clone(), format!("SELECT 1; -- {sql}\n{text};")] {
                let places: Vec<Place> = match split("a", &text, offset) {
                    Ok(all) => all.into_iter().map(|one| one.place).collect(),
                    Err(error) => error.place.into_iter().collect(),
                };
                for place in places {
                    prop_assert!(place.start >= offset && place.start <= place.end);
                    prop_assert!(text.get(place.start - offset..place.end - offset).is_some(), "{text:?} {place:?}");
                }
            }
        }
    }
}

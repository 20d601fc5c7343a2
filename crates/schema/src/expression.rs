//! SQL expressions that people wrote: what they read, and the same with other names in them.
//!
//! Text is replaced at the bounds of tokens and stays otherwise as it was written. Knows no catalog: which names are the own
//! table's is said by the caller. Tested in place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::syntax::{self, Token, list, part, word};

/// An expression that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// First and one past the last byte in the expression, where that can be told.
    pub at: Option<(usize, usize)>,
}

fn error(message: impl Into<String>, at: Option<(usize, usize)>) -> ExpressionError {
    ExpressionError { message: message.into(), at }
}

/// An expression with its tree; positions in both count from the expression's first byte.
struct Expression<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    tree: Value,
}

/// The text before the expression when it is parsed.
const LEAD: &str = "SELECT ";

/// Checks that a text is one expression.
///
/// # Errors
/// It is none, or more than one.
pub fn check(expression: &str) -> Result<(), ExpressionError> {
    parse(expression).map(|_| ())
}

fn parse(text: &str) -> Result<Expression<'_>, ExpressionError> {
    let shift = |fault: syntax::Fault, lead: usize| {
        let inside = |at: usize| at.saturating_sub(lead).min(text.len());
        error(fault.message, fault.at.map(|(start, end)| (inside(start), inside(end))))
    };
    let tokens = syntax::tokens(text).map_err(|fault| shift(fault, 0))?;
    if tokens.iter().all(Token::is_comment) {
        return Err(error("no expression", None));
    }
    // Bare, it can't close a parenthesis that is not its own; in parentheses, it can't go on as a query. The line
    // break ends a comment.
    for whole in [format!("{LEAD}{text}\n"), format!("{LEAD}({text}\n)")] {
        let spoken = syntax::tokens(&whole).map_err(|fault| shift(fault, LEAD.len()))?;
        syntax::statements(&whole, &spoken).map_err(|fault| shift(fault, LEAD.len()))?;
    }
    let whole = format!("{LEAD}{text}\n");
    let spoken = syntax::tokens(&whole).map_err(|fault| shift(fault, LEAD.len()))?;
    let mut statements = syntax::statements(&whole, &spoken).map_err(|fault| shift(fault, LEAD.len()))?;
    let (Some(only), true) = (statements.pop(), statements.is_empty()) else {
        return Err(error("more than one statement", None));
    };
    let tree = only.tree.ok_or_else(|| error("nested too deeply to be looked at", None))?;
    let value = single(&tree).ok_or_else(|| error("not a single expression", None))?;
    let tree = value.clone();
    if holds(&tree, "ParamRef") {
        return Err(error("a parameter has no value here", None));
    }
    Ok(Expression { text, tokens, tree })
}

/// The value of a query that is nothing but one value.
fn single(tree: &Value) -> Option<&Value> {
    let (kind, select) = syntax::node(tree)?;
    let targets = list(select, "target_list");
    let lists =
        ["distinct_clause", "from_clause", "group_clause", "window_clause", "values_lists", "sort_clause"];
    let parts = [
        "into_clause",
        "where_clause",
        "having_clause",
        "limit_offset",
        "limit_count",
        "with_clause",
        "larg",
    ];
    let plain = kind == "SelectStmt"
        && targets.len() == 1
        && lists.iter().chain(&["locking_clause"]).all(|name| list(select, name).is_empty())
        && parts.iter().all(|name| part(select, name).is_none());
    let (_, target) = syntax::node(targets.first()?)?;
    (plain && word(target, "name").is_empty()).then(|| part(target, "val")).flatten()
}

fn holds(tree: &Value, wanted: &str) -> bool {
    let mut found = false;
    syntax::walk(tree, &mut |kind, _| {
        found |= kind == wanted;
        !found
    });
    found
}

/// A mention of a column.
struct Mention<'a> {
    /// `None`: the whole row.
    column: Option<&'a str>,
    /// It is the table's name alone: the whole row, unless there is a column of that name.
    like_table: bool,
    /// Where its first token starts.
    start: usize,
    /// Of how many names it is made.
    parts: usize,
}

/// The columns of the own table that an expression reads: what is not qualified, or qualified by one of `names`. In
/// sub-selects with a FROM of their own only what is qualified counts.
///
/// # Errors
/// It is no expression, or reads the whole row.
pub fn columns(expression: &str, names: &[&str]) -> Result<BTreeSet<String>, ExpressionError> {
    let parsed = parse(expression)?;
    let mut found = BTreeSet::new();
    for mention in mentions(&parsed, names).0 {
        match mention.column {
            Some(column) => found.insert(column.to_owned()),
            None => return Err(whole_row(&parsed, &mention)),
        };
    }
    Ok(found)
}

/// Names without a qualifier in sub-selects: columns of the own table only if the tables there have none of that name.
///
/// # Errors
/// It is no expression.
pub fn doubtful(expression: &str, names: &[&str]) -> Result<BTreeSet<String>, ExpressionError> {
    let parsed = parse(expression)?;
    Ok(mentions(&parsed, names).1.into_iter().map(str::to_owned).collect())
}

/// The expression with each mention of a column of the own table (as [`columns`] counts them) replaced by what `replace`
/// gives; None: it stays.
///
/// # Errors
/// It is no expression, or reads the whole row.
pub fn rewrite(
    expression: &str,
    names: &[&str],
    replace: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ExpressionError> {
    let parsed = parse(expression)?;
    let mut edits = BTreeMap::new();
    for mention in mentions(&parsed, names).0 {
        let Some(column) = mention.column else { return Err(whole_row(&parsed, &mention)) };
        match replace(column) {
            Some(text) => edits.insert(mention.start, (extent(&parsed, &mention).1, text)),
            None if mention.like_table => return Err(whole_row(&parsed, &mention)),
            None => None,
        };
    }
    let mut text = String::new();
    let mut done = 0;
    for (start, (end, new)) in edits {
        text.push_str(expression.get(done..start).unwrap_or_default());
        // `CASE WHEN"a"THEN` is SQL; without quotes the words would grow together.
        if text.ends_with(in_word) && new.starts_with(in_word) {
            text.push(' ');
        }
        text.push_str(&new);
        if new.ends_with(in_word) && expression.get(end..).is_some_and(|rest| rest.starts_with(in_word)) {
            text.push(' ');
        }
        done = end;
    }
    text.push_str(expression.get(done..).unwrap_or_default());
    Ok(text)
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn whole_row(parsed: &Expression<'_>, mention: &Mention<'_>) -> ExpressionError {
    let at = extent(parsed, mention);
    let what = parsed.text.get(at.0..at.1).unwrap_or_default();
    error(format!("reads the whole row ({what}): name the columns"), Some(at))
}

/// First and one past the last byte of a mention.
fn extent(parsed: &Expression<'_>, mention: &Mention<'_>) -> (usize, usize) {
    let mut spoken = parsed.tokens.iter().filter(|token| token.start >= mention.start && !token.is_comment());
    let last = spoken.nth((mention.parts * 2).saturating_sub(2));
    (mention.start, last.map_or(mention.start, |token| token.end))
}

/// What an expression mentions of the own table, and the names of which that can't be told.
fn mentions<'a>(parsed: &'a Expression<'_>, names: &[&str]) -> (Vec<Mention<'a>>, BTreeSet<&'a str>) {
    let mut search = Search { found: Vec::new(), doubtful: BTreeSet::new() };
    search.look(&parsed.tree, names, true);
    (search.found, search.doubtful)
}

struct Search<'a> {
    found: Vec<Mention<'a>>,
    doubtful: BTreeSet<&'a str>,
}

impl<'a> Search<'a> {
    /// `bare`: names without a qualifier are the own table's.
    fn look(&mut self, tree: &'a Value, names: &[&str], bare: bool) {
        let mut inner = Vec::new();
        let mut plain = Vec::new();
        syntax::walk(tree, &mut |kind, fields| match kind {
            "ColumnRef" => {
                plain.push(fields);
                false
            }
            "SelectStmt" => {
                inner.push(fields);
                false
            }
            _ => true,
        });
        plain.into_iter().for_each(|fields| self.mention(fields, names, bare));
        for select in inner {
            self.select(select, names, bare);
        }
    }

    fn select(&mut self, select: &'a Value, names: &[&str], bare: bool) {
        let sources = list(select, "from_clause");
        let hidden = sources.iter().flat_map(source_names).collect::<BTreeSet<&str>>();
        let left: Vec<&str> = names.iter().copied().filter(|name| !hidden.contains(name)).collect();
        let bare = bare && sources.is_empty();
        for (key, value) in select.as_object().into_iter().flatten() {
            // The two sides of a UNION are selects by themselves, not wrapped as nodes.
            if matches!(key.as_str(), "larg" | "rarg") && value.is_object() {
                self.select(value, &left, bare);
            } else {
                self.look(value, &left, bare);
            }
        }
    }

    fn mention(&mut self, fields: &'a Value, names: &[&str], bare: bool) {
        let parts = list(fields, "fields");
        let Some(start) = syntax::location(fields, 0).and_then(|at| at.checked_sub(LEAD.len())) else {
            return;
        };
        let qualifier = parts.len().checked_sub(2).and_then(|at| parts.get(at)).and_then(syntax::name);
        let column = parts.last().and_then(syntax::name);
        let ours = qualifier.map_or(bare, |qualifier| names.contains(&qualifier));
        let like_table = qualifier.is_none() && column.is_some_and(|column| names.contains(&column));
        if ours || like_table {
            self.found.push(Mention { column, like_table, start, parts: parts.len() });
        } else if let (None, Some(column)) = (qualifier, column) {
            self.doubtful.insert(column);
        }
    }
}

/// The names that an item of FROM brings.
fn source_names(item: &Value) -> Vec<&str> {
    let mut names = Vec::new();
    syntax::walk(item, &mut |kind, fields| {
        match part(fields, "alias").map(|alias| word(alias, "aliasname")) {
            Some(alias) if !alias.is_empty() => names.push(alias),
            _ if kind == "RangeVar" => names.push(word(fields, "relname")),
            _ => {}
        }
        kind == "JoinExpr" || kind == "RangeTableSample"
    });
    names
}

/// Whether it reads a table in a sub-select; also said of what can't be looked at.
pub fn reads_tables(expression: &str) -> bool {
    parse(expression).map_or(true, |parsed| reads_tables_in(&parsed.tree))
}

/// Whether a tree mentions a table that no WITH in it makes.
pub(crate) fn reads_tables_in(tree: &Value) -> bool {
    let mut made = BTreeSet::new();
    let mut read = BTreeSet::new();
    syntax::walk(tree, &mut |kind, fields| {
        match kind {
            "CommonTableExpr" => made.insert(word(fields, "ctename")),
            "RangeVar" if word(fields, "schemaname").is_empty() => read.insert(word(fields, "relname")),
            "RangeVar" => read.insert(""),
            _ => false,
        };
        true
    });
    read.difference(&made).next().is_some()
}

/// Whether it is nothing but literals: the same value whenever and for whichever row it is asked.
pub fn is_constant(expression: &str) -> bool {
    parse(expression).is_ok_and(|parsed| is_constant_in(&parsed.tree))
}

/// Whether a tree is nothing but literals, casts of them and their signs.
pub(crate) fn is_constant_in(tree: &Value) -> bool {
    let Some((kind, fields)) = syntax::node(tree) else { return false };
    let inner = |name: &str| part(fields, name).is_some_and(is_constant_in);
    match kind {
        "AConst" => true,
        "TypeCast" => inner("arg") && !part(fields, "arg").is_some_and(tells_time),
        "CollateClause" => inner("arg"),
        "BoolExpr" => list(fields, "args").iter().all(is_constant_in),
        "AArrayExpr" => list(fields, "elements").iter().all(is_constant_in),
        "AExpr" => {
            let sign = list(fields, "name").first().and_then(syntax::name);
            part(fields, "lexpr").is_none() && inner("rexpr") && matches!(sign, Some("-" | "+"))
        }
        _ => false,
    }
}

/// Whether it is made of columns and literals by nothing but signs, casts and some well-known functions: the same row gives
/// the same value whenever it is asked.
pub fn is_steady(expression: &str) -> bool {
    let Ok(parsed) = parse(expression) else { return false };
    let mut steady = true;
    syntax::walk(&parsed.tree, &mut |kind, fields| {
        steady &= match kind {
            "FuncCall" => {
                let name = list(fields, "funcname").last().and_then(syntax::name);
                matches!(name, Some("concat" | "lower" | "upper" | "md5" | "btrim"))
            }
            "TypeCast" => !part(fields, "arg").is_some_and(tells_time),
            _ => STEADY.contains(&kind),
        };
        steady
    });
    steady
}

/// Nodes of which an expression may be made that is always the same.
const STEADY: [&str; 12] = [
    "ColumnRef",
    "AConst",
    "Sval",
    "Ival",
    "Fval",
    "Boolval",
    "AExpr",
    "CoalesceExpr",
    "TypeName",
    "String",
    "Integer",
    "List",
];

/// `'now'::timestamptz` looks like a constant and is none.
fn tells_time(argument: &Value) -> bool {
    let literal = syntax::node(argument)
        .and_then(|(_, fields)| part(fields, "val")?.get("Sval"))
        .map(|value| word(value, "sval"));
    literal.is_some_and(|text| {
        let text = text.trim().to_ascii_lowercase();
        ["now", "today", "tomorrow", "yesterday"].iter().any(|word| text.starts_with(word))
    })
}

/// The condition of a CHECK constraint as `pg_get_constraintdef` writes it, without the word and what may follow.
pub fn check_of(constraintdef: &str) -> Option<String> {
    let tokens = syntax::tokens(constraintdef).ok()?;
    let mut spoken = tokens.iter().filter(|token| !token.is_comment());
    spoken.next().filter(|token| token.is_word(constraintdef, "check"))?;
    let open = spoken.next().filter(|token| token.is_sign(b'('))?;
    let mut depth = 1_usize;
    for token in spoken {
        if token.is_sign(b'(') {
            depth += 1;
        } else if token.is_sign(b')') {
            depth -= 1;
        }
        if depth == 0 {
            return constraintdef.get(open.end..token.start).map(|text| text.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        columns(text, &["users", "u"]).expect(text).into_iter().collect()
    }

    fn new(text: &str) -> String {
        rewrite(text, &["users"], &|column| (column != "keep").then(|| format!("NEW.\"_{column}\"")))
            .expect(text)
    }

    #[test]
    fn columns_of_the_own_table() {
        assert_eq!(read("a + u.b * other.c || public.users.d || lower(E)"), ["a", "b", "d", "e"]);
        assert_eq!(read("\"Ü x\" -- c\n + /* d */ 1"), ["Ü x"]);
        assert_eq!(read("'a' || $$b$$ || E'\\'c' || now()::text"), Vec::<String>::new());
        assert_eq!(read("(SELECT max(x) FROM t WHERE t.id = users.t_id AND y = 1)"), ["t_id"]);
        assert_eq!(read("(SELECT max(users.x) FROM other users)"), Vec::<String>::new());
        assert_eq!(read("(SELECT lower(x))"), ["x"]);
        assert_eq!(read("(SELECT 1 FROM t UNION SELECT users.z FROM v)"), ["z"]);
        assert_eq!(read("CASE WHEN a IS NULL THEN b[c] ELSE (d).e END"), ["a", "b", "c", "d"]);
        assert_eq!(
            read("json_object('k': v) IS JSON AND x BETWEEN y AND z AND w IN (q)"),
            ["q", "v", "w", "x", "y", "z"]
        );
        assert_eq!(read("sum(a) FILTER (WHERE b) OVER (PARTITION BY c ORDER BY d)"), ["a", "b", "c", "d"]);
        assert_eq!(
            read("xmlforest(a, b AS c) IS DOCUMENT AND GREATEST(d, e) > ROW(f)"),
            ["a", "b", "d", "e", "f"]
        );
        assert!(columns("users.*", &["users"]).is_err());
        assert!(columns("a b c", &[]).is_err() && columns("$1", &[]).is_err());
        assert!(columns("", &[]).is_err() && columns("-- x", &[]).is_err() && columns("*", &[]).is_err());
        let doubt = doubtful("(SELECT x FROM t WHERE y = users.z) + a", &["users"]).unwrap();
        assert_eq!(doubt.into_iter().collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn names_are_replaced_where_they_stand() {
        assert_eq!(new("a||'a'||users . /* x */ \"b\" -- a"), "NEW.\"_a\"||'a'||NEW.\"_b\" -- a");
        assert_eq!(
            new("CASE WHEN\"a\"THEN\"b\"ELSE keep END"),
            "CASE WHEN NEW.\"_a\"THEN NEW.\"_b\"ELSE keep END"
        );
        assert_eq!(new("'ü' || \"Ä\" || a.a"), "'ü' || NEW.\"_Ä\" || a.a");
        assert_eq!(new("(address).city || tags[1]"), "(NEW.\"_address\").city || NEW.\"_tags\"[1]");
        let bare = rewrite("CASE WHEN\"a\"THEN 1 END", &[], &|_| Some("x".to_owned())).unwrap();
        assert_eq!(bare, "CASE WHEN x THEN 1 END");
        let whole = |text: &str| rewrite(text, &["users"], &|_| None).map_err(|error| error.at);
        assert_eq!(whole("row_to_json(users.*)"), Err(Some((12, 19))));
        assert_eq!(whole("row_to_json(users)"), Err(Some((12, 17))));
        assert_eq!(whole("('ä', (users).x)"), Err(Some((8, 13))));
    }

    #[test]
    fn what_is_constant_and_what_reads_tables() {
        for text in [
            "1",
            "-1.5",
            "'x'",
            "NULL",
            "true",
            "'{}'::jsonb",
            "CAST('a' AS text)",
            "NOT true",
            "E'a'",
            "interval '1 day'",
        ] {
            assert!(is_constant(text), "{text}");
        }
        for text in
            ["a", "now()", "1 + 1", "CURRENT_DATE", "'now'::timestamptz", "(SELECT 1)", "1;", "date ' Today'"]
        {
            assert!(!is_constant(text), "{text}");
        }
        assert!(
            reads_tables("(SELECT x FROM t)")
                && reads_tables("EXISTS (TABLE t)")
                && reads_tables("a IN (SELECT 1 FROM s.t)")
        );
        assert!(!reads_tables("a + 1") && !reads_tables("(WITH x AS (SELECT 1) SELECT * FROM x)"));
    }

    #[test]
    fn the_condition_of_a_check() {
        assert_eq!(check_of("CHECK ((a > 0)) NOT VALID").as_deref(), Some("(a > 0)"));
        assert_eq!(
            check_of("CHECK (((x <> ')'::text) AND ok(y))) NO INHERIT").as_deref(),
            Some("((x <> ')'::text) AND ok(y))")
        );
        assert_eq!(check_of("UNIQUE (a)"), None);
    }
}

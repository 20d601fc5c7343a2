//! Texts of PostgreSQL that say the same in two ways: as a rule was first written, and as it comes back out of a dump.
//!
//! Told of `CHECK (status IN ('a', 'b'))` on a `varchar`, PostgreSQL keeps a list and casts the whole of it; reading its own
//! text again, it casts the items one by one (`transformTypeCast` of an array, since PostgreSQL 8.4). The second form is
//! stable, and is what both are brought to. Pure texts; only compared, never run. Tested in place, and with a dump in
//! `crates/postgres/tests/postgres/scratch.rs`.

/// A text in the form that a dump gives it.
pub(super) fn canonical(text: &str) -> String {
    let (mut told, mut rest) = (String::new(), text);
    while let Some(cast) = Cast::first(rest) {
        told.push_str(&rest[..cast.begin]);
        let items: Vec<String> =
            cast.items.iter().map(|item| format!("({})::{}", canonical(item), cast.to)).collect();
        told.push_str(&format!("ARRAY[{}]", items.join(", ")));
        rest = &rest[cast.end..];
    }
    told.push_str(rest);
    told
}

/// The beginning of a list that is cast as a whole.
const BEGIN: &str = "(ARRAY[";

/// `(ARRAY[items])::to[]` in a text.
struct Cast<'a> {
    begin: usize,
    end: usize,
    items: Vec<&'a str>,
    to: &'a str,
}

impl<'a> Cast<'a> {
    /// The first one.
    fn first(text: &'a str) -> Option<Cast<'a>> {
        let mut from = 0;
        while let Some(found) = text[from..].find(BEGIN) {
            let begin = from + found;
            from = begin + BEGIN.len();
            if let Some(cast) = Cast::at(text, begin, from) {
                return Some(cast);
            }
        }
        None
    }

    fn at(text: &'a str, begin: usize, list: usize) -> Option<Cast<'a>> {
        let items = items(&text[list..]);
        let close = list + items.iter().map(|item| item.len()).sum::<usize>() + items.len().saturating_sub(1);
        let to = text.get(close..)?.strip_prefix("])::")?;
        let (to, _) = to.split_once("[]")?;
        let is_type = |letter: char| letter.is_alphanumeric() || " _.\"".contains(letter);
        let end = close + "])::".len() + to.len() + "[]".len();
        let items = items.into_iter().map(str::trim).collect();
        (items != [""] && !to.is_empty() && to.chars().all(is_type)).then_some(Cast { begin, end, items, to })
    }
}

/// What stands between commas, up to the bracket that ends the list. Quotes and brackets hold together what they hold.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut from, mut depth, mut quote) = (Vec::new(), 0, 0_u32, None);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') if depth > 0 => depth -= 1,
            (None, ',' | ']') if depth == 0 => {
                items.push(&text[from..at]);
                from = at + 1;
                if letter == ']' {
                    return items;
                }
            }
            _ => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cast_item_by_item() {
        let cases = [
            (
                "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b,]'::character varying])::text[])))",
                "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b,]'::character varying)::text])))",
            ),
            (
                "(a <> ALL ((ARRAY[1, f(2, 3)])::bigint[])) OR b = ANY ((ARRAY[x])::\"My\".\"T\"[])",
                "(a <> ALL (ARRAY[(1)::bigint, (f(2, 3))::bigint])) OR b = ANY (ARRAY[(x)::\"My\".\"T\"])",
            ),
            ("((ARRAY[f((ARRAY[1])::int[]), 2])::text[])", "(ARRAY[(f(ARRAY[(1)::int]))::text, (2)::text])"),
        ];
        for (first, dumped) in cases {
            assert_eq!(canonical(first), dumped);
            assert_eq!(canonical(dumped), dumped);
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "",
            "ARRAY[1, 2]",
            "(ARRAY[1, 2])",
            "(ARRAY[",
            "(ARRAY['",
            "(ARRAY[])::text[]",
            "(ARRAY[1])::a + b[]",
            "é(ARRAY[é])::",
        ] {
            assert_eq!(canonical(text), text);
        }
    }
}

//! An answer beside what the page says of it: `…` is any text within a line, a line of `...` any number of lines.

/// Is it what the page says?
pub(super) fn compare(page: &[String], said: &str) -> Result<(), String> {
    let said: Vec<&str> = said.trim_end().lines().map(str::trim_end).collect();
    let page: Vec<&str> = page.iter().map(|line| line.trim_end()).collect();
    if fits(&page, &said) {
        return Ok(());
    }
    Err(format!("the page says\n{}\n── and it said\n{}", page.join("\n"), said.join("\n")))
}

fn fits(page: &[&str], said: &[&str]) -> bool {
    match (page, said) {
        ([], _) => said.is_empty(),
        (["...", rest @ ..], _) => (0..=said.len()).any(|skipped| fits(rest, &said[skipped..])),
        ([line, rest @ ..], [first, others @ ..]) => line_fits(line, first) && fits(rest, others),
        (_, []) => false,
    }
}

fn line_fits(page: &str, said: &str) -> bool {
    let mut parts = page.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = said.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn answers_are_compared() {
    let fits =
        |page: &str, said: &str| compare(&page.lines().map(str::to_owned).collect::<Vec<_>>(), said).is_ok();
    for (page, said) in [
        ("", ""),
        ("a", "a\n"),
        ("a …s, b", "a 2.5s, b"),
        ("…b", "ab"),
        ("...", "a\nb"),
        ("...\nb\n...", "b"),
        ("a\n...\nc", "a\nb\nb\nc"),
    ] {
        assert!(fits(page, said), "{page:?} {said:?}");
    }
    for (page, said) in [
        ("", "a"),
        ("a", ""),
        ("a", "ab"),
        ("a…c", "ab"),
        ("…b…b", "ab"),
        ("a\n...\nc", "a\nb"),
        ("...\na", "a\nb"),
    ] {
        assert!(!fits(page, said), "{page:?} {said:?}");
    }
}

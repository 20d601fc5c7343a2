//! How a program shows its token, and how a browser is known again: by a cookie that no script and no other page can use.
//!
//! Pure. Tested in place.

use http::{HeaderMap, header};

use super::door;

/// The name of the cookie. The longer one browsers take only over encrypted connections, from the very host.
fn name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-tandem" } else { "tandem" }
}

/// The cookie as a browser is told it.
pub(super) fn cookie(session: &str, is_secure: bool, seconds: u64) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", name(is_secure))
}

/// The session that a browser tells. Where there are several, none is trusted.
pub(super) fn of(fields: &HeaderMap, is_secure: bool) -> Option<&str> {
    let all = fields.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let pairs = all.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(found, _)| *found == name(is_secure)).map(|(_, session)| session);
    found.next().filter(|_| found.next().is_none())
}

/// The token that a program sends.
pub(super) fn bearer(fields: &HeaderMap) -> Option<&str> {
    let (scheme, token) = door::only(fields, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: http::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| (name.clone(), value.parse().unwrap()));
        values.fold(HeaderMap::new(), |mut fields, (name, value)| {
            fields.append(name, value);
            fields
        })
    }

    #[test]
    fn a_cookie_is_read_as_it_was_told_and_two_of_them_are_none() {
        let told = cookie("abc", true, 60);
        assert_eq!(told, "__Host-tandem=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(cookie("", false, 0), "tandem=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
        let of =
            |cookies: &[&str], is_secure| of(&fields(header::COOKIE, cookies), is_secure).map(str::to_owned);
        assert_eq!(of(&["a=b; __Host-tandem=abc; c=d"], true).as_deref(), Some("abc"));
        assert_eq!(of(&["tandem=abc"], true), None, "anybody could have set that one");
        assert_eq!(of(&["tandem=abc; tandem=def"], false), None);
        assert_eq!(of(&["tandem=abc", "tandem=def"], false), None);
        assert_eq!(of(&["x"], false), None);
    }

    #[test]
    fn a_token_is_read_in_one_way() {
        let bearer = |values: &[&str]| bearer(&fields(header::AUTHORIZATION, values)).map(str::to_owned);
        assert_eq!(bearer(&["bearer tdm_x"]).as_deref(), Some("tdm_x"));
        for values in [&["tdm_x"][..], &["Basic tdm_x"], &["Bearer a", "Bearer a"], &[]] {
            assert_eq!(bearer(values), None, "{values:?}");
        }
    }
}

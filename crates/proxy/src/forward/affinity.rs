//! What a request has in common with others that are to go to the same instance. Tested in place and through the whole proxy.

use std::net::IpAddr;

use tandem_core::spec::{Affinity, Policy};
use tandem_core::traffic::balance;

use crate::request::Client;
use crate::worker::View;

/// The key of a request whose head for the instance is `head`. None: it may go anywhere.
pub(super) fn key(view: &View, at: usize, client: &Client, head: &[u8]) -> Option<u64> {
    let (route, _) = view.route(at)?;
    if route.balance.policy != Policy::Hash {
        return None;
    }
    let text = match &route.balance.by {
        Affinity::Client => {
            return Some(match client.named(head) {
                IpAddr::V4(address) => balance::key(&address.octets()),
                IpAddr::V6(address) => balance::key(&address.octets()),
            });
        }
        Affinity::Path => path(head)?,
        Affinity::Header(name) => field(head, name)?,
        Affinity::Cookie(name) => cookie(field(head, "cookie")?, name)?,
    };
    Some(balance::key(text))
}

fn path(head: &[u8]) -> Option<&[u8]> {
    let target = head.split(|&b| b == b' ').nth(1)?;
    target.split(|&b| b == b'?').next()
}

/// The value of the first field of that name.
fn field<'h>(head: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let lines = head.split(|&b| b == b'\n').skip(1);
    lines
        .filter_map(|line| split(line, b':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
        .map(|f| f.1)
}

fn cookie<'h>(value: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let pairs = value.split(|&b| b == b';').filter_map(|pair| split(pair, b'='));
    pairs.into_iter().find(|(key, _)| *key == name.as_bytes()).map(|pair| pair.1)
}

/// Both sides of the first `mark`, without the space around them.
fn split(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(mark, text)?;
    Some((text.get(..at)?.trim_ascii(), text.get(at + 1..)?.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] =
        b"GET /a/b?c=d HTTP/1.1\r\nHost: x\r\nX-Tenant: blue \r\nCookie: a=1; session=s7; b\r\n\r\n";

    #[test]
    fn parts_of_a_head_are_found() {
        assert_eq!(path(HEAD), Some(&b"/a/b"[..]));
        assert_eq!(field(HEAD, "x-tenant"), Some(&b"blue"[..]));
        assert_eq!(field(HEAD, "x-other"), None);
        let cookies = field(HEAD, "cookie").unwrap();
        assert_eq!((cookie(cookies, "session"), cookie(cookies, "b")), (Some(&b"s7"[..]), None));
    }
}

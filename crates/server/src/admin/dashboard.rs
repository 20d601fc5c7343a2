//! The dashboard's files, as they were when this program was built; or a page that says how to build it with them.
//!
//! Must not know what is in them. Tested in place.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sha2::{Digest, Sha256};

// `FILES`: paths below `web/dist` and what is in them; made by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// The page for every path that is none of a file.
const INDEX: &str = "index.html";
/// Files below this have names that tell their content.
const HASHED: &str = "assets/";
/// What stands there if there is no dashboard.
const WITHOUT: &[(&str, &[u8])] = &[(
    INDEX,
    b"<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Tandem</title>\n\
      <h1>This program was built without the dashboard</h1>\n\
      <p>Build it with one: <code>cargo xtask web</code>, then <code>cargo install --locked --path crates/cli</code>.\n\
      <p>The API is there all the same, under <code>/v1</code>.\n</html>\n",
)];

/// The files by their paths.
pub(super) struct Dashboard(Vec<Page>);

struct Page {
    path: &'static str,
    content: &'static [u8],
    tag: HeaderValue,
}

impl Dashboard {
    /// What this program was built with.
    pub(super) fn built() -> Dashboard {
        let files = if FILES.iter().any(|(path, _)| *path == INDEX) { FILES } else { WITHOUT };
        Dashboard::of(files)
    }

    fn of(files: &'static [(&'static str, &'static [u8])]) -> Dashboard {
        let page = |(path, content): &(&'static str, &'static [u8])| {
            let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(content)));
            let tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
            Page { path, content, tag }
        };
        Dashboard(files.iter().map(page).collect())
    }

    /// What is at a path. None: there is no such file.
    pub(super) fn at(&self, path: &str, fields: &HeaderMap) -> Option<Response<Body>> {
        let path = path.trim_start_matches('/');
        let named = |name: &str| self.0.iter().find(|page| page.path == name);
        let page = match named(path) {
            Some(page) => page,
            // The page itself knows what to show at a path.
            None if !path.contains('.') => named(INDEX)?,
            None => return None,
        };
        let known = fields.get_all(header::IF_NONE_MATCH).iter().any(|tags| has_tag(tags, &page.tag));
        let mut answer = Response::new(Body::empty());
        if known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *answer.body_mut() = Body::from(Bytes::from_static(page.content));
        }
        let keep =
            if page.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let own = answer.headers_mut();
        own.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        own.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(page.path)));
        own.insert(header::ETAG, page.tag.clone());
        Some(answer)
    }
}

/// Whether a list of tags has this one; proxies on the way may have weakened it.
fn has_tag(tags: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(tag)) = (tags.to_str(), tag.to_str()) else { return false };
    tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*")
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &[(&str, &[u8])] =
        &[("assets/index-BxY12abc.js", b"1"), ("favicon.svg", b"<svg/>"), (INDEX, b"<p>")];

    fn at(path: &str, tag: Option<&str>) -> Option<(u16, String, String, String)> {
        let mut fields = HeaderMap::new();
        fields.extend(tag.map(|tag| (header::IF_NONE_MATCH, tag.parse().unwrap())));
        let answer = Dashboard::of(SOME).at(path, &fields)?;
        let field = |name| answer.headers()[name].to_str().unwrap().to_owned();
        let (kind, keep) = (field(header::CONTENT_TYPE), field(header::CACHE_CONTROL));
        Some((answer.status().as_u16(), kind, keep, field(header::ETAG)))
    }

    #[test]
    fn files_have_their_kinds_and_pages_their_page() {
        let (status, kind, keep, tag) = at("/assets/index-BxY12abc.js", None).unwrap();
        assert_eq!((status, kind.as_str()), (200, "text/javascript; charset=utf-8"));
        assert_eq!(keep, "public, max-age=31536000, immutable");
        assert_eq!(at("/assets/index-BxY12abc.js", Some(&format!("\"x\", W/{tag}"))).unwrap().0, 304);
        assert_eq!(at("/assets/index-BxY12abc.js", Some("\"x\"")).unwrap().0, 200);
        assert_eq!(at("/favicon.svg", None).unwrap().1, "image/svg+xml");
        for path in ["/", "/index.html", "/shop/deployments/d7", "/%2e%2e/passwd"] {
            let (status, kind, keep, _) = at(path, None).unwrap();
            assert_eq!((status, kind.as_str(), keep.as_str()), (200, "text/html; charset=utf-8", "no-cache"));
        }
        for path in ["/assets/old-1.js", "/../Cargo.toml", "/.git", "/robots.txt"] {
            assert_eq!(at(path, None), None, "{path}");
        }
    }

    #[test]
    fn there_is_always_a_page() {
        assert_eq!(Dashboard::built().at("/", &HeaderMap::new()).unwrap().status(), 200);
        assert!(std::str::from_utf8(WITHOUT[0].1).unwrap().contains("cargo xtask web"));
    }
}

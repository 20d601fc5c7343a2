//! The name of a container image in a registry.
//!
//! What one is called, and what a name means, is the same for all that run images. Tested in place.

use std::fmt;
use std::str::FromStr;

use super::{Digest, VersionLabel, label_of};

/// The longest name, without tag and digest.
const LONGEST: usize = 255;
/// The longest tag.
const LONGEST_TAG: usize = 128;
/// Tags that stand for whatever was pushed last: no version can be called so.
const MOVING: [&str; 9] =
    ["latest", "stable", "main", "master", "edge", "nightly", "production", "staging", "dev"];

/// An image as `registry.example/shop:v42`, with a tag or a digest or both: without any of them nobody could say later
/// what was meant. A digest decides, whatever the tag says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    name: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAnImage(&'static str);

impl ImageReference {
    /// Registry and path, as `registry.example/shop`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The registry, if the name says which: `registry.example:5000`.
    pub fn registry(&self) -> Option<&str> {
        let (first, _) = self.name.split_once('/')?;
        (first.contains(['.', ':']) || first == "localhost").then_some(first)
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of its manifest, if the text says which.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same image, held to a digest.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> ImageReference {
        ImageReference { digest: Some(digest), ..self.clone() }
    }

    /// What the engine is asked for: the digest alone where there is one, since a tag may have moved meanwhile.
    pub fn exact(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@sha256:{digest}", self.name),
            (None, Some(tag)) => format!("{}:{tag}", self.name),
            (None, None) => self.name.clone(),
        }
    }

    /// What its version is called where nobody says: the tag, or the beginning of the digest. None: the tag is one that
    /// moves with each version.
    pub fn label(&self) -> Option<VersionLabel> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) if MOVING.contains(&tag.as_str()) => None,
            (Some(tag), _) => tag.parse().ok().or_else(|| label_of(tag)),
            (None, Some(digest)) => digest.short().parse().ok(),
            (None, None) => None,
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ImageReference {
    type Err = NotAnImage;

    fn from_str(text: &str) -> Result<ImageReference, NotAnImage> {
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => (rest, Some(sha256(digest)?)),
        };
        // A colon before the last slash belongs to the port of the registry.
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let colon = rest.get(path..).and_then(|last| last.find(':')).map(|at| path + at);
        let (name, tag) = match colon {
            None => (rest, None),
            Some(at) => {
                (rest.get(..at).unwrap_or_default(), Some(tag(rest.get(at + 1..).unwrap_or_default())?))
            }
        };
        if tag.is_none() && digest.is_none() {
            return Err(NotAnImage("it has neither a tag nor a digest, as in registry.example/shop:v42"));
        }
        let mut parts = name.split('/');
        let first = parts.next().unwrap_or_default();
        let first_is_good = component(first) || registry(first);
        if name.is_empty() || name.len() > LONGEST || !first_is_good || !parts.all(component) {
            return Err(NotAnImage("it is not the name of an image, as registry.example/shop:v42"));
        }
        if registry(first) && !component(first) && !name.contains('/') {
            return Err(NotAnImage("it names a registry and no image, as registry.example/shop:v42"));
        }
        Ok(ImageReference { name: name.to_owned(), tag, digest })
    }
}

fn sha256(text: &str) -> Result<Digest, NotAnImage> {
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64);
    let digest = digits.and_then(|digits| digits.parse().ok());
    digest.ok_or(NotAnImage("its digest is not sha256: and 64 hexadecimal digits"))
}

fn tag(text: &str) -> Result<String, NotAnImage> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if begins && text.len() <= LONGEST_TAG && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(NotAnImage("its tag is not of letters, digits, dots, dashes and underscores"))
}

/// A part of the path: small letters and digits, with single separators between them.
fn component(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = |c: char| edge(c) || matches!(c, '.' | '_' | '-');
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(fits) && !text.contains("..")
}

fn registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let host_is_good = !host.is_empty() && host.chars().all(fits) && !host.starts_with(['.', '-']);
    host_is_good && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "9b2c0f0a5a6f4c0d9b2c0f0a5a6f4c0d9b2c0f0a5a6f4c0d9b2c0f0a5a6f4c0d";

    #[test]
    fn names_are_read() {
        let full = format!("registry.example:5000/team/shop:v42@sha256:{DIGEST}");
        for (text, name, registry, label) in [
            ("shop:v42", "shop", None, Some("v42")),
            ("team/shop:1.4.0", "team/shop", None, Some("1.4.0")),
            ("registry.example/shop:v42", "registry.example/shop", Some("registry.example"), Some("v42")),
            ("localhost:5000/shop:_x", "localhost:5000/shop", Some("localhost:5000"), Some("x")),
            ("registry.example/shop:latest", "registry.example/shop", Some("registry.example"), None),
            (&full, "registry.example:5000/team/shop", Some("registry.example:5000"), Some("v42")),
        ] {
            let image: ImageReference = text.parse().unwrap();
            assert_eq!(image.to_string(), text);
            assert_eq!((image.name(), image.registry()), (name, registry), "{text}");
            assert_eq!(image.label().as_ref().map(VersionLabel::as_str), label, "{text}");
        }
        let image: ImageReference = full.parse().unwrap();
        assert_eq!(image.exact(), format!("registry.example:5000/team/shop@sha256:{DIGEST}"));
        let bare: ImageReference = format!("shop@sha256:{DIGEST}").parse().unwrap();
        assert_eq!(bare.label().unwrap().as_str(), "9b2c0f0a5a6f");
        let held = "shop:v1".parse::<ImageReference>().unwrap().pinned(DIGEST.parse().unwrap());
        assert_eq!(held.to_string(), format!("shop:v1@sha256:{DIGEST}"));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for text in [
            "",
            "shop",
            "registry.example/shop",
            ":v1",
            "shop:",
            "Shop:v1",
            "/srv/shop:v1",
            "./shop:v1",
            "../shop:v1",
            "shop//x:v1",
            "shop:v 1",
            "shop@sha256:12",
            "shop@md5:12",
            "registry.example:5000",
            "releases/v42.tar.gz",
        ] {
            let read = text.parse::<ImageReference>();
            let harmless =
                read.as_ref().is_ok_and(|image| image.registry().is_none() && text.contains("5000"));
            assert!(read.is_err() || harmless, "{text}: {read:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "[a-z0-9:/@.A-Z_-]{0,40}|\\PC*") {
            if let Ok(image) = text.parse::<ImageReference>() {
                prop_assert_eq!(image.to_string().parse::<ImageReference>(), Ok(image));
            }
        }
    }
}

//! What is spoken between the clients and the proxies, and who puts load on them in it.

/// A way to speak HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// HTTP/1.1 in clear text.
    Http,
    /// HTTP/1.1, encrypted.
    Https,
    /// HTTP/2 in clear text.
    H2c,
    /// HTTP/2, encrypted.
    H2,
}

impl Speech {
    pub(super) fn named(name: &str) -> Result<Speech, String> {
        match name {
            "http" => Ok(Speech::Http),
            "https" => Ok(Speech::Https),
            "h2c" => Ok(Speech::H2c),
            "h2" => Ok(Speech::H2),
            _ => Err(format!("{name:?} is not spoken: http, https, h2c or h2")),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Speech::Http => "http",
            Speech::Https => "https",
            Speech::H2c => "h2c",
            Speech::H2 => "h2",
        }
    }

    pub(super) fn is_secret(self) -> bool {
        matches!(self, Speech::Https | Speech::H2)
    }

    pub(super) fn is_http2(self) -> bool {
        matches!(self, Speech::H2c | Speech::H2)
    }

    pub(super) fn scheme(self) -> &'static str {
        if self.is_secret() { "https" } else { "http" }
    }
}

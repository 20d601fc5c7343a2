//! Names and numbers by which things are known. None can hold text that would be unsafe in a path, a header or a
//! terminal: names are checked where they enter.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a text is not a usable name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("{what} is empty")]
    Empty {
        /// Which kind of name was expected.
        what: &'static str,
    },
    /// The text is longer than names may be.
    #[error("{what} is longer than {max} characters")]
    TooLong {
        /// Which kind of name was expected.
        what: &'static str,
        /// The longest allowed length in bytes.
        max: usize,
    },
    /// The text holds a character that names may not hold.
    #[error("{what} may not contain {found:?}: {allowed}")]
    Character {
        /// Which kind of name was expected.
        what: &'static str,
        /// The first character that is not allowed.
        found: char,
        /// What is allowed, in words.
        allowed: &'static str,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $pattern:literal, $allowed:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed: fn(usize, char) -> bool = $check;
                if text.is_empty() {
                    return Err(IdError::Empty { what: $what });
                }
                if text.len() > $max {
                    return Err(IdError::TooLong { what: $what, max: $max });
                }
                match text.chars().enumerate().find(|&(at, c)| !allowed(at, c)) {
                    Some((_, found)) => Err(IdError::Character { what: $what, found, allowed: $allowed }),
                    None => Ok(Self(text.to_owned())),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a service: lower-case letters, digits and `-`, beginning with a letter, at most 40 characters.
    ServiceName,
    "a service name",
    40,
    "^[a-z][a-z0-9-]{0,39}$",
    "use lower-case letters, digits and '-', beginning with a letter",
    |at, c| c.is_ascii_lowercase() || at > 0 && (c.is_ascii_digit() || c == '-')
);

name!(
    /// The label of a version (`v42`, a git hash): letters, digits, `.`, `_`, `-` and `+`, beginning with a letter or
    /// digit, at most 64 characters. It is safe as a file name.
    VersionLabel,
    "a version label",
    64,
    "^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$",
    "use letters, digits, '.', '_', '-' and '+', beginning with a letter or digit",
    |at, c| c.is_ascii_alphanumeric() || at > 0 && matches!(c, '.' | '_' | '-' | '+')
);

name!(
    /// A state of the database's schema, by the name of the last migration in it: any text without control characters,
    /// at most 255 bytes.
    Revision,
    "a revision",
    255,
    r"^[^\u0000-\u001f\u007f-\u009f]{1,255}$",
    "use no control characters",
    |_, c| !c.is_control()
);

name!(
    /// The SHA-256 of a deliverable, as 64 lower-case hexadecimal digits.
    Digest,
    "a digest",
    64,
    "^[0-9a-f]{1,64}$",
    "use lower-case hexadecimal digits",
    |_, c| c.is_ascii_digit() || ('a'..='f').contains(&c)
);

name!(
    /// A secret that stands for one version of a service: whoever shows it is served by that version.
    VersionKey,
    "a version's key",
    64,
    "^[A-Za-z0-9]{1,64}$",
    "use letters and digits",
    |_, c| c.is_ascii_alphanumeric()
);

impl ServiceName {
    /// Stands where a name is still to come.
    pub fn unnamed() -> ServiceName {
        ServiceName("unnamed".to_owned())
    }
}

impl Digest {
    /// The first twelve digits: enough for people to tell deliverables apart.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!($prefix, "{}"), self.0))
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix).unwrap_or(text).parse().map(Self)
            }
        }
    };
}

number!(
    /// One running copy of a version. Numbers are handed out once per service and never used again.
    InstanceId,
    "i"
);
number!(
    /// One deployment of a service. Numbers only grow.
    DeploymentId,
    "d"
);
number!(
    /// The number of a route table. It only grows; a writer with an older one is refused.
    Generation,
    "g"
);

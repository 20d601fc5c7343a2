//! The words of the configuration for the values of an enum: one table, from which they are listed, shown and read.
//!
//! What other programs call the same is known by `word`. Tested by `check/tests.rs`: every word is read and shown again.

/// Gives an enum its words.
macro_rules! words {
    ($type:ident: $($variant:ident = $word:literal),+) => {
        impl $type {
            /// All of them, as the configuration has them.
            pub(super) const ALL: &'static [&'static str] = &[$($word),+];

            /// The word of the configuration.
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $word,)+
                }
            }

            /// The one of that word.
            pub fn named(name: &str) -> Option<$type> {
                match name {
                    $($word => Some($type::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(super) use words;

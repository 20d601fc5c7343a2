//! Who is told of deployments: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests/hook.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Wrong, reference};
use super::vocabulary::words;

/// Something that people want to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A deployment begins.
    Begun,
    /// A deployment has ended well.
    Settled,
    /// A deployment goes back to the version it came from.
    TurnedBack,
    /// A deployment that went back has ended.
    RolledBack,
    /// Something waits for a person.
    Asks,
    /// Nothing is begun by itself any more.
    Paused,
}

words!(Occasion: Begun = "begun", Settled = "settled", TurnedBack = "turned-back", RolledBack = "rolled-back",
    Asks = "asks", Paused = "paused");

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageFormat {
    /// All that is known, as an object.
    #[default]
    Json,
    /// What Slack's incoming webhooks take, and those of programs that speak like it (Mattermost, Rocket.Chat).
    Slack,
}

words!(MessageFormat: Json = "json", Slack = "slack");

/// Who is told of deployments: a program, or an address in the web.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NotifySpec {
    /// Where messages are sent by POST; `env:NAME` is read from the environment of `tandem up`.
    pub url: Option<String>,
    /// A command that gets each message on its stdin.
    pub command: Option<Vec<String>>,
    /// How a message looks.
    pub format: MessageFormat,
    /// Of what is told. Empty: of everything.
    pub on: Vec<Occasion>,
}

impl NotifySpec {
    /// Whether this is told of.
    pub fn wants(&self, occasion: Occasion) -> bool {
        self.on.is_empty() || self.on.contains(&occasion)
    }
}

/// No service tells more.
pub(super) const MOST_TARGETS: usize = 20;

/// Where messages are sent.
pub(super) fn target(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if let Some(reference) = reference(text, "env:SLACK_URL") {
        return reference;
    }
    let is_clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let has_host = |rest: &str| rest.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '[');
    let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if is_clean && has_host(rest) => Ok(text.to_owned()),
        _ => Err(Wrong::new(
            "is not the address of a web page",
            "write for example \"https://chat.example.com/hook\", or \"env:SLACK_URL\" if it is secret",
        )),
    }
}

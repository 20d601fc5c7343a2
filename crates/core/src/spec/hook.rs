//! Commands of the team's that have a word in a deployment: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests/hook.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::vocabulary::words;
use crate::base::Millis;

/// A moment of a deployment at which a command of the team's is asked whether it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Before anything is done.
    Begin,
    /// The version is ready to run, its schema is there, and nothing of it runs: a command of its own.
    Release,
    /// The first new instance is ready, and has had no request.
    Ready,
    /// Again and again while the new version has requests and the old one can come back.
    Watch,
    /// All clients are at the new version, and going back is still quick.
    Serving,
}

words!(Moment: Begin = "begin", Release = "release", Ready = "ready", Watch = "watch", Serving = "serving");

/// Which commands are asked. Each gets what it is about as JSON on its stdin, and may run twice if the controller dies meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSpec {
    /// Asked before anything is done. None: nobody is.
    pub begin: Option<Vec<String>>,
    /// A command in the deliverable, run before the first new instance is started, with the environment of one. None: there is none.
    pub release: Option<Vec<String>>,
    /// Asked before the new version gets its first request. None: nobody is.
    pub ready: Option<Vec<String>>,
    /// Asked again and again while the new version has requests and the old one can come back. None: nobody is.
    pub watch: Option<Vec<String>>,
    /// How long is paused between two times.
    pub watch_every: Millis,
    /// When it has failed so often in a row, the deployment goes back. At least 1.
    pub watch_fails: u32,
    /// Asked when all clients are at the new version. None: nobody is.
    pub serving: Option<Vec<String>>,
    /// How long each may take.
    pub within: Millis,
}

impl Default for HookSpec {
    fn default() -> HookSpec {
        HookSpec {
            begin: None,
            release: None,
            ready: None,
            watch: None,
            watch_every: Millis::from_secs(30),
            watch_fails: 2,
            serving: None,
            within: Millis::from_secs(300),
        }
    }
}

impl HookSpec {
    /// Whether there is any command at all.
    pub fn is_any(&self) -> bool {
        self.watch.is_some() || self.asked().next().is_some()
    }

    /// The moments at which somebody is asked, once each.
    pub fn asked(&self) -> impl Iterator<Item = Moment> + '_ {
        let moments = Moment::ALL.iter().filter_map(|name| Moment::named(name));
        moments.filter(|moment| *moment != Moment::Watch && self.command(*moment).is_some())
    }

    /// The command that is asked at a moment. None: nobody is.
    pub fn command(&self, moment: Moment) -> Option<&[String]> {
        match moment {
            Moment::Begin => self.begin.as_deref(),
            Moment::Release => self.release.as_deref(),
            Moment::Ready => self.ready.as_deref(),
            Moment::Watch => self.watch.as_deref(),
            Moment::Serving => self.serving.as_deref(),
        }
    }
}

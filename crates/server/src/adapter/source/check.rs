//! The check that a deliverable must pass before it is deployed: a command of the team's, run to its end or its time limit.
//!
//! One at a time; whoever asks about another deliverable has the one before cut off. Tested in place.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tandem_core::base::{Digest, ServiceName};
use tandem_core::workflow::Deliverable;

use crate::errand;
use crate::wake::Wake;

/// The check of one service.
pub(super) struct Check {
    pub(super) service: ServiceName,
    pub(super) command: Vec<String>,
    pub(super) within: Duration,
    /// Where it is run.
    pub(super) folder: PathBuf,
    pub(super) wake: Wake,
    pub(super) run: Mutex<Option<Run>>,
}

/// One run of it.
pub(super) struct Run {
    digest: Digest,
    outcome: Arc<Mutex<Option<Result<(), String>>>>,
    is_unwanted: Arc<AtomicBool>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.is_unwanted.store(true, Ordering::Release);
    }
}

impl Check {
    /// What came of the check of a deliverable; begins it if it was not yet. None: nothing yet.
    pub(super) fn observe(&self, asked: Option<&Deliverable>) -> Option<(Digest, Result<(), String>)> {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(asked) = asked else {
            *run = None;
            return None;
        };
        if run.as_ref().is_none_or(|run| run.digest != asked.digest) {
            *run = Some(self.begin(asked));
        }
        let run = run.as_ref()?;
        let outcome = run.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some((run.digest.clone(), outcome))
    }

    fn begin(&self, asked: &Deliverable) -> Run {
        let run = Run {
            digest: asked.digest.clone(),
            outcome: Arc::default(),
            is_unwanted: Arc::new(AtomicBool::new(false)),
        };
        let (outcome, is_unwanted) = (run.outcome.clone(), run.is_unwanted.clone());
        let (command, words) = (self.command_for(asked), self.command.join(" "));
        let (within, wake) = (self.within, self.wake.clone());
        let tell = move |found: Result<(), String>| {
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(found.map_err(|why| format!("its check `{words}` {why}")));
            wake.wake();
        };
        let failed = tell.clone();
        let work = move || {
            if let Some(found) = errand::run(command, b"", within, &is_unwanted) {
                tell(found);
            }
        };
        if let Err(error) = thread::Builder::new().name("check".to_owned()).spawn(work) {
            failed(Err(format!("can't be begun: {error}")));
        }
        run
    }

    fn command_for(&self, asked: &Deliverable) -> Command {
        let (digest, version) = (asked.digest.as_str(), asked.version.as_str());
        let with = |word: &String| {
            word.replace("$DIGEST", digest).replace("$VERSION", version).replace("$FILE", &asked.source)
        };
        let mut words = self.command.iter().map(with);
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .current_dir(&self.folder)
            .env("TANDEM_SERVICE", self.service.as_str())
            .env("TANDEM_DIGEST", digest)
            .env("TANDEM_VERSION", version)
            .env("TANDEM_FILE", &asked.source);
        command
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::wake::bell;
    use tandem_core::workflow::Origin;

    fn check(words: &[&str], within: Duration) -> Check {
        Check {
            service: "shop".parse().unwrap(),
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            within,
            folder: PathBuf::from("/"),
            wake: bell().0,
            run: Mutex::default(),
        }
    }

    fn deliverable(digest: &str) -> Deliverable {
        let (version, source) = ("v2".parse().unwrap(), "/inbox/x".to_owned());
        Deliverable { digest: digest.parse().unwrap(), version, source, origin: Origin::Push, hotfix: false }
    }

    fn outcome(check: &Check, digest: &str) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some((of, outcome)) = check.observe(Some(&deliverable(digest))) {
                assert_eq!(of.as_str(), digest);
                return outcome;
            }
            assert!(Instant::now() < until, "no outcome");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_check_is_told_what_it_is_about_and_its_last_words_are_told() {
        let minute = Duration::from_secs(60);
        let script = "test $0 = ab && test $TANDEM_VERSION = v2 && test $1 = v2,/inbox/x";
        let good = check(&["sh", "-c", script, "$DIGEST", "$VERSION,$FILE"], minute);
        assert_eq!(outcome(&good, "ab"), Ok(()));
        assert!(outcome(&good, "cd").is_err(), "of another one it is asked anew");
        let bad = check(&["sh", "-c", "echo no such build >&2; exit 3"], minute);
        let why = outcome(&bad, "ab").unwrap_err();
        assert!(why.contains("exit status: 3") && why.ends_with("no such build"), "{why}");
        let missing = check(&["/not/there"], minute);
        assert!(outcome(&missing, "ab").unwrap_err().contains("can't be run"));
    }
}

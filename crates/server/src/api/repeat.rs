//! Requests that were sent again: the same key, the same answer.

use std::collections::VecDeque;

use tandem_core::base::DeploymentId;
use tokio::sync::{Mutex, MutexGuard};

use super::Problem;

/// So many answers are kept.
const KEPT: usize = 100;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// The answers to requests that had a key.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    kept: VecDeque<(Vec<u8>, Vec<u8>, DeploymentId)>,
}

impl Repeats {
    pub(super) async fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().await
    }
}

impl Answers {
    /// The answer that this request got before.
    pub(super) fn answer(&self, key: &[u8], body: &[u8]) -> Result<Option<DeploymentId>, Problem> {
        if key.len() > LONGEST_KEY {
            return Err(Problem::bad_request(format!("Idempotency-Key is longer than {LONGEST_KEY} bytes")));
        }
        match self.kept.iter().find(|(kept, _, _)| kept == key) {
            Some((_, same, id)) if same == body => Ok(Some(*id)),
            Some(_) => Err(Problem::bad_request("this Idempotency-Key was used for another request")),
            None => Ok(None),
        }
    }

    /// Keeps an answer, forgetting the oldest.
    pub(super) fn keep(&mut self, key: Vec<u8>, body: Vec<u8>, id: DeploymentId) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((key, body, id));
    }
}

//! What people are told: one message for each event that somebody may want to hear of. Pure.

use serde::Serialize;
use tandem_core::base::{DeploymentId, ServiceName, Timestamp, VersionLabel};
use tandem_core::deploy::{Condition, StepEnd, Wait};
use tandem_core::spec::{MessageFormat, Occasion};
use tandem_core::workflow::{Event, Kind, Receipt, Verdict};
use tandem_engine::View;

use super::written;
use crate::message::{DeploymentRecord, JournalEvent};

/// No text is longer, in characters: chats cut off what is longer.
const LONGEST: usize = 2000;

/// One message. As JSON it is what programs get; fields may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Notice {
    /// By which one that comes twice is known again.
    pub(crate) id: String,
    /// Of what it tells.
    pub(crate) occasion: Occasion,
    service: ServiceName,
    at: String,
    /// For people, one line.
    pub(crate) text: String,
    deployment: Option<DeploymentId>,
    version: Option<VersionLabel>,
    previous: Option<VersionLabel>,
    receipt: Option<Receipt>,
}

impl Notice {
    /// What an event of the journal means to people, if anything; `record` is of its deployment.
    pub(crate) fn of(
        service: &ServiceName,
        event: &JournalEvent,
        record: Option<&DeploymentRecord>,
    ) -> Option<Notice> {
        let version = record.map(|record| record.version.clone());
        let notice = Notice {
            id: format!("e{}", event.seq),
            occasion: Occasion::Begun,
            service: service.clone(),
            at: written(event.recorded.at),
            text: String::new(),
            deployment: event.deployment,
            version,
            previous: None,
            receipt: None,
        };
        Some(match &event.recorded.event {
            Event::Requested(request) => {
                let (id, to, how) = (request.deployment, &request.version, request.strategy.kind().name());
                let by_itself = if request.queued.is_some() { " by itself" } else { "" };
                let text = match request.kind {
                    Kind::Deploy => format!("{id} to {to} by {how} begins{by_itself}"),
                    Kind::Rollback => format!("{id} goes back to {to} by {how}"),
                };
                Notice { version: Some(to.clone()), ..notice }.saying(Occasion::Begun, &text)
            }
            Event::TurnedBack { deployment, reason } => {
                let to = notice.version.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
                let text = format!("{deployment}{to} goes back: {reason}");
                notice.saying(Occasion::TurnedBack, &text)
            }
            Event::Finished { receipt, .. } => {
                let settled = receipt.verdict == Verdict::Settled;
                let occasion = if settled { Occasion::Settled } else { Occasion::RolledBack };
                let (version, previous) = (Some(receipt.to.clone()), receipt.from.clone());
                let notice = Notice { version, previous, receipt: Some((**receipt).clone()), ..notice };
                notice.saying(occasion, &receipt.to_string())
            }
            Event::SourcePaused { why } => {
                let text = format!("nothing is deployed by itself from now on, because {why}");
                notice.saying(Occasion::Paused, &text)
            }
            _ => return None,
        })
    }

    /// That something waits for a person.
    pub(crate) fn asking(service: &ServiceName, wait: &Wait, view: &View, now: Timestamp) -> Option<Notice> {
        let deployment = view.state.deployment.as_ref();
        let id = deployment.map(|deployment| deployment.request.deployment);
        let (id, deployment, version) = match wait {
            Wait::Step { at, until: StepEnd::Promotion { .. }, .. } => {
                let version = deployment.map(|deployment| deployment.request.version.clone());
                (format!("{}-step-{at}", id?), id, version)
            }
            Wait::Queued { version, condition: Condition::Approval, since, .. } => {
                (format!("approve-{version}-{}", since.0), None, Some(version.clone()))
            }
            _ => return None,
        };
        let notice = Notice {
            id,
            occasion: Occasion::Asks,
            service: service.clone(),
            at: written(now),
            text: String::new(),
            deployment,
            version,
            previous: None,
            receipt: None,
        };
        Some(notice.saying(Occasion::Asks, &wait.sentence(now)))
    }

    fn saying(self, occasion: Occasion, text: &str) -> Notice {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = match line.char_indices().nth(LONGEST) {
            Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or_default()),
            None => line,
        };
        Notice { occasion, text, ..self }
    }

    /// The message as it is sent.
    pub(crate) fn body(&self, format: MessageFormat) -> Vec<u8> {
        let body = match format {
            MessageFormat::Json => serde_json::to_vec(self),
            MessageFormat::Slack => {
                let (service, text) = (escaped(self.service.as_str()), escaped(&self.text));
                serde_json::to_vec(
                    &serde_json::json!({ "text": format!("{} *{service}*: {text}", self.sign()) }),
                )
            }
        };
        body.unwrap_or_default()
    }

    /// What catches the eye.
    fn sign(&self) -> &'static str {
        match self.occasion {
            Occasion::Begun => ":arrow_right:",
            Occasion::Settled => ":white_check_mark:",
            Occasion::TurnedBack | Occasion::RolledBack => ":x:",
            Occasion::Asks => ":raised_hand:",
            Occasion::Paused => ":double_vertical_bar:",
        }
    }
}

/// A text that is no markup to Slack: these three are what it gives a meaning (<https://docs.slack.dev/messaging/formatting-message-text>).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use tandem_core::workflow::{Reason, Recorded};

    use super::*;

    fn notice(event: Event) -> Option<Notice> {
        let recorded = Recorded { at: Timestamp(1_790_000_000_000), event };
        let event = JournalEvent { seq: 7, deployment: Some(DeploymentId(3)), recorded };
        Notice::of(&"shop".parse().unwrap(), &event, None)
    }

    fn back(error: &str) -> Notice {
        let reason = Reason::NotPrepared { error: error.to_owned() };
        notice(Event::TurnedBack { deployment: DeploymentId(3), reason }).unwrap()
    }

    #[test]
    fn a_message_is_one_line_for_people_and_an_object_for_programs() {
        let back = back("no\nsuch <file>");
        assert_eq!(back.text, "d3 goes back: the deliverable can't be used: no such <file>");
        let json: serde_json::Value = serde_json::from_slice(&back.body(MessageFormat::Json)).unwrap();
        assert_eq!((&json["occasion"], &json["id"]), (&"turned-back".into(), &"e7".into()));
        assert_eq!((&json["at"], &json["deployment"]), (&"2026-09-21T14:13:20Z".into(), &3.into()));
        let slack = String::from_utf8(back.body(MessageFormat::Slack)).unwrap();
        assert_eq!(
            slack,
            r#"{"text":":x: *shop*: d3 goes back: the deliverable can't be used: no such &lt;file&gt;"}"#
        );
    }

    #[test]
    fn a_text_has_an_end_and_most_events_have_none() {
        assert_eq!(back(&"ä".repeat(10_000)).text.chars().count(), LONGEST + 1);
        assert_eq!(notice(Event::SourceResumed), None);
    }
}

//! What a connection has prepared, bound and executed, followed from both directions.

use std::collections::{BTreeMap, VecDeque};

use tandem_schema::recording::{Exchange, Executed};

use super::message::Message;

/// So many things may be under way, prepared or bound: no framework comes near.
const MOST: usize = 100_000;

/// The script of one connection.
#[derive(Default)]
pub(super) struct Script {
    connection: u32,
    prepared: BTreeMap<String, (String, Vec<u32>)>,
    portals: BTreeMap<String, Executed>,
    /// Statements whose parameters' types were asked for.
    described: VecDeque<String>,
    /// What was sent and not answered yet.
    sent: VecDeque<Sent>,
    exchange: Exchange,
}

/// Something that is answered.
enum Sent {
    Query(Executed),
    Execute(Executed),
    Sync,
}

impl Script {
    pub(super) fn new(connection: u32) -> Script {
        Script { connection, ..Script::default() }
    }

    /// Takes note of what the client sends, before it is passed on. False: more than there may be.
    pub(super) fn client_sends(&mut self, message: &Message) -> bool {
        let mut body = message.body();
        let _ = (|| {
            match message.kind {
                b'Q' => {
                    let text = body.text()?;
                    self.sent.push_back(Sent::Query(Executed { text, ..Executed::default() }));
                }
                b'P' => {
                    let (name, text) = (body.text()?, body.text()?);
                    let oids = body.oids()?;
                    self.prepared.insert(name, (text, oids));
                }
                b'B' => {
                    let (portal, statement) = (body.text()?, body.text()?);
                    let (text, oids) = self.prepared.get(&statement)?;
                    let parameters = body.parameters(oids)?;
                    let bound = Executed { text: text.clone(), parameters, tags: Vec::new() };
                    self.portals.insert(portal, bound);
                }
                b'D' if body.byte()? == b'S' => self.described.push_back(body.text()?),
                b'E' => {
                    let bound = self.portals.get(&body.text()?).cloned().unwrap_or_default();
                    self.sent.push_back(Sent::Execute(bound));
                }
                b'C' => {
                    let (kind, name) = (body.byte()?, body.text()?);
                    if kind == b'S' {
                        drop(self.prepared.remove(&name));
                    } else {
                        drop(self.portals.remove(&name));
                    }
                }
                b'S' => self.sent.push_back(Sent::Sync),
                _ => {}
            }
            Some(())
        })();
        [self.sent.len(), self.prepared.len(), self.portals.len(), self.described.len()]
            .iter()
            .all(|n| *n < MOST)
    }

    /// Takes note of what the server answers. An exchange that has come to its end is given back.
    pub(super) fn server_answers(&mut self, message: &Message) -> Option<Exchange> {
        let mut body = message.body();
        match message.kind {
            b'C' => self.completed(&body.text()?),
            b'I' => self.completed(""),
            // A portal of which only some rows were asked for.
            b's' => drop(self.sent.pop_front()),
            b'E' => self.exchange.failed = true,
            b'G' => self.exchange.copied = true,
            b't' => {
                let oids = body.oids()?;
                let (_, known) = self.prepared.get_mut(&self.described.pop_front()?)?;
                *known = oids;
            }
            b'Z' => return self.ready(body.byte()?),
            _ => {}
        }
        None
    }

    fn completed(&mut self, tag: &str) {
        match self.sent.front_mut() {
            Some(Sent::Query(executed)) => executed.tags.push(tag.to_owned()),
            Some(Sent::Execute(_)) => {
                if let Some(Sent::Execute(mut executed)) = self.sent.pop_front() {
                    executed.tags.push(tag.to_owned());
                    self.exchange.executed.push(executed);
                }
            }
            Some(Sent::Sync) | None => {}
        }
    }

    fn ready(&mut self, status: u8) -> Option<Exchange> {
        self.described.clear();
        // What was sent after something failed was passed over up to here.
        while let Some(sent) = self.sent.pop_front() {
            match sent {
                Sent::Query(executed) => {
                    self.exchange.executed.push(executed);
                    break;
                }
                Sent::Sync => break,
                Sent::Execute(_) => {}
            }
        }
        let mut exchange = std::mem::take(&mut self.exchange);
        (exchange.connection, exchange.open) = (self.connection, status != b'I');
        let empty = exchange.executed.is_empty() && !exchange.failed && !exchange.copied;
        (!empty).then_some(exchange)
    }
}

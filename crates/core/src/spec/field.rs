//! Which path of the file stands for which field of the checked configuration, in both directions.
//!
//! The only place that maps the one to the other: reading and showing both go through [`visit`]. Tested by
//! `check/tests.rs`: each key changes a field, and what is shown is read back equal.

mod deploy;
mod docker;
mod hook;
mod rule;
mod source;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::base::{Amount, Millis, Network, Price, ServiceName, Share};

use super::acme::ACCEPTED;
use super::admin::AdminSpec;
use super::balance::{Affinity, BalanceSpec, Policy};
use super::contract::ContractSpec;
use super::database::{Access, DatabaseSpec, Names, Naming};
use super::deploy::StrategyKind;
use super::guard::Unclear;
use super::listen::{Speaks, Told};
use super::monitoring::{LogFormat, MonitoringSpec, Queries};
use super::notify::MessageFormat;
use super::service::{DrainSpec, PortRange, Protocol, ServiceSpec, Signal};
use super::session::Pin;
use super::text;
use super::tls::{AcmeChallenge, ClientCertificate, TlsSpec, TlsVersion};
use super::value::Value;

/// A field that can be set from a value and written as one.
pub(super) trait Field {
    /// Takes the value over, if it is of the field's type.
    fn set(&mut self, value: &Value);
    /// The field as it would stand in a file. None: a value that is not set.
    fn show(&self) -> Option<String>;
}

/// Calls `each` with every path and its field. `listen` and `rule` are visited as long as they are.
pub(super) fn visit(spec: &mut ServiceSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("service", &mut spec.service);
    let run = &mut spec.run;
    each("run.command", &mut Command(&mut run.command));
    each("run.instances", &mut run.instances);
    each("run.env", &mut run.env);
    each("run.protocol", &mut run.protocol);
    each("run.ports", &mut run.ports);
    each("run.ready.http", &mut run.ready.path);
    each("run.ready.grpc", &mut run.ready.grpc);
    each("run.ready.host", &mut run.ready.host);
    each("run.ready.every", &mut run.ready.every);
    each("run.ready.timeout", &mut run.ready.timeout);
    each("run.ready.within", &mut run.ready.within);
    each("run.ready.rise", &mut run.ready.rise);
    each("run.ready.fall", &mut run.ready.fall);
    each("run.stop.signal", &mut run.stop.signal);
    each("run.stop.drain", &mut EveryClass(&mut run.stop.drain));
    each("run.stop.drain.requests", &mut run.stop.drain.requests);
    each("run.stop.drain.uploads", &mut run.stop.drain.uploads);
    each("run.stop.drain.streams", &mut run.stop.drain.streams);
    each("run.stop.drain.websockets", &mut run.stop.drain.websockets);
    each("run.stop.grace", &mut run.stop.grace);
    each("run.restart.first", &mut run.restart.first);
    each("run.restart.longest", &mut run.restart.longest);
    each("run.restart.forget", &mut run.restart.forget);
    each("run.price", &mut run.price);
    docker::visit(run.docker.as_mut(), each);
    visit_door(spec, each);
    deploy::visit(&mut spec.deploy, each);
    let timeouts = &mut spec.timeouts;
    each("timeouts.head", &mut timeouts.head);
    each("timeouts.body", &mut timeouts.body);
    each("timeouts.connect", &mut timeouts.connect);
    each("timeouts.answer", &mut timeouts.answer);
    each("timeouts.stream", &mut timeouts.stream);
    each("timeouts.idle", &mut timeouts.idle);
    each("timeouts.pool_idle", &mut timeouts.pool_idle);
    each("timeouts.hold", &mut timeouts.hold);
    visit_balance(&mut spec.balance, each);
    let limits = &mut spec.limits;
    each("limits.head", &mut Bytes(&mut limits.head));
    each("limits.fields", &mut limits.fields);
    each("limits.body", &mut limits.body);
    each("limits.connections", &mut limits.connections);
    let sessions = &mut spec.sessions;
    each("sessions.pin", &mut sessions.pin);
    each("sessions.cookie", &mut sessions.cookie);
    each("sessions.idle", &mut sessions.idle);
    each("sessions.limit", &mut sessions.limit);
    let assets = &mut spec.assets;
    each("assets.folders", &mut assets.folders);
    each("assets.size", &mut assets.size);
    each("assets.keep", &mut assets.keep);
    visit_database(&mut spec.database, each);
    visit_contract(&mut spec.contract, each);
    visit_monitoring(&mut spec.monitoring, each);
    visit_admin(&mut spec.admin, each);
    source::visit(&mut spec.source, each);
    hook::visit(&mut spec.hooks, &mut spec.notify, each);
}

fn visit_admin(admin: &mut AdminSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("admin.listen", &mut admin.listen);
    each("admin.hosts", &mut admin.hosts);
    each("admin.certificate", &mut admin.certificate);
    each("admin.key", &mut admin.key);
}

fn visit_balance(balance: &mut BalanceSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("balance.policy", &mut balance.policy);
    each("balance.by", &mut balance.by);
    each("balance.slow_start", &mut balance.slow_start);
    each("balance.concurrent", &mut balance.concurrent);
    each("balance.eject.errors", &mut balance.eject.errors);
    each("balance.eject.requests", &mut balance.eject.requests);
    each("balance.eject.within", &mut balance.eject.within);
    each("balance.eject.rest", &mut balance.eject.rest);
    each("balance.eject.most", &mut balance.eject.most);
}

fn visit_monitoring(monitoring: &mut MonitoringSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("metrics.listen", &mut monitoring.metrics.listen);
    let log = &mut monitoring.log;
    each("log.access", &mut log.access);
    each("log.format", &mut log.format);
    each("log.sample", &mut log.sample);
    each("log.slow", &mut log.slow);
    each("log.queries", &mut log.queries);
}

fn visit_door(spec: &mut ServiceSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    for (at, listen) in spec.listen.iter_mut().enumerate() {
        each(&format!("listen[{at}].address"), &mut listen.address);
        each(&format!("listen[{at}].hosts"), &mut listen.hosts);
        each(&format!("listen[{at}].paths"), &mut listen.paths);
        each(&format!("listen[{at}].speaks"), &mut listen.speaks);
        each(&format!("listen[{at}].trusted"), &mut listen.trusted);
        each(&format!("listen[{at}].told"), &mut listen.told);
    }
    rule::visit(&mut spec.rules, each);
    visit_tls(&mut spec.tls, each);
}

fn visit_database(database: &mut DatabaseSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("database.url", &mut database.url);
    each("database.app_url", &mut database.app_url);
    each("database.variable", &mut database.variable);
    each("database.migrations", &mut database.migrations);
    each("database.migrate", &mut database.migrate);
    each("database.texts", &mut database.texts);
    each("database.rows", &mut database.rows);
    each("database.within", &mut database.within);
    each("database.home", &mut database.home);
    each("database.names", &mut database.names);
    each("database.access", &mut database.access);
    each("database.application_name", &mut database.application_name);
    each("database.wal", &mut database.wal);
    each("database.scratch_url", &mut database.scratch_url);
    each("database.keep", &mut database.keep);
}

fn visit_contract(contract: &mut ContractSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("contract.document", &mut contract.document);
    each("contract.caller", &mut contract.caller);
    each("contract.window", &mut contract.window);
    each("contract.needs", &mut contract.needs);
    each("contract.shared", &mut contract.shared);
}

fn visit_tls(tls: &mut TlsSpec, each: &mut dyn FnMut(&str, &mut dyn Field)) {
    each("tls.certificates", &mut tls.certificates);
    each("tls.oldest", &mut tls.oldest);
    each("tls.client_ca", &mut tls.client_ca);
    each("tls.client", &mut tls.client);
    let acme = &mut tls.acme;
    each("tls.acme.terms", &mut Consent(&mut acme.accepted));
    each("tls.acme.directory", &mut acme.directory);
    each("tls.acme.contact", &mut acme.contact);
    each("tls.acme.hosts", &mut acme.hosts);
    each("tls.acme.challenge", &mut acme.challenge);
    each("tls.acme.eab_kid", &mut acme.eab_kid);
    each("tls.acme.eab_key", &mut acme.eab_key);
    each("tls.acme.ca", &mut acme.ca);
}

/// A text in quotes, as TOML wants it.
fn literal(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Field for String {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            self.clone_from(text);
        }
    }

    fn show(&self) -> Option<String> {
        Some(literal(self))
    }
}

impl Field for Option<String> {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            *self = Some(text.clone());
        }
    }

    fn show(&self) -> Option<String> {
        self.as_deref().map(literal)
    }
}

impl Field for Vec<String> {
    fn set(&mut self, value: &Value) {
        if let Value::Words(words) = value {
            self.clone_from(words);
        }
    }

    fn show(&self) -> Option<String> {
        let words: Vec<String> = self.iter().map(|word| literal(word)).collect();
        Some(format!("[{}]", words.join(", ")))
    }
}

impl Field for Vec<Network> {
    fn set(&mut self, value: &Value) {
        if let Value::Words(words) = value {
            *self = words.iter().filter_map(|word| word.parse().ok()).collect();
        }
    }

    fn show(&self) -> Option<String> {
        self.iter().map(ToString::to_string).collect::<Vec<_>>().show()
    }
}

impl Field for Option<Vec<String>> {
    fn set(&mut self, value: &Value) {
        if let Value::Words(words) = value {
            *self = Some(words.clone());
        }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(Field::show)
    }
}

impl Field for BTreeMap<String, String> {
    fn set(&mut self, value: &Value) {
        if let Value::Texts(texts) = value {
            self.clone_from(texts);
        }
    }

    fn show(&self) -> Option<String> {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let key = |name: &String| if name.chars().all(bare) { name.clone() } else { literal(name) };
        let entries: Vec<String> =
            self.iter().map(|(name, text)| format!("{} = {}", key(name), literal(text))).collect();
        Some(if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) })
    }
}

impl Field for u32 {
    fn set(&mut self, value: &Value) {
        if let Value::Number(number) = value {
            *self = u32::try_from(*number).unwrap_or(u32::MAX);
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Of the numbers only sizes have 64 bits.
impl Field for u64 {
    fn set(&mut self, value: &Value) {
        if let Value::Number(number) = value {
            *self = *number;
        }
    }

    fn show(&self) -> Option<String> {
        Some(text::show_size(*self))
    }
}

/// A number of bytes in 32 bits.
struct Bytes<'f>(&'f mut u32);

impl Field for Bytes<'_> {
    fn set(&mut self, value: &Value) {
        self.0.set(value);
    }

    fn show(&self) -> Option<String> {
        Some(text::show_size(u64::from(*self.0)))
    }
}

impl Field for Millis {
    fn set(&mut self, value: &Value) {
        if let Value::Length(length) = value {
            *self = *length;
        }
    }

    fn show(&self) -> Option<String> {
        Some(literal(&self.to_string()))
    }
}

/// A command, or none where something else says what is run.
struct Command<'f>(&'f mut Vec<String>);

impl Field for Command<'_> {
    fn set(&mut self, value: &Value) {
        self.0.set(value);
    }

    fn show(&self) -> Option<String> {
        self.0.show().filter(|_| !self.0.is_empty())
    }
}

/// One length for all classes of what is in flight.
struct EveryClass<'f>(&'f mut DrainSpec);

impl Field for EveryClass<'_> {
    fn set(&mut self, value: &Value) {
        if let Value::Length(length) = *value {
            *self.0 = DrainSpec { requests: length, uploads: length, streams: length, websockets: length };
        }
    }

    fn show(&self) -> Option<String> {
        None
    }
}

/// Consent is one word or none.
struct Consent<'f>(&'f mut bool);

impl Field for Consent<'_> {
    fn set(&mut self, value: &Value) {
        *self.0 = matches!(value, Value::Text(text) if text == ACCEPTED);
    }

    fn show(&self) -> Option<String> {
        self.0.then(|| literal(ACCEPTED))
    }
}

impl Field for Option<AcmeChallenge> {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            *self = AcmeChallenge::named(text);
        }
    }

    fn show(&self) -> Option<String> {
        self.map(|challenge| literal(challenge.name()))
    }
}

impl Field for Amount {
    fn set(&mut self, value: &Value) {
        if let Value::Amount(amount) = value {
            *self = *amount;
        }
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Amount::Count(count) => count.to_string(),
            Amount::Percent(_) => literal(&self.to_string()),
        })
    }
}

impl Field for Option<Amount> {
    fn set(&mut self, value: &Value) {
        if let Value::Amount(amount) = value {
            *self = Some(*amount);
        }
    }

    fn show(&self) -> Option<String> {
        self.and_then(|amount| amount.show())
    }
}

impl Field for Option<Price> {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            *self = text.parse().ok();
        }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().map(|price| literal(&price.to_string()))
    }
}

impl Field for Option<SocketAddr> {
    fn set(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            *self = text.parse().ok();
        }
    }

    fn show(&self) -> Option<String> {
        self.map(|address| literal(&address.to_string()))
    }
}

/// Fields that a text's check has made canonical: what does not parse now was refused before.
macro_rules! from_text {
    ($type:ty, $parse:expr, $show:expr) => {
        impl Field for $type {
            fn set(&mut self, value: &Value) {
                let parse: fn(&str) -> Option<$type> = $parse;
                if let Value::Text(text) = value
                    && let Some(parsed) = parse(text)
                {
                    *self = parsed;
                }
            }

            fn show(&self) -> Option<String> {
                let show: fn(&$type) -> String = $show;
                Some(literal(&show(self)))
            }
        }
    };
}

from_text!(ServiceName, |text| text.parse().ok(), ToString::to_string);
from_text!(SocketAddr, |text| text.parse().ok(), ToString::to_string);
from_text!(PortRange, |text| text::port_range(text).ok(), |range| format!("{}-{}", range.first, range.last));
from_text!(Signal, Signal::named, |signal| signal.name().to_owned());
from_text!(Policy, Policy::named, |policy| policy.name().to_owned());
from_text!(Affinity, |text| text.parse().ok(), ToString::to_string);
from_text!(Share, |text| text.parse().ok(), ToString::to_string);
from_text!(LogFormat, LogFormat::named, |format| format.name().to_owned());
from_text!(MessageFormat, MessageFormat::named, |format| format.name().to_owned());
from_text!(Queries, Queries::named, |queries| queries.name().to_owned());
from_text!(StrategyKind, StrategyKind::named, |kind| kind.name().to_owned());
from_text!(Unclear, Unclear::named, |unclear| unclear.name().to_owned());
from_text!(Pin, Pin::named, |pin| pin.name().to_owned());
from_text!(Names, Names::named, |names| names.name().to_owned());
from_text!(Protocol, Protocol::named, |protocol| protocol.name().to_owned());
from_text!(Told, Told::named, |told| told.name().to_owned());
from_text!(Speaks, Speaks::named, |speaks| speaks.name().to_owned());
from_text!(TlsVersion, TlsVersion::named, |version| version.name().to_owned());
from_text!(ClientCertificate, ClientCertificate::named, |client| client.name().to_owned());
from_text!(Access, Access::named, |access| access.name().to_owned());
from_text!(Naming, Naming::named, |naming| naming.name().to_owned());

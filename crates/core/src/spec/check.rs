//! From the text of a configuration to values that make sense, or to everything that is wrong with it.
//!
//! Here stands what values mean together. Knows no files and no environment: `env:NAME` stays as it is written.
//! Tested in `check/tests.rs` by readable cases and properties.

use std::collections::BTreeMap;

use super::acme::MOST_NAMES;
use super::database::DatabaseSpec;
use super::deploy::StrategyKind;
use super::docker::DockerSpec;
use super::field::visit;
use super::found::Found;
use super::listen::ListenSpec;
use super::listen::Speaks;
use super::notify::NotifySpec;
use super::problem::{Problem, ProblemCode};
use super::rule::RuleSpec;
use super::service::ServiceSpec;
use super::session::Pin;
use super::tls::{AcmeChallenge, AcmeSpec};

pub(super) mod admin;
mod docker;
mod notify;
mod rule;
#[cfg(test)]
mod tests;

/// A configuration and which of its values were written rather than left to their defaults.
pub(super) struct Checked {
    pub(super) spec: ServiceSpec,
    pub(super) found: Found,
}

/// Reads the text of a `tandem.toml`.
///
/// # Errors
/// All problems of the text at once, in the order in which they stand there. If it is not TOML at all, only that.
pub fn read(text: &str) -> Result<ServiceSpec, Vec<Problem>> {
    check(text).map(|checked| checked.spec)
}

/// Reads only the database of a `tandem.toml`, which may lack everything else: `tandem schema` needs no service.
///
/// # Errors
/// All problems of that part.
pub fn read_database(text: &str) -> Result<DatabaseSpec, Vec<Problem>> {
    let mut found = Found::read_only(text, "database");
    let mut spec = ServiceSpec::draft();
    fill(&mut spec, &found);
    if found.problems.is_empty() {
        return Ok(spec.database);
    }
    found.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    Err(found.problems)
}

pub(super) fn fill(spec: &mut ServiceSpec, found: &Found) {
    visit(spec, &mut |path, field| {
        if let Some(value) = found.value(path) {
            field.set(value);
        }
    });
}

pub(super) fn check(text: &str) -> Result<Checked, Vec<Problem>> {
    let mut found = Found::read(text);
    let mut spec = ServiceSpec::draft();
    spec.listen = vec![ListenSpec::draft(); found.length("listen")];
    spec.rules = vec![RuleSpec::default(); found.length("rule")];
    spec.notify = vec![NotifySpec::default(); found.length("notify")];
    spec.run.docker = found.has("run.docker").then(DockerSpec::default);
    fill(&mut spec, &found);
    docker::engines_can_be_used(spec.run.docker.as_ref(), &mut found);
    pool_fits_its_ports(&spec, &mut found);
    restart_waits_grow(&spec, &mut found);
    addresses_differ(&spec, &mut found);
    rule::rules_make_sense(&spec.rules, &mut found);
    notify::each_is_told_somehow(&spec.notify, &mut found);
    rolling_can_move(&spec, &mut found);
    canary_can_step(&spec, &mut found);
    database_has_its_variable(&spec, &mut found);
    needs_are_shared(&spec, &mut found);
    sessions_can_stay(&spec, &mut found);
    https_has_certificates(&spec, &mut found);
    authorities_can_be_asked(&spec, &mut found);
    admin::network_is_safe(&spec.admin, &mut found);
    if found.problems.is_empty() {
        return Ok(Checked { spec, found });
    }
    found.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    Err(found.problems)
}

fn contradiction(found: &mut Found, path: &str, message: String, help: impl Into<String>) {
    let problem = Problem::new(ProblemCode::Contradiction, found.span(path), message);
    found.problems.push(problem.help(help));
}

/// During a flip there are two pools, and each instance needs a port.
fn pool_fits_its_ports(spec: &ServiceSpec, found: &mut Found) {
    let (ports, instances) = (spec.run.ports, spec.run.instances);
    let count = u32::from(ports.last.saturating_sub(ports.first)) + 1;
    if found.good(&["run.ports", "run.instances"]) && count < 2 * instances {
        let message =
            format!("`run.ports` holds {count} ports, too few for two pools of {instances} instances");
        contradiction(found, "run.ports", message, format!("give at least {} ports", 2 * instances));
    }
}

fn restart_waits_grow(spec: &ServiceSpec, found: &mut Found) {
    let restart = spec.run.restart;
    if found.good(&["run.restart.first", "run.restart.longest"]) && restart.first > restart.longest {
        let path = if found.value("run.restart.first").is_some() {
            "run.restart.first"
        } else {
            "run.restart.longest"
        };
        let message = format!(
            "`run.restart.first` is {}, longer than `run.restart.longest`, which is {}",
            restart.first, restart.longest
        );
        contradiction(found, path, message, "make `first` the shorter of the two");
    }
}

fn addresses_differ(spec: &ServiceSpec, found: &mut Found) {
    let mut seen = BTreeMap::new();
    for (at, listen) in spec.listen.iter().enumerate() {
        let path = format!("listen[{at}].address");
        if found.value(&path).is_some() && seen.insert(listen.address, at).is_some() {
            let message = format!("`listen.address` {} is there twice", listen.address);
            contradiction(found, &path, message, "put all `hosts` of one address into one [[listen]]");
        }
    }
    let metrics = spec.monitoring.metrics.listen;
    if metrics.is_some_and(|address| seen.contains_key(&address)) {
        let message = "`metrics.listen` is an address at which requests arrive".to_owned();
        contradiction(found, "metrics.listen", message, "give metrics a port of their own");
    }
    let admin = spec.admin.listen;
    if admin.is_some_and(|address| seen.contains_key(&address) || metrics == Some(address)) {
        let message = "`admin.listen` is an address at which requests arrive, or metrics are told".to_owned();
        contradiction(found, "admin.listen", message, "give it a port of its own");
    }
}

fn https_has_certificates(spec: &ServiceSpec, found: &mut Found) {
    let secure = |listen: &ListenSpec| listen.speaks == Speaks::Https;
    if let Some(at) = spec.listen.iter().position(secure)
        && spec.tls.certificates.is_empty()
        && found.value("tls.certificates").is_none()
        && spec.tls.acme == AcmeSpec::default()
        && found.good(&["tls.acme.terms"])
    {
        let path = format!("listen[{at}].speaks");
        let message = "`listen.speaks` is https, and there is no certificate".to_owned();
        let help = "write for example [tls] certificates = { \"certs/shop.pem\" = \"certs/shop.key\" }, or have them from an \
                    authority: [tls.acme] terms = \"accepted\"";
        contradiction(found, &path, message, help);
    }
    if let Some(at) = spec.listen.iter().position(|listen| listen.speaks == Speaks::Redirect)
        && !spec.listen.iter().any(secure)
    {
        let path = format!("listen[{at}].speaks");
        let message = "`listen.speaks` is redirect, and no address speaks https".to_owned();
        contradiction(found, &path, message, "add a [[listen]] with speaks = \"https\"");
    }
}

/// The first key of `[tls.acme]` that is written beside the consent.
fn first_of_acme(found: &Found) -> String {
    let keys = ["contact", "hosts", "challenge", "eab_kid", "eab_key", "ca", "directory"];
    let written = keys.iter().map(|key| format!("tls.acme.{key}")).find(|path| found.value(path).is_some());
    written.unwrap_or_else(|| "tls.acme".to_owned())
}

/// An authority is asked by consent, for names, and comes to an address that it can reach.
fn authorities_can_be_asked(spec: &ServiceSpec, found: &mut Found) {
    if !found.good(&["tls.acme.terms", "tls.acme.hosts", "tls.acme.challenge"]) {
        return;
    }
    let (acme, terms) = (&spec.tls.acme, "tls.acme.terms");
    if !acme.accepted {
        if *acme != AcmeSpec::default() {
            let path = first_of_acme(found);
            let message =
                "`tls.acme` asks an authority for certificates whose terms are not accepted".to_owned();
            contradiction(
                found,
                &path,
                message,
                "read them, and write terms = \"accepted\" if you accept them",
            );
        }
        return;
    }
    let speaks = |of: &[Speaks]| spec.listen.iter().any(|listen| of.contains(&listen.speaks));
    let names = spec.acme_names();
    if !speaks(&[Speaks::Https]) {
        let message = "`tls.acme` asks for certificates, and no address speaks https".to_owned();
        contradiction(found, terms, message, "add a [[listen]] with speaks = \"https\"");
    } else if names.is_empty() {
        let message = "`tls.acme` has no name to ask a certificate for".to_owned();
        let help = "name them: hosts = [\"shop.example.com\"], here or at the address that speaks https";
        contradiction(found, terms, message, help);
    } else if names.len() > MOST_NAMES {
        let message =
            format!("`tls.acme` would ask certificates for {} names, more than {MOST_NAMES}", names.len());
        contradiction(
            found,
            terms,
            message,
            "name fewer in `hosts`, and files in `tls.certificates` for the others",
        );
    }
    if spec.acme_challenge() == AcmeChallenge::Http && !speaks(&[Speaks::Http, Speaks::Redirect]) {
        let message =
            "`tls.acme` has authorities ask on port 80, and no address speaks clear text".to_owned();
        let help = "add a [[listen]] that is reached there, with speaks = \"redirect\", or write challenge = \"tls\" if https is reached \
                    on port 443";
        contradiction(found, terms, message, help);
    }
    if acme.eab_kid.is_some() != acme.eab_key.is_some()
        && found.good(&["tls.acme.eab_kid", "tls.acme.eab_key"])
    {
        let path = if acme.eab_kid.is_some() { "tls.acme.eab_kid" } else { "tls.acme.eab_key" };
        let message = format!("`{path}` says one half of an account");
        contradiction(found, path, message, "write both eab_kid and eab_key");
    }
}

/// The URL of each revision is Tandem's to set.
fn database_has_its_variable(spec: &ServiceSpec, found: &mut Found) {
    let variable = &spec.database.variable;
    if spec.database.url.is_some() && spec.run.env.contains_key(variable) {
        let message =
            format!("`run.env` holds {variable}, in which each instance gets the URL of its own schema");
        let help = "leave it out, or name another variable in `database.variable`";
        contradiction(found, "run.env", message, help);
    }
}

/// What others promise is only known where they tell it.
fn needs_are_shared(spec: &ServiceSpec, found: &mut Found) {
    if !spec.contract.needs.is_empty() && found.good(&["contract.shared"]) && spec.contract.shared.is_none() {
        let message = "`contract.needs` names services, and nobody tells what they promise".to_owned();
        let help = "name a folder in `contract.shared`, the same in the configuration of each of them";
        contradiction(found, "contract.needs", message, help);
    }
}

/// Where a few instances are replaced at a time, clients that stay with the old version would all come to the last one.
fn sessions_can_stay(spec: &ServiceSpec, found: &mut Found) {
    if spec.sessions.pin == Pin::Stay && spec.deploy.strategy != StrategyKind::Flip {
        let message = "`sessions.pin` keeps clients with the old version, and `deploy.strategy` takes its instances away one after the other";
        let help = "write deploy.strategy = \"flip\", which keeps the whole old pool, or pin = \"forward\"";
        contradiction(found, "sessions.pin", message.to_owned(), help);
    }
}

/// The steps of a canary make sense together.
fn canary_can_step(spec: &ServiceSpec, found: &mut Found) {
    if let Some(problem) = spec.deploy.canary.problem().filter(|_| found.good(&["deploy.canary.steps"])) {
        let help = "write for example [\"5% for 10m\", \"50% for 10m\"]";
        contradiction(found, "deploy.canary.steps", format!("`deploy.canary.steps` {problem}"), help);
    }
}

/// `rolling` needs room: above the wanted number or below it, but never down to nothing unless that is written.
fn rolling_can_move(spec: &ServiceSpec, found: &mut Found) {
    if !found.good(&["run.instances", "deploy.batch", "deploy.surge", "deploy.floor"]) {
        return;
    }
    let (instances, rolling) = (spec.run.instances, spec.deploy.rolling);
    let batch = rolling.batch.of_rounded_up(instances);
    if batch == 0 {
        let message = format!("`deploy.batch` is {}, so nothing would ever be replaced", rolling.batch);
        contradiction(found, "deploy.batch", message, "replace at least one at a time: batch = 1");
        return;
    }
    let surge = rolling.surge.unwrap_or(rolling.batch).of_rounded_up(instances);
    let Some(floor) = rolling.floor.map(|floor| floor.of_rounded_up(instances)) else {
        if surge == 0 && batch >= instances {
            let message = format!(
                "`deploy.surge` is 0 and `deploy.batch` is {}: all {instances} instances would stop at once",
                rolling.batch
            );
            let help = "leave `surge` out, take a smaller `batch`, or write floor = 0 if the gap is meant";
            contradiction(found, "deploy.surge", message, help);
        }
        return;
    };
    if floor > instances {
        let message =
            format!("`deploy.floor` is {floor}, more than the {instances} instances of `run.instances`");
        contradiction(found, "deploy.floor", message, format!("write at most floor = {instances}"));
    } else if floor == instances && surge == 0 {
        let message =
            format!("`deploy.floor` keeps all {instances} instances and `deploy.surge` allows no more");
        let help = "nothing could ever be replaced: allow surge = 1, or one less in `floor`";
        contradiction(found, "deploy.floor", message, help);
    }
}

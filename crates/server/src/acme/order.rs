//! One certificate had from an authority: an order, the proof that the name is ours, the certificate; and when it wants it renewed.
//!
//! Tested against a real authority in `crates/cli/tests/e2e/certificates.rs`; what that one does not know, in `order/tests.rs`.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, KeyAuthorization,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tandem_core::base::{Millis, Timestamp};
use tandem_core::spec::AcmeChallenge;
use tandem_core::traffic::{Certificate, Challenge, Secret};

use super::trouble::Cause;

/// How often the authority is asked whether it is done, and for how long.
const UNTIL_DONE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// Where the proxy is told the answer to a question of the authority. Returns when it can be asked.
pub(crate) trait Responder {
    /// Puts the answer there.
    async fn put(&self, answer: Challenge) -> Result<(), Cause>;
}

/// A chain and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: Secret,
}

/// Has a certificate for a name. `replaced`: the chain of the one that is there, so that the authority knows it for a renewal.
pub(crate) async fn certificate(
    account: &Account,
    name: &str,
    challenge: AcmeChallenge,
    replaced: Option<&str>,
    responder: &impl Responder,
) -> Result<Pair, Cause> {
    let mut order = begin(account, name, replaced).await?;
    prove(&mut order, name, challenge, responder).await?;
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&UNTIL_DONE).await?;
    Ok(Pair { chain, key: Secret(key) })
}

async fn begin(account: &Account, name: &str, replaced: Option<&str>) -> Result<Order, Error> {
    let names = [Identifier::Dns(name.to_owned())];
    if let Some(id) = replaced.and_then(identifier)
        && let Ok(order) = account.new_order(&NewOrder::new(&names).replaces(id)).await
    {
        return Ok(order);
    }
    // It does not know that one, or knows no renewals: an order like the first.
    account.new_order(&NewOrder::new(&names)).await
}

async fn prove(
    order: &mut Order,
    name: &str,
    challenge: AcmeChallenge,
    responder: &impl Responder,
) -> Result<(), Cause> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // It may remember a proof of before.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let kind = match challenge {
            AcmeChallenge::Http => ChallengeType::Http01,
            AcmeChallenge::Tls => ChallengeType::TlsAlpn01,
        };
        let Some(mut asked) = authorization.challenge(kind) else {
            return Err(
                "the authority takes no proof of this kind: set `tls.acme.challenge` to the other one".into(),
            );
        };
        responder.put(answer(name, challenge, &asked.token, &asked.key_authorization())?).await?;
        asked.set_ready().await?;
    }
    match order.poll_ready(&UNTIL_DONE).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(_) => Err(reason(order).await.unwrap_or_else(|| "the authority refused without a word".into())),
        Err(error @ Error::Api(_)) => Err(reason(order).await.unwrap_or_else(|| error.into())),
        Err(error) => Err(error.into()),
    }
}

/// Why a proof was not taken: an order only says that it was not.
async fn reason(order: &mut Order) -> Option<Cause> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let state = authorization.refresh().await.ok()?;
        let failed = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = failed {
            return Some(problem.into());
        }
    }
    None
}

/// What the proxy says to the authority (RFC 8555 section 8.3, RFC 8737 section 3).
fn answer(
    name: &str,
    challenge: AcmeChallenge,
    token: &str,
    proof: &KeyAuthorization,
) -> Result<Challenge, Cause> {
    if challenge == AcmeChallenge::Http {
        return Ok(Challenge::Http { token: token.to_owned(), answer: proof.as_str().to_owned() });
    }
    let made = || -> Result<Certificate, rcgen::Error> {
        let names = vec![name.to_owned()];
        let mut params = CertificateParams::new(names.clone())?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(proof.digest().as_ref())];
        let key = KeyPair::generate()?;
        let chain = params.self_signed(&key)?.pem();
        Ok(Certificate { names, chain, key: Secret(key.serialize_pem()) })
    };
    made().map(Challenge::Handshake).map_err(|error| Cause::from(error.to_string().as_str()))
}

/// By which an authority knows a certificate again.
fn identifier(chain: &str) -> Option<CertificateIdentifier<'static>> {
    let first = CertificateDer::from_pem_slice(chain.as_bytes()).ok()?;
    let id = CertificateIdentifier::try_from(&first).ok()?;
    Some(id.into_owned())
}

/// When the authority wants a certificate renewed (RFC 9773), and when it is to be asked again. Whatever keeps it from saying so,
/// there is a time without its word.
pub(crate) async fn window(
    account: &Account,
    chain: &str,
) -> (Option<(Timestamp, Timestamp)>, Option<Millis>) {
    let Some(id) = identifier(chain) else { return (None, None) };
    let Ok((info, again)) = account.renewal_info(&id).await else { return (None, None) };
    let time = |at: time::OffsetDateTime| {
        Timestamp(u64::try_from(at.unix_timestamp()).unwrap_or(0).saturating_mul(1000))
    };
    let window = (time(info.suggested_window.start), time(info.suggested_window.end));
    (Some(window), Some(Millis(again.as_millis() as u64)))
}

#[cfg(test)]
mod tests;

//! The routes of the admin API.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use tandem_core::base::{DeploymentId, ImageReference, VersionLabel};
use tandem_core::deploy::{Command, Forecast, forecast, ways};
use tandem_core::spec::Strategy;
use tandem_core::traffic::Gate;
use tandem_core::traffic::metrics::Metrics;
use tandem_core::workflow::Event;

use super::push::{Room, push};
use super::{
    Accepted, ConfigInForce, DeployRequest, DeploymentRecord, Hold, PlanRequest, Problem, ProblemCode,
    PromoteRequest, QueueStatus, RollbackAccepted, RollbackRequest, Scale, SourceRequest, Status,
    StrategyChoice, VersionLink, Why, log, metrics, queue, repeat, stream,
};
use crate::exposition::Format;
use crate::office::Office;

/// The largest request that is read, in bytes.
const LARGEST: usize = 512 * 1024;
/// How long the proxy may take to have a gate that was recorded.
const IN_FORCE: Duration = Duration::from_secs(10);

type Shared = State<Arc<Office>>;

pub(super) fn router(office: Arc<Office>) -> Router {
    let once = from_fn_with_state(Arc::<repeat::Repeats>::default(), repeat::once);
    let room = Arc::new(Room::default());
    let push = move |state, request| push(state, request, room.clone());
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/why", get(why))
        .route("/v1/config", get(config))
        .route("/v1/link", get(link))
        .route("/v1/events", get(events))
        .route("/v1/deployments", get(history).post(deploy).layer(once.clone()))
        .route("/v1/deployments/{id}", get(deployment))
        .route("/v1/deployments/{id}/events", get(deployment_events))
        .route("/v1/deployments/{id}/pause", post(pause))
        .route("/v1/deployments/{id}/resume", post(resume))
        .route("/v1/deployments/{id}/abort", post(abort))
        .route("/v1/deployments/{id}/promote", post(promote).layer(once.clone()))
        .route("/v1/rollback", post(rollback).layer(once))
        .route("/v1/push", post(push))
        .route("/v1/queue", get(queue::queue))
        .route("/v1/queue/{digest}/approve", post(queue::approve))
        .route("/v1/source/pause", post(pause_source))
        .route("/v1/source/resume", post(queue::resume))
        .route("/v1/scale", post(scale))
        .route("/v1/gate", post(gate))
        .route("/v1/hold", post(hold))
        .route("/v1/plan", post(plan))
        .route("/v1/metrics", get(page))
        .route("/v1/traffic", get(traffic))
        .route("/v1/instances/{id}/log", get(log::log))
        .fallback(|| async { Problem::new(ProblemCode::NotFound, "the admin API has no such path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(ProblemCode::MethodNotAllowed, "this path is there, but not for this method")
        })
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(office)
}

async fn status(State(office): Shared) -> Json<Status> {
    Json(office.status())
}

async fn why(State(office): Shared) -> Json<Why> {
    Json(office.status().why())
}

async fn config(State(office): Shared) -> Json<ConfigInForce> {
    Json(office.config_in_force())
}

async fn page(State(office): Shared, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    let accept = headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept);
    let page = metrics::page(office, format).await;
    let page = page.map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    Ok(([(http::header::CONTENT_TYPE, format.content_type())], page))
}

async fn traffic(State(office): Shared) -> Result<Json<Metrics>, Problem> {
    let measured = tokio::task::spawn_blocking(move || metrics::measured(&office)).await;
    let away = || Problem::new(ProblemCode::Unavailable, "the proxy does not answer at the moment");
    measured.ok().flatten().map(Json).ok_or_else(away)
}

/// Which version a link is wanted for.
#[derive(serde::Deserialize)]
struct Linked {
    version: Option<VersionLabel>,
}

async fn link(
    State(office): Shared,
    linked: Result<Query<Linked>, QueryRejection>,
) -> Result<Json<VersionLink>, Problem> {
    let Query(linked) = linked.map_err(|error| Problem::bad_request(error.body_text()))?;
    super::link::link(&office.seen().view.state, &office.config.spec, linked.version).map(Json)
}

async fn history(State(office): Shared) -> Json<Vec<DeploymentRecord>> {
    Json(office.feed.history())
}

async fn deployment(
    State(office): Shared,
    Path(id): Path<String>,
) -> Result<Json<DeploymentRecord>, Problem> {
    known(&office, &id).map(Json)
}

async fn events(State(office): Shared, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    Ok(stream::events(office, None, last_event(&headers)?))
}

async fn deployment_events(
    State(office): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let id = known(&office, &id)?.id;
    Ok(stream::events(office, Some(id), last_event(&headers)?))
}

async fn deploy(State(office): Shared, Body(body): Body) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let request: DeployRequest = parse(&body)?;
    let source = checked_source(&office, request.source).await?;
    let strategy = choose(&office, &request.how)?;
    let command = Command::Deploy {
        version: request.version,
        source,
        strategy,
        break_contract: request.break_contract,
    };
    let id = begun(&office, command).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { id })))
}

async fn rollback(
    State(office): Shared,
    Body(body): Body,
) -> Result<(StatusCode, Json<RollbackAccepted>), Problem> {
    let request: RollbackRequest = parse(&body)?;
    let strategy = choose_back(&office, &request.how)?;
    let to = request.to.clone().or_else(|| office.seen().view.state.previous.clone());
    let id = begun(&office, Command::Rollback { to: request.to, strategy }).await?;
    // Told and not held up: whoever goes back has a reason to.
    let misfits = office.contract.clone().zip(to).map(|(keeper, to)| move || keeper.misfits(&to));
    let broken = match misfits {
        Some(look) => tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| Err(error.to_string())),
        None => Ok(Vec::new()),
    };
    let broken = broken.unwrap_or_else(|why| {
        tracing::warn!(%why, "whether other services can live with the rollback is not known");
        Vec::new()
    });
    Ok((StatusCode::ACCEPTED, Json(RollbackAccepted { id, broken })))
}

async fn pause(state: Shared, id: Path<String>) -> Result<Json<Accepted>, Problem> {
    change(state, id, |deployment| Command::Pause { deployment }).await
}

async fn resume(state: Shared, id: Path<String>) -> Result<Json<Accepted>, Problem> {
    change(state, id, |deployment| Command::Resume { deployment }).await
}

async fn abort(state: Shared, id: Path<String>) -> Result<Json<Accepted>, Problem> {
    change(state, id, |deployment| Command::Abort { deployment }).await
}

async fn promote(state: Shared, id: Path<String>, Body(body): Body) -> Result<Json<Accepted>, Problem> {
    let PromoteRequest { whole, step } = parse(&body)?;
    change(state, id, |deployment| Command::Promote { deployment, whole, step }).await
}

async fn change(
    State(office): Shared,
    Path(id): Path<String>,
    command: impl FnOnce(Option<DeploymentId>) -> Command,
) -> Result<Json<Accepted>, Problem> {
    let id = known(&office, &id)?.id;
    office.command(command(Some(id))).await?;
    Ok(Json(Accepted { id }))
}

async fn pause_source(State(office): Shared, Body(body): Body) -> Result<Json<QueueStatus>, Problem> {
    let SourceRequest { why } = parse(&body)?;
    queue::pause(&office, why).await
}

async fn scale(State(office): Shared, Body(body): Body) -> Result<Json<Scale>, Problem> {
    let request: Scale = parse(&body)?;
    office.command(Command::Scale { instances: request.instances }).await?;
    Ok(Json(request))
}

async fn gate(State(office): Shared, Body(body): Body) -> Result<Json<Gate>, Problem> {
    let gate: Gate = parse(&body)?;
    put(&office, gate).await.map(Json)
}

/// The same for those who may not end a maintenance.
async fn hold(State(office): Shared, Body(body): Body) -> Result<Json<Hold>, Problem> {
    let request: Hold = parse(&body)?;
    if office.status().maintenance.is_some() {
        let why = "the service is under maintenance, and nobody waits: `tandem maintenance off` ends it";
        return Err(Problem::new(ProblemCode::Conflict, why));
    }
    put(&office, request.longest.map_or(Gate::Open, |longest| Gate::Held { longest })).await?;
    Ok(Json(request))
}

/// Has a gate in force.
async fn put(office: &Office, gate: Gate) -> Result<Gate, Problem> {
    office.command(Command::Gate { gate: gate.clone() }).await?;
    let mut passes = office.passes();
    // Whoever asked goes on when it is so.
    let in_force = passes.wait_for(|seen| {
        let mut routes = seen.view.state.table.routes.iter();
        routes.any(|route| route.gate == gate)
    });
    match tokio::time::timeout(IN_FORCE, in_force).await {
        Ok(Ok(_)) => {}
        _ => {
            let why = "it is recorded, but the proxy has not taken it yet: see `tandem why`";
            return Err(Problem::new(ProblemCode::Unavailable, why));
        }
    }
    Ok(gate)
}

async fn plan(State(office): Shared, Body(body): Body) -> Result<Json<Forecast>, Problem> {
    let request: PlanRequest = parse(&body)?;
    let command = planned(&office, &request)?;
    let seen = office.seen();
    let spec = office.config.spec.clone();
    let source = match request.source {
        Some(source) => Some(checked_source(&office, source).await?),
        None => None,
    };
    let contract = source.zip(office.contract.clone());
    let work = move || {
        let (state, now) = (&seen.view.state, seen.view.at);
        let mut forecast = forecast(&spec, state, now, &command, request.fault)?;
        if request.ways {
            forecast.ways = ways(&spec, state, now, &forecast.to);
        }
        if let Some((source, keeper)) = contract {
            let foreseen = keeper.foresee(FilePath::new(&source), &forecast.to, state.current.as_ref());
            forecast.contract = foreseen.map(Some).map_err(|why| {
                Problem::new(ProblemCode::Conflict, format!("the deliverable can't be used: {why}"))
            })?;
        }
        Ok(Json(forecast))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::new(ProblemCode::Internal, error.to_string())))
}

/// The command that a plan is made for.
fn planned(office: &Office, request: &PlanRequest) -> Result<Command, Problem> {
    if request.back {
        let strategy = choose_back(office, &request.how)?;
        return Ok(Command::Rollback { to: request.version.clone(), strategy });
    }
    let strategy = choose(office, &request.how)?;
    let version = match request.version.clone() {
        Some(version) => version,
        None => "new".parse::<VersionLabel>().map_err(|error| Problem::bad_request(error.to_string()))?,
    };
    Ok(Command::Deploy { version, source: String::new(), strategy, break_contract: false })
}

/// Has the engine take a command that begins or turns a deployment, and tells which one.
async fn begun(office: &Office, command: Command) -> Result<DeploymentId, Problem> {
    let events = office.command(command).await?;
    let id = events.iter().find_map(|event| match event {
        Event::Requested(request) => Some(request.deployment),
        Event::TurnedBack { deployment, .. } => Some(*deployment),
        _ => None,
    });
    id.ok_or_else(|| Problem::new(ProblemCode::Internal, "the command was taken but began nothing"))
}

/// How a rollback is carried out.
fn choose_back(office: &Office, how: &StrategyChoice) -> Result<Strategy, Problem> {
    let by = how.strategy.unwrap_or(office.config.spec.deploy.back());
    choose(office, &StrategyChoice { strategy: Some(by), ..how.clone() })
}

fn choose(office: &Office, how: &StrategyChoice) -> Result<Strategy, Problem> {
    let spec = &office.config.spec;
    let instances = office.seen().view.state.wanted(spec.run.instances);
    how.resolve(&spec.deploy, instances).map_err(Problem::bad_request)
}

/// The deliverable that is meant. An image is held to the digest that its tag has at this moment: what was asked for is what
/// is deployed, and gone back to, wherever the tag moves.
async fn checked_source(office: &Office, source: String) -> Result<String, Problem> {
    if FilePath::new(&source).is_absolute() || office.config.spec.run.docker.is_none() {
        return check_source(&source).map(|()| source);
    }
    let image: ImageReference =
        source.parse().map_err(|why| Problem::bad_request(format!("{source:?} is no image: {why}")))?;
    let driver = office.driver.clone();
    let asked = tokio::task::spawn_blocking(move || driver.inspect(FilePath::new(&source))).await;
    let digest = asked.map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    let digest = digest.map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(image.pinned(digest).to_string())
}

/// What is plainly wrong with a deliverable is better said now than by a deployment that goes back.
fn check_source(source: &str) -> Result<(), Problem> {
    let path = FilePath::new(source);
    if !path.is_absolute() {
        return Err(Problem::bad_request(format!(
            "the path of the deliverable must be absolute: {source:?} is not; an image can be deployed where [run.docker] says \
             so"
        )));
    }
    match path.metadata() {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::bad_request(format!("the deliverable {source} can't be read: {error}"))),
    }
}

fn known(office: &Office, id: &str) -> Result<DeploymentRecord, Problem> {
    let id: DeploymentId =
        id.parse().map_err(|_| Problem::bad_request(format!("{id:?} is not a deployment: write d7")))?;
    office
        .feed
        .deployment(id)
        .ok_or_else(|| Problem::new(ProblemCode::NotFound, format!("there is no deployment {id}")))
}

/// What came with a request.
struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Body).map_err(|error| Problem::unreadable(&error))
    }
}

/// An empty body stands for a request without any wishes.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    // Serde would take an array for the fields in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::bad_request("the body can't be understood: it is no JSON object"));
    }
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body can't be understood: {error}")))
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let number = id.to_str().ok().and_then(|id| id.parse().ok());
    number.map(Some).ok_or_else(|| Problem::bad_request("Last-Event-ID is not the number of an event"))
}

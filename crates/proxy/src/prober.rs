//! Active health checks: asks each instance for its ready path, again and again, and remembers the last failure.
//!
//! On a thread of its own, one task per instance, so that a hanging instance delays nobody's check. What follows from
//! an answer is decided by `core::traffic::health`. Follows no redirects, reads no more than a head. Must not know
//! requests. Tested through the whole proxy.

mod grpc;

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tandem_core::base::{InstanceId, Millis, ServiceName};
use tandem_core::spec::{HttpProbe, Protocol};
use tandem_core::traffic::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::forward::told;
use crate::http2;
use crate::instance::{Instance, lock};
use crate::snapshot::Shared;
use crate::stream::InstanceStream;

/// A new instance is asked at least this often until it is up for the first time.
const EAGER: Duration = Duration::from_millis(100);
/// The largest head of an answer, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// The checking of one instance.
struct Check {
    instance: Arc<Instance>,
    probe: Arc<Mutex<HttpProbe>>,
    task: JoinHandle<()>,
}

/// Checks the instances of whatever table is in force.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut checks: BTreeMap<(ServiceName, InstanceId), Check> = BTreeMap::new();
    loop {
        let snapshot = shared.snapshot.load_full();
        let mut wanted = BTreeMap::new();
        for (route, state) in snapshot.table.routes.iter().zip(&snapshot.routes) {
            for (member, instance) in route.members.iter().zip(&state.instances) {
                if member.role != Role::Drain {
                    let key = (route.service.clone(), member.instance);
                    wanted.insert(key, (instance, &route.probe, route.protocol));
                }
            }
        }
        checks.retain(|id, check| {
            let stays = wanted.get(id).is_some_and(|(instance, ..)| Arc::ptr_eq(instance, &check.instance));
            if !stays {
                check.task.abort();
            }
            stays
        });
        for (id, (instance, probe, protocol)) in wanted {
            match checks.get(&id) {
                Some(check) => lock(&check.probe).clone_from(probe),
                None => {
                    let probe = Arc::new(Mutex::new(probe.clone()));
                    let instance = Arc::clone(instance);
                    let task =
                        check(Arc::clone(&shared), Arc::clone(&instance), Arc::clone(&probe), protocol);
                    checks.insert(id, Check { instance, probe, task: tokio::task::spawn_local(task) });
                }
            }
        }
        match shared.wakers.last() {
            Some(waker) => waker.notified().await,
            None => return,
        }
    }
}

/// Checks one instance for as long as it is wanted; one check never overlaps the next.
async fn check(
    shared: Arc<Shared>,
    instance: Arc<Instance>,
    probe: Arc<Mutex<HttpProbe>>,
    protocol: Protocol,
) {
    loop {
        let spec = lock(&probe).clone();
        let Millis(limit) = spec.timeout;
        let asked = tokio::time::timeout(Duration::from_millis(limit), ask(&instance, &spec, protocol)).await;
        let outcome = asked.unwrap_or_else(|_| Err(format!("no answer within {}", spec.timeout)));
        if instance.checked(outcome, &spec, shared.now()) {
            shared.change();
        }
        let every = spec.every.to_std();
        let settled = instance.was_up() && instance.answers();
        tokio::time::sleep(if settled { every } else { every.min(EAGER) }).await;
    }
}

/// One check: what the instance answers to its ready path.
async fn ask(instance: &Instance, spec: &HttpProbe, protocol: Protocol) -> Result<(), String> {
    let failed = |error: io::Error| told(&error);
    let stream = TcpStream::connect(instance.address).await.map_err(failed)?;
    let protocol = if spec.grpc.is_some() { Protocol::Http2 } else { protocol };
    let mut stream = match protocol {
        Protocol::Http1 => InstanceStream::Tcp(stream),
        Protocol::Http2 => {
            let opened = http2::Pool::default().open(stream, 0).await.map_err(failed)?;
            InstanceStream::Http2(Box::new(opened.stream(true)))
        }
    };
    let host = spec.host.clone().unwrap_or_else(|| instance.address.to_string());
    let request = match &spec.grpc {
        Some(service) => grpc::question(&host, service),
        None => format!(
            "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tandem-check\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            spec.path
        )
        .into_bytes(),
    };
    send(&mut stream, &request).await.map_err(failed)?;
    let mut head = Vec::with_capacity(1024);
    loop {
        let verdict = if spec.grpc.is_some() { grpc::judge(&head) } else { judge(&head, instance) };
        if let Some(verdict) = verdict {
            return verdict;
        }
        if head.len() >= LARGEST_HEAD {
            return Err(format!("the head of the answer is larger than {LARGEST_HEAD} bytes"));
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await.map_err(failed)? {
            0 if head.is_empty() => return Err("the connection was closed without an answer".to_owned()),
            0 => return Err("the connection was closed in the middle of the answer".to_owned()),
            count => head.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
}

/// Sends all of a request, its head first: a stream of HTTP/2 takes heads whole.
async fn send(stream: &mut InstanceStream, request: &[u8]) -> io::Result<()> {
    stream.write_all(request).await?;
    stream.flush().await
}

/// What an answer means; `None` if its head is not complete yet.
fn judge(head: &[u8], instance: &Instance) -> Option<Result<(), String>> {
    let mut fields = [MaybeUninit::uninit(); 128];
    let mut answer = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut answer, head, &mut fields) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Err("what it answered is not HTTP".to_owned())),
    }
    let text = |name: &str| {
        let field = answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(plain(field.value))
    };
    let status = answer.code.unwrap_or_default();
    if !(200..300).contains(&status) {
        let reason = plain(answer.reason.unwrap_or_default().as_bytes());
        let location = text("location").map(|to| format!(", Location: {to}")).unwrap_or_default();
        return Some(Err(format!("{status} {reason}{location}")));
    }
    match text("tandem-version").or_else(|| text("x-tandem-version")) {
        Some(version) if version != instance.version.as_str() => {
            Some(Err(format!("answered for version {version} instead of {}", instance.version)))
        }
        _ => Some(Ok(())),
    }
}

/// A text from outside, made safe to show: printable ASCII, at most 200 characters.
fn plain(text: &[u8]) -> String {
    text.iter().take(200).map(|&b| if (b' '..0x7f).contains(&b) { b as char } else { '?' }).collect()
}

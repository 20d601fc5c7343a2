//! A way to the instance: a new connection, or a stream on one that speaks HTTP/2. Tested through the whole proxy.

use std::future::Future;

use tandem_core::spec::TimeoutSpec;
use tandem_core::traffic::retry::Progress;
use tokio::net::TcpStream;

use super::{Cause, Failure, told};
use crate::client::Connection;
use crate::deadline::{Side, Stop};
use crate::pool::Member;
use crate::request::Request;
use crate::stream::InstanceStream;

/// Opens a connection to the instance.
pub(super) async fn connect(
    connection: &Connection,
    member: &Member,
    timeouts: &TimeoutSpec,
) -> Result<TcpStream, Failure> {
    let failed =
        |cause| Failure { progress: Progress::NothingSent, replayable: true, answered: false, cause };
    let limits = &connection.limits;
    limits.set(Side::Answer, timeouts.connect.0);
    let mut opening = Box::pin(TcpStream::connect(member.instance.address));
    let stream = limits.within(Side::Answer, |cx| opening.as_mut().poll(cx)).await;
    limits.clear(Side::Answer);
    match stream {
        Ok(stream) => {
            let _slower_without = stream.set_nodelay(true);
            Ok(stream)
        }
        Err(Stop::Io(error)) => Err(failed(Cause::Instance(told(&error)))),
        Err(Stop::Elapsed) => Err(failed(Cause::Silent("it did not accept a connection in time"))),
        Err(Stop::Cut) => Err(failed(Cause::Cut)),
    }
}

/// A stream on a connection to the instance that speaks HTTP/2; and whether the connection was there already.
pub(super) async fn stream(
    connection: &Connection,
    request: &Request,
    member: &Member,
    timeouts: &TimeoutSpec,
) -> Result<(InstanceStream, bool), Failure> {
    let now = connection.worker.now();
    let (shared, reused) = match member.http2.take(now).await {
        Some(shared) => (shared, true),
        None => {
            let stream = connect(connection, member, timeouts).await?;
            let opened = member.http2.open(stream, now).await.map_err(|error| Failure {
                progress: Progress::NothingSent,
                replayable: true,
                answered: false,
                cause: Cause::from_instance(Stop::Io(error)),
            })?;
            (opened, false)
        }
    };
    Ok((InstanceStream::Http2(Box::new(shared.stream(request.trailers))), reused))
}

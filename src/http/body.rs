//! Bodies of requests, uploads excepted: so long at most, in so much time, at least so fast. What strangers send shares one budget.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use thiserror::Error;
use tokio::time::timeout;

use super::media::pacer::{self, UploadPacer};
use super::problem::problem;
use super::socket::tracked::TrackedSocket;
use crate::broker::Broker;
use crate::metrics::SocketCut;
use crate::rate::Reservation;

/// Body of a request that nobody signed and that asks for a token or a session, bytes.
pub(super) const BEFORE_LOGIN_BYTES_MAX: usize = 4 * 1024;

/// Over how long the pace of a body is measured.
const WINDOW_SECONDS: u64 = 5;

/// Who sends a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// Someone whose key, token or signature was checked.
    Known,
    /// Anyone: what comes is taken from the budget of all strangers.
    Stranger,
}

/// Why a body was not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BodyError {
    #[error("body is longer than {bytes_max} bytes")]
    TooLong { bytes_max: usize },
    #[error("body comes too slowly; see server.request_body_seconds and server.request_body_bytes_per_second_min")]
    Slow,
    #[error("body cannot be read: {0}")]
    Broken(&'static str),
    #[error("server.unauthenticated_body_bytes_max is reached")]
    Full,
}

impl BodyError {
    /// Makes the answer to a request with such a body.
    pub(super) fn answer(&self) -> HttpResponse {
        let (status, code) = match self {
            Self::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, 6_000_001),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, 6_000_001),
            Self::Broken(_) => (StatusCode::BAD_REQUEST, 6_000_001),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, 6_000_007),
        };
        let mut response = problem(status, code, &self.to_string());
        if *self == Self::Full {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}

/// A body, and its part of the budget for as long as it is held.
#[derive(Debug)]
pub(super) struct Body<'a> {
    pub(super) bytes: Bytes,
    _reserved: Option<Reservation<'a>>,
}

/// Reads the body of a request, `bytes_max` bytes at most.
///
/// # Errors
/// [`BodyError`]; what had come is dropped.
pub(super) async fn read<'a, S>(
    broker: &'a Broker,
    request: &HttpRequest,
    mut payload: S,
    sender: Sender,
    bytes_max: usize,
) -> Result<Body<'a>, BodyError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let too_long = || BodyError::TooLong { bytes_max };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| usize::try_from(bytes).is_ok_and(|bytes| bytes > bytes_max)) {
        return Err(too_long());
    }
    if let Some(activity) = request.conn_data::<TrackedSocket>().and_then(TrackedSocket::activity) {
        activity.expect_body();
    }
    let config = broker.config();
    let budget_max = config.server.unauthenticated_body_bytes_max;
    let mut reserved = (sender == Sender::Stranger).then(|| broker.context.strangers_bytes.reservation());
    let mut pacer = UploadPacer::of(WINDOW_SECONDS, config.server.request_body_bytes_per_second_min, broker.context.clock.clone());
    let mut body = BytesMut::new();
    let reading = async {
        while let Some(part) = pacer.next(&mut payload).await? {
            if body.len() + part.len() > bytes_max {
                return Err(too_long());
            }
            if reserved.as_mut().is_some_and(|reserved| !reserved.grow(part.len(), budget_max)) {
                return Err(BodyError::Full);
            }
            body.extend_from_slice(&part);
        }
        Ok(())
    };
    let read = timeout(Duration::from_secs(config.server.request_body_seconds), reading).await.unwrap_or(Err(BodyError::Slow));
    if read == Err(BodyError::Slow) {
        broker.context.metrics.socket_cut(SocketCut::SlowBody);
    }
    read?;
    Ok(Body { bytes: body.freeze(), _reserved: reserved })
}

impl From<pacer::BodyError> for BodyError {
    fn from(broken: pacer::BodyError) -> Self {
        match broken {
            pacer::BodyError::Slow => Self::Slow,
            pacer::BodyError::Cut => Self::Broken("it ended early"),
        }
    }
}

//! The body of an answer, handed to the HTTP layer only as fast as the socket takes it.
//!
//! The HTTP layer fills a buffer of 128 KiB per connection, and more with one large piece, whether its client reads or not. With
//! this one in between, an answer that nobody reads costs [`AHEAD_MAX`] bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_web::Error;
use actix_web::HttpMessage as _;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use bytes::Bytes;

use super::socket::activity::Activity;
use super::socket::tracked::TrackedSocket;

/// Bytes of a body that may be with the HTTP layer and not with the socket; and the longest piece it is given.
const AHEAD_MAX: usize = 16 * 1024;

/// A body in pieces; see the module's documentation.
pub(super) struct PacedBody {
    inner: BoxBody,
    /// What `inner` gave and was not handed on yet.
    rest: Bytes,
    socket: Option<Arc<Activity>>,
    has_begun: bool,
}

impl PacedBody {
    /// Cuts a body in pieces, for a writer that waits for the socket itself.
    pub(super) fn in_pieces(inner: BoxBody) -> Self {
        Self { inner, rest: Bytes::new(), socket: None, has_begun: false }
    }

    /// Waits for the socket as well.
    fn paced(inner: BoxBody, activity: Arc<Activity>) -> Self {
        Self { socket: Some(activity), ..Self::in_pieces(inner) }
    }

    /// Returns how many bytes may be handed on now; 0 when the task is woken once there are some.
    fn room(&mut self, cx: &Context<'_>) -> usize {
        let Some(activity) = &self.socket else { return AHEAD_MAX };
        if !self.has_begun {
            self.has_begun = true;
            activity.begin_body();
        }
        if activity.ahead() >= AHEAD_MAX {
            activity.wake_when_written(cx);
        }
        // Once more: it may have taken some before it was to wake.
        AHEAD_MAX.saturating_sub(activity.ahead())
    }
}

impl MessageBody for PacedBody {
    type Error = PayloadError;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        let this = &mut *self;
        let room = this.room(cx);
        if room == 0 {
            return Poll::Pending;
        }
        while this.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut this.inner).poll_next(cx)) {
                Some(Ok(bytes)) => this.rest = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(PayloadError::Io(io::Error::other(error.to_string()))))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(room));
        if let Some(activity) = &this.socket {
            activity.hand_on(piece.len());
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

/// Marks a request whose answer is not written by the HTTP layer, but by who asks for it, as the socket takes it.
pub(super) struct WritesItself;

/// Paces every answer of the broker's own server.
pub(super) async fn pace(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let writes_itself = request.extensions().contains::<WritesItself>();
    let activity = request.conn_data::<TrackedSocket>().and_then(TrackedSocket::activity).filter(|_| !writes_itself).cloned();
    let Some(activity) = activity else { return next.call(request).await };
    let response = next.call(request).await;
    activity.answer_one();
    let response = response?;
    Ok(response.map_body(|_, body| match body.size() {
        BodySize::None | BodySize::Sized(0) => body,
        _ => BoxBody::new(PacedBody::paced(body, activity)),
    }))
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn no_more_is_handed_on_than_the_socket_took_and_a_little() {
        let activity = Arc::new(Activity::new(Arc::new(ManualClock::at(0))));
        activity.wrote(b"HTTP/1.1 200 OK, of an answer before");
        let mut body = PacedBody::paced(BoxBody::new(Bytes::from(vec![7; 40_000])), activity.clone());
        assert!(matches!(body.size(), BodySize::Sized(40_000)));
        let mut cx = Context::from_waker(Waker::noop());
        let mut next = || match Pin::new(&mut body).poll_next(&mut cx) {
            Poll::Ready(Some(Ok(piece))) => Some(piece.len()),
            Poll::Ready(None) => Some(0),
            _ => None,
        };
        assert_eq!((next(), next()), (Some(AHEAD_MAX), None));
        activity.wrote(&[0; 1_000]);
        assert_eq!((next(), next()), (Some(1_000), None));
        activity.wrote(&[0; AHEAD_MAX]);
        assert_eq!((next(), next()), (Some(AHEAD_MAX), None));
        activity.wrote(&[0; AHEAD_MAX]);
        assert_eq!((next(), next()), (Some(40_000 - 2 * AHEAD_MAX - 1_000), Some(0)));
        // What is left of one body counts for the next.
        let mut body = PacedBody::paced(BoxBody::new(Bytes::from(vec![7; 40_000])), activity);
        assert!(matches!(Pin::new(&mut body).poll_next(&mut cx), Poll::Ready(Some(Ok(piece))) if piece.len() == AHEAD_MAX - 6_232));
    }
}

//! Where the answer to one request goes: into a session's outbox as a frame, or to the host as it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use crate::actors::connection::Connection;
use crate::actors::context::BrokerContext;
use crate::actors::runtime::open_requests::OpenRequest;
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::actors::runtime::trace;
use crate::metrics::{OpMetrics, Outcome as Counted};
use crate::model::Refusal;
use crate::protocol::{Outcome, code_of, encode_error, encode_reply};

/// Answers one request: a client's by a frame, the host's by the result object itself.
pub(crate) struct Responder {
    pub(super) context: Arc<BrokerContext>,
    /// The span of the request, from its frame to its answer.
    pub(super) span: Span,
    reply_to: ReplyTo,
    /// Who besides hears of a refusal.
    on_refusal: Option<OnRefusal>,
    /// A shutdown waits until this is dropped, with the answer.
    _open: OpenRequest,
}

/// What is done when a request is refused.
type OnRefusal = Box<dyn FnOnce(&Refusal)>;

/// Where the answer goes.
enum ReplyTo {
    Client(ClientRequest),
    Host(Reply<Outcome>),
}

/// One request of a client. The permit is one of those the session may have under way; it is given back with the answer.
pub(super) struct ClientRequest {
    pub(super) id: u64,
    pub(super) connection: Arc<Connection>,
    pub(super) op: Arc<OpMetrics>,
    pub(super) asked_at: Duration,
    pub(super) permit: OwnedSemaphorePermit,
}

impl Responder {
    pub(super) fn of_client(context: Arc<BrokerContext>, span: Span, request: ClientRequest) -> Self {
        let open = context.requests.open();
        Self { context, span, reply_to: ReplyTo::Client(request), on_refusal: None, _open: open }
    }

    pub(crate) fn of_host(context: Arc<BrokerContext>, open: OpenRequest, reply: Reply<Outcome>) -> Self {
        Self { context, span: trace::host(), reply_to: ReplyTo::Host(reply), on_refusal: None, _open: open }
    }

    /// Has a refusal heard besides.
    pub(super) fn on_refusal(self, heard: impl FnOnce(&Refusal) + 'static) -> Self {
        Self { on_refusal: Some(Box::new(heard)), ..self }
    }

    /// Answers with the result.
    pub(super) fn done(self, outcome: Outcome) {
        self.count(Counted::Done);
        match self.reply_to {
            ReplyTo::Client(request) => {
                let _queued_or_closed = request.connection.outbox.push(encode_reply(request.id, &outcome));
                drop(request.permit);
            }
            ReplyTo::Host(reply) => answer(reply, Ok(outcome)),
        }
    }

    /// Answers with a refusal.
    pub(super) fn refuse(mut self, refusal: &Refusal) {
        self.count(if refusal.is_temporary() { Counted::Busy } else { Counted::Refused });
        self.context.metrics.refused(code_of(refusal));
        self.span.record("code", code_of(refusal));
        if let Some(heard) = self.on_refusal.take() {
            heard(refusal);
        }
        match self.reply_to {
            ReplyTo::Client(request) => {
                let _queued_or_closed = request.connection.outbox.push(encode_error(Some(request.id), refusal));
                drop(request.permit);
            }
            ReplyTo::Host(reply) => answer(reply, Err(refusal.clone())),
        }
    }

    /// Notes that another actor has answered: a login is answered before anything is delivered.
    pub(super) fn answered_elsewhere(self) {
        self.count(Counted::Done);
    }

    /// Returns the number by which the client knows its request; 0 for the host's.
    pub(super) fn request_id(&self) -> u64 {
        if let ReplyTo::Client(request) = &self.reply_to { request.id } else { 0 }
    }

    fn count(&self, outcome: Counted) {
        if let ReplyTo::Client(request) = &self.reply_to {
            let took = self.context.clock.elapsed().saturating_sub(request.asked_at);
            request.op.answered(outcome, took.as_secs_f64());
        }
    }

    /// Answers when the actor that was asked has answered, with what `outcome_of` makes of its answer.
    pub(super) fn later<T: 'static>(
        self,
        asked: Result<oneshot::Receiver<Result<T, Refusal>>, Refusal>,
        outcome_of: impl FnOnce(T) -> Outcome + 'static,
    ) {
        match asked {
            Err(refusal) => self.refuse(&refusal),
            // A task of its own, not the actor's: an actor with many answers outstanding would poll them all each time.
            Ok(asked) => {
                actix::spawn(async move {
                    match answered(asked).await {
                        Ok(value) => self.done(outcome_of(value)),
                        Err(refusal) => self.refuse(&refusal),
                    }
                });
            }
        }
    }
}

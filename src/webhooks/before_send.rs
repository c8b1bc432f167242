//! `before_send`: a backend says whether a client's message goes out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::body::{EventMeta, Vendor, question};
use super::client::{CallError, Client};
use super::deliverer::headers;
use crate::clock::Clock;
use crate::config::OnFailure;
use crate::hooks::{Moderator, Origin, ReviewRequest, Verdict};
use crate::metrics::{Metrics, Review};
use crate::model::{Body, Content, Draft, Limits, MessageClass, Refusal, from_object};
use crate::protocol::draft_of;

/// Bytes of a reason that its sender is told.
const REASON_BYTES_MAX: usize = 1024;

/// Asks one URL.
pub(super) struct BeforeSendClient {
    pub(super) client: Client,
    pub(super) key: Option<Vec<u8>>,
    pub(super) vendor: Option<Vendor>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deadline: Duration,
    pub(super) on_failure: OnFailure,
    pub(super) under_way: Semaphore,
    pub(super) limits: Limits,
    pub(super) metrics: Arc<Metrics>,
}

/// The broker's moderator over HTTP. The calls are made on the webhooks' own thread.
pub(super) struct BeforeSendModerator {
    pub(super) before_send: Arc<BeforeSendClient>,
    pub(super) runtime: Handle,
}

impl Moderator for BeforeSendModerator {
    async fn review(&self, request: ReviewRequest) -> Verdict {
        // Source: ZIM server API, "Callback before sending messages": only clients' sends, no commands and no barrage.
        if request.origin == Origin::Host || request.draft.content.body.class() != MessageClass::Storable {
            return Verdict::Accept;
        }
        let before_send = self.before_send.clone();
        let asking = self.runtime.spawn(async move { before_send.ask(request).await });
        match asking.await {
            Ok(verdict) => verdict,
            // The broker is going down, and this with it.
            Err(_) => self.before_send.without_answer(),
        }
    }
}

/// An answer. Only the result decides: what else it holds is looked at where the result has use for it, and `null` is
/// the same as nothing.
#[derive(Debug, Deserialize)]
struct Wire {
    result: Number,
    reason: Option<Value>,
    /// The vendor's: what is sent in the place of the message's `extendedData`.
    new_payload: Option<Value>,
    /// The vendor's: what is sent in the place of a text, or of a custom message's text.
    new_msg_body: Option<Value>,
    message: Option<Box<RawValue>>,
}

impl Wire {
    /// Returns the reason of a refusal, cut; empty when it is none or no text, because a refusal stays one.
    fn reason(&self) -> String {
        let reason = self.reason.as_ref().and_then(Value::as_str).unwrap_or_default();
        reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned()
    }
}

impl BeforeSendClient {
    async fn ask(&self, request: ReviewRequest) -> Verdict {
        let began = self.clock.elapsed();
        let asked = timeout(self.deadline, self.ask_twice(&request)).await;
        self.metrics.review_took(self.clock.elapsed().saturating_sub(began).as_secs_f64());
        match asked {
            Ok(Ok(verdict)) => {
                self.metrics.reviewed(match &verdict {
                    Verdict::Accept => Review::Accepted,
                    Verdict::Silent => Review::Silenced,
                    Verdict::Reject(_) => Review::Rejected,
                    Verdict::Replace(_) => Review::Replaced,
                });
                verdict
            }
            Ok(Err(error)) => {
                tracing::warn!(error, "before_send has no answer");
                self.without_answer()
            }
            Err(_) => {
                tracing::warn!(deadline_ms = self.deadline.as_millis(), "before_send has no answer within the deadline");
                self.without_answer()
            }
        }
    }

    fn without_answer(&self) -> Verdict {
        match self.on_failure {
            OnFailure::Open => {
                self.metrics.reviewed(Review::FailedOpen);
                Verdict::Accept
            }
            OnFailure::Closed => {
                self.metrics.reviewed(Review::FailedClosed);
                Verdict::Reject(Refusal::Busy("the message could not be checked"))
            }
        }
    }

    /// Asks at most twice: the first attempt has half of the deadline, the second what is left of it.
    async fn ask_twice(&self, request: &ReviewRequest) -> Result<Verdict, String> {
        let _permit = self.under_way.acquire().await.map_err(|error| error.to_string())?;
        let meta = EventMeta::of_question(self.clock.wall_ms())?;
        let body = question(request, &meta, self.vendor.as_ref());
        let first = match timeout(self.deadline / 2, self.ask_once(request, &meta, &body)).await {
            Ok(Ok(verdict)) => return Ok(verdict),
            Ok(Err(error)) => error,
            Err(_) => CallError::TimedOut("the first attempt".into()).to_string(),
        };
        // A backend that refuses at once may be back in a moment.
        sleep(self.deadline / 8).await;
        self.ask_once(request, &meta, &body).await.map_err(|second| format!("{first}; then {second}"))
    }

    async fn ask_once(&self, request: &ReviewRequest, meta: &EventMeta, body: &Bytes) -> Result<Verdict, String> {
        let headers = headers(self.key.as_deref(), &meta.id, self.clock.wall_ms() / 1000, body);
        let answer = self.client.post(&headers, body).await.map_err(|error| error.to_string())?;
        accepted(answer.status)?;
        let body = answer.read(self.deadline).await.map_err(|error| error.to_string())?;
        verdict_of(&body, &request.draft, &self.limits)
    }
}

/// Returns an error for a status that brings no verdict.
fn accepted(status: u16) -> Result<(), String> {
    match status {
        200..=299 => Ok(()),
        300..=399 => Err("a redirect, which is not followed".into()),
        status => Err(format!("status {status}")),
    }
}

fn verdict_of(body: &Bytes, draft: &Draft, limits: &Limits) -> Result<Verdict, String> {
    let wire: Wire = from_object(body).map_err(|error| format!("the answer is not understood: {error}"))?;
    match (wire.result.as_u64(), &wire.message) {
        (Some(2), _) => Ok(Verdict::Silent),
        (Some(3), _) => Ok(Verdict::Reject(Refusal::Rejected(wire.reason()))),
        (Some(4), Some(message)) => {
            let new = draft_of(message.get(), limits).map_err(|refusal| format!("the message in its place cannot be taken: {refusal}"))?;
            if new.content.body.class() != draft.content.body.class() {
                return Err("the message in its place is a command or a barrage".into());
            }
            // Under which id and with which wishes it was sent is its sender's affair.
            let content = Content { options: draft.content.options.clone(), ..new.content };
            Ok(Verdict::Replace(Draft { local_id: draft.local_id.clone(), priority: draft.priority, content }))
        }
        // Source: ZIM server API, "Callback before sending messages": any other number is as good as 0.
        _ => edited(&wire, draft),
    }
}

/// Lets the message out with what the answer puts in place of its parts.
fn edited(wire: &Wire, draft: &Draft) -> Result<Verdict, String> {
    let part = |name: &str, value: &Option<Value>| match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("the answer's {name} is not a text")),
    };
    let (payload, text) = (part("new_payload", &wire.new_payload)?, part("new_msg_body", &wire.new_msg_body)?);
    if payload.is_none() && text.is_none() {
        return Ok(Verdict::Accept);
    }
    let mut new = draft.clone();
    if let Some(payload) = payload {
        new.content.extended_data = payload;
    }
    match (&mut new.content.body, text) {
        (_, None) => {}
        (Body::Text(message) | Body::Custom { message, .. }, Some(text)) => *message = text,
        (body, Some(_)) => {
            return Err(format!(
                "the answer's new_msg_body takes the place of text, and this is a message of kind {}",
                body.kind().number()
            ));
        }
    }
    Ok(Verdict::Replace(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Result<Verdict, String> {
        accepted(status)?;
        verdict_of(&Bytes::copy_from_slice(body.as_bytes()), &Draft::text("hi"), &Limits::default())
    }

    #[test]
    fn each_result_is_a_verdict() {
        assert!(matches!(judged(200, r#"{"result":0}"#), Ok(Verdict::Accept)));
        assert!(matches!(judged(200, r#"{"result":1,"reason":""}"#), Ok(Verdict::Accept)));
        assert!(matches!(judged(200, r#"{"result":2}"#), Ok(Verdict::Silent)));
        let Ok(Verdict::Reject(refusal)) = judged(200, r#"{"result":3,"reason":"no politics"}"#) else { panic!("not rejected") };
        assert_eq!(refusal, Refusal::Rejected("no politics".into()));
        let Ok(Verdict::Replace(draft)) = judged(200, r#"{"result":4,"message":{"type":1,"message":"h*"}}"#) else {
            panic!("not replaced")
        };
        assert_eq!(draft.content.body, Body::Text("h*".into()));
    }

    #[test]
    fn null_is_nothing_and_a_denial_stays_one() {
        let nulls = |result: u8| judged(200, &format!(r#" {{"result":{result},"reason":null,"message":null}}"#));
        for accepted in [0, 1, 4, 5, 255] {
            assert!(matches!(nulls(accepted), Ok(Verdict::Accept)), "{accepted}");
        }
        assert!(matches!(nulls(2), Ok(Verdict::Silent)));
        for reason in ["null", "7", "[]", "{}", "true"] {
            let Ok(Verdict::Reject(Refusal::Rejected(told))) = judged(200, &format!(r#"{{"result":3,"reason":{reason},"message":[1]}}"#))
            else {
                panic!("{reason}: not rejected")
            };
            assert_eq!(told, "");
        }
    }

    #[test]
    fn the_vendors_parts_take_the_place_of_the_messages() {
        let body = r#"{"result":1,"new_payload":"p","new_msg_body":"h*"}"#;
        let Ok(Verdict::Replace(draft)) = judged(200, body) else { panic!("not replaced") };
        assert_eq!((draft.content.extended_data.as_str(), &draft.content.body), ("p", &Body::Text("h*".into())));
        let Ok(Verdict::Replace(draft)) = judged(200, r#"{"result":0,"new_payload":""}"#) else { panic!("not replaced") };
        assert_eq!((draft.content.extended_data.as_str(), &draft.content.body), ("", &Body::Text("hi".into())));
        for other in ["-1", "1.5", "5", "1e300"] {
            assert!(matches!(judged(200, &format!("{{\"result\":{other}}}")), Ok(Verdict::Accept)), "{other}");
        }
    }

    #[test]
    fn what_is_no_answer_is_a_failure() {
        for (status, body) in [
            (500, r#"{"result":1}"#),
            (302, r#"{"result":1}"#),
            (200, ""),
            (200, "ok"),
            (200, "[0]"),
            (200, "[0,null,null]"),
            (200, " [1]"),
            (200, "0"),
            (200, "null"),
            (200, "{}"),
            (200, r#"{"result":null}"#),
            (200, r#"{"result":[0]}"#),
            (200, r#"{"result":0,"result":3}"#),
            (200, r#"{"result":"1"}"#),
            (200, r#"{"result":1,"new_payload":7}"#),
            (200, r#"{"result":4,"message":{"type":2,"message":"eA=="}}"#),
            (200, r#"{"result":4,"message":{"type":99}}"#),
        ] {
            assert!(judged(status, body).is_err(), "{status} {body}");
        }
    }

    #[test]
    fn a_reason_is_cut_between_letters() {
        let reason = "ä".repeat(600);
        let Ok(Verdict::Reject(Refusal::Rejected(kept))) = judged(200, &format!("{{\"result\":3,\"reason\":\"{reason}\"}}")) else {
            panic!("not rejected")
        };
        assert_eq!(kept, "ä".repeat(512));
    }
}

//! Messages between actors that can be carried to another node: what they say can be encoded, all but where the answer goes.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::reply::Reply;
use crate::model::Refusal;

/// A message that an actor of another node can be sent.
pub(crate) trait Command: Serialize + DeserializeOwned + Send + 'static {
    /// Its name between nodes.
    const NAME: &'static str;
    /// What it is answered with; `()` when it is only handled.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// Takes out where the answer goes; none: it has no answer.
    fn take_reply(&mut self) -> Option<Reply<Self::Answer>>;

    /// Says where the answer goes; gives it back when it has none.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    fn put_reply(&mut self, reply: Reply<Self::Answer>) -> Option<Reply<Self::Answer>>;
}

/// Makes messages commands: `Name => Answer` for those with a field `reply`, `Name` for those without.
macro_rules! commands {
    ($($message:ty $(=> $answer:ty)?),* $(,)?) => {
        $($crate::actors::runtime::command::commands!(one $message $(=> $answer)?);)*
    };
    (one $message:ty => $answer:ty) => {
        impl $crate::actors::runtime::command::Command for $message {
            const NAME: &'static str = stringify!($message);
            type Answer = $answer;

            fn take_reply(&mut self) -> Option<$crate::actors::runtime::reply::Reply<$answer>> {
                Some(std::mem::take(&mut self.reply))
            }

            fn put_reply(&mut self, reply: $crate::actors::runtime::reply::Reply<$answer>) -> Option<$crate::actors::runtime::reply::Reply<$answer>> {
                self.reply = reply;
                None
            }
        }
    };
    (one $message:ty) => {
        impl $crate::actors::runtime::command::Command for $message {
            const NAME: &'static str = stringify!($message);
            type Answer = ();

            fn take_reply(&mut self) -> Option<$crate::actors::runtime::reply::Reply<()>> {
                None
            }

            fn put_reply(&mut self, reply: $crate::actors::runtime::reply::Reply<()>) -> Option<$crate::actors::runtime::reply::Reply<()>> {
                Some(reply)
            }
        }
    };
}
pub(crate) use commands;

/// What is answered to a program of another version.
pub(crate) const NOT_UNDERSTOOD: Refusal = Refusal::Busy("another node says what this one does not understand");

/// Encodes what a command says, or what it is answered with.
pub(crate) fn encode(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("what actors say has string keys and finite numbers").into()
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`Refusal::Busy`]: a program of another version wrote it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        tracing::warn!(%error, "what another node said could not be read");
        NOT_UNDERSTOOD
    })
}

//! What comes in: bodies, paths, queries, cursors.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::{Error, FromRequest, HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::marker::PhantomData;
use utoipa::IntoParams;

use super::response::ApiError;
use crate::broker::Broker;
use crate::model::{GroupId, Invalid, RoomId, UserId};
use crate::protocol::read_object;

/// A JSON object as the body. The middleware has read it and bounded it; what is not understood is named by its path.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = bytes.await?;
            let text = std::str::from_utf8(&bytes).map_err(|_| ApiError::from(Invalid::new("body", "is not UTF-8")))?;
            Ok(Self(read_object(text, "body").map_err(ApiError::from)?))
        })
    }
}

/// Reads a struct inside a body from an object only: serde would fill it from an array, too, by position.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

/// Reads the same where it may be left out.
pub(super) fn maybe_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Maybe<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Maybe<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object or null")
        }

        fn visit_none<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
            object(deserializer).map(Some)
        }
    }
    deserializer.deserialize_option(Maybe(PhantomData))
}

/// Reads a number that JSON carries whole everywhere: below 2^53.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    const MAX: u64 = (1 << 53) - 1;
    match Option::<u64>::deserialize(deserializer)? {
        Some(number) if number > MAX => Err(serde::de::Error::custom(format!("is {number}, the range is 0 to {MAX}"))),
        number => Ok(number),
    }
}

/// `{userID}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct UserPath {
    /// The user: 1 to 32 bytes of letters, digits and punctuation.
    #[serde(rename = "userID")]
    #[param(min_length = 1, max_length = 32, pattern = r"^[A-Za-z0-9!#$%&()+:;<=.>?@\[\]^_{}|~-]+$")]
    user_id: String,
}

/// `{roomID}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RoomPath {
    /// The room: 1 to 128 bytes of letters, digits and punctuation.
    #[serde(rename = "roomID")]
    #[param(min_length = 1, max_length = 128, pattern = r"^[A-Za-z0-9!#$%&()+:;<=.>?@\[\]^_{}|~-]+$")]
    room_id: String,
}

/// `{groupID}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct GroupPath {
    /// The group: 1 to 32 bytes of letters, digits and punctuation.
    #[serde(rename = "groupID")]
    #[param(min_length = 1, max_length = 32, pattern = r"^[A-Za-z0-9!#$%&()+:;<=.>?@\[\]^_{}|~-]+$")]
    group_id: String,
}

/// `{groupID}` and `{userID}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct MemberPath {
    /// The group.
    #[serde(rename = "groupID")]
    #[param(min_length = 1, max_length = 32, pattern = r"^[A-Za-z0-9!#$%&()+:;<=.>?@\[\]^_{}|~-]+$")]
    group_id: String,
    /// The member.
    #[serde(rename = "userID")]
    #[param(min_length = 1, max_length = 32, pattern = r"^[A-Za-z0-9!#$%&()+:;<=.>?@\[\]^_{}|~-]+$")]
    user_id: String,
}

impl UserPath {
    pub(super) fn user(&self, broker: &Broker) -> Result<UserId, Invalid> {
        UserId::parse("userID", &self.user_id, &broker.config().limits)
    }
}

impl RoomPath {
    pub(super) fn room(&self, broker: &Broker) -> Result<RoomId, Invalid> {
        RoomId::parse("roomID", &self.room_id, &broker.config().limits)
    }
}

impl GroupPath {
    pub(super) fn group(&self, broker: &Broker) -> Result<GroupId, Invalid> {
        GroupId::parse("groupID", &self.group_id, &broker.config().limits)
    }
}

impl MemberPath {
    pub(super) fn group(&self, broker: &Broker) -> Result<GroupId, Invalid> {
        GroupId::parse("groupID", &self.group_id, &broker.config().limits)
    }

    pub(super) fn user(&self, broker: &Broker) -> Result<UserId, Invalid> {
        UserId::parse("userID", &self.user_id, &broker.config().limits)
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Most entries; 1 to `api.page_max`, for some lists less. Default 100, or the list's most if that is less.
    #[param(minimum = 1)]
    pub(super) limit: Option<u32>,
    /// `nextCursor` of the page before.
    pub(super) cursor: Option<String>,
}

impl PageQuery {
    /// Returns how many entries are asked for; `max` is the list's own limit.
    pub(super) fn limit(&self, broker: &Broker, max: usize) -> Result<usize, Invalid> {
        limit(self.limit, broker, max)
    }

    /// Returns where the page begins.
    pub(super) fn cursor(&self) -> Result<Option<String>, Invalid> {
        self.cursor.as_deref().map(decode_cursor).transpose()
    }
}

/// Returns how many entries a page has; `max` is the list's own limit.
pub(super) fn limit(asked: Option<u32>, broker: &Broker, max: usize) -> Result<usize, Invalid> {
    let max = max.min(broker.config().api.page_max);
    match asked {
        None => Ok(max.min(100)),
        Some(asked) => match usize::try_from(asked) {
            Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
            _ => Err(Invalid::out_of_range("limit", asked.into(), 1, i64::try_from(max).unwrap_or(i64::MAX))),
        },
    }
}

/// Returns a page of entries of which one more than asked for was read, and whether there are more.
pub(super) fn page_of<T>(mut entries: Vec<T>, limit: usize) -> (Vec<T>, bool) {
    let more = entries.len() > limit;
    entries.truncate(limit);
    (entries, more)
}

/// Makes a cursor as clients see it: opaque.
pub(super) fn encode_cursor(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// Reads a cursor.
pub(super) fn decode_cursor(cursor: &str) -> Result<String, Invalid> {
    let not_ours = || Invalid::new("cursor", "is not a nextCursor of this list");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| not_ours())?;
    String::from_utf8(bytes).ok().filter(|place| !place.is_empty()).ok_or_else(not_ours)
}

/// Makes a cursor that stands for an object.
pub(super) fn encode_place(place: &impl Serialize) -> Option<String> {
    serde_json::to_string(place).ok().map(|place| encode_cursor(&place))
}

/// Reads a cursor that stands for an object.
pub(super) fn decode_place<T: DeserializeOwned>(cursor: &str) -> Result<T, Invalid> {
    read_object(&decode_cursor(cursor)?, "cursor").map_err(|_| Invalid::new("cursor", "is not a nextCursor of this list"))
}

/// Reads a cursor that stands for a number.
pub(super) fn number_cursor(cursor: Option<String>) -> Result<Option<u64>, Invalid> {
    cursor.map(|place| place.parse().map_err(|_| Invalid::new("cursor", "is not a nextCursor of this list"))).transpose()
}

/// Says of a path, a query or a body that cannot be read what is wrong with it.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    // The middleware has bounded it by `api.body_bytes_max`.
    app.app_data(web::PayloadConfig::new(usize::MAX))
        .app_data(web::PathConfig::default().error_handler(|error: PathError, _| invalid("path", &error)))
        .app_data(web::QueryConfig::default().error_handler(|error: QueryPayloadError, _| invalid("query", &error)))
        .app_data(web::JsonConfig::default().error_handler(|error: JsonPayloadError, _| invalid("body", &error)));
}

fn invalid(field: &str, error: &dyn fmt::Display) -> Error {
    ApiError::from(Invalid::new(field, format!("is not understood: {error}"))).into()
}

/// The broker a call is for.
pub(super) struct BrokerHandle(pub(super) Broker);

impl FromRequest for BrokerHandle {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let broker = request.app_data::<web::Data<Broker>>();
        ready(
            broker
                .map(|broker| Self(broker.get_ref().clone()))
                .ok_or_else(|| ApiError(crate::model::Refusal::Busy("no broker is mounted")).into()),
        )
    }
}

//! The OpenAPI document of the server API, made from its handlers.

use actix_web::{HttpResponse, get, web};
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, HeaderBuilder, InfoBuilder, ObjectBuilder, OpenApi, RefOr, Required, ServerBuilder, Type};

use super::operations::{audit, backups, cluster, events, keys, sessions, stats, storage, webhooks};
use super::schemas::numbers::NUMBERS;
use super::{group_members, groups, idempotency, messages, notes, response, rooms, user_lists, users};

/// Where the server API is mounted, below a host's own scope.
pub(super) const PREFIX: &str = "/api/v1";

/// The handlers, named once: what is served and what is documented are the same list.
macro_rules! handlers {
    ($($module:ident :: { $($handler:ident),* $(,)? }),* $(,)?) => {
        #[derive(utoipa::OpenApi)]
        #[openapi(paths(get_openapi, $($($module::$handler),*),*))]
        struct Documented;

        /// Mounts every handler.
        pub(super) fn serve(app: &mut web::ServiceConfig) {
            app.service(get_openapi);
            $($(app.service($module::$handler);)*)*
        }
    };
}

handlers! {
    messages::{send_broadcast, send_message, list_messages, revoke_message, edit_message, delete_messages, search_messages},
    notes::{react_to_message, confirm_messages, pin_message, list_pinned_messages},
    users::{register_users, list_users, get_user, change_user, query_presence, list_conversations, list_user_sessions, kick_user, ban_user, unban_user, list_bans},
    user_lists::{change_conversation, list_user_groups, issue_token},
    rooms::{create_room, list_rooms, get_room, destroy_room, list_room_members, kick_room_members, get_room_attributes, change_room_attributes},
    groups::{create_group, list_groups, get_group, change_group, dismiss_group, mute_group, unmute_group, get_group_attributes, change_group_attributes, transfer_group},
    group_members::{list_group_members, list_muted_members, add_group_members, kick_group_members, get_group_member, change_group_member, mute_group_members},
    stats::{get_stats},
    sessions::{list_sessions, kick_session},
    events::{stream_events},
    storage::{list_uploads, get_storage, get_config},
    audit::{list_audit},
    keys::{list_keys, make_key, rotate_key, revoke_key},
    webhooks::{get_webhooks, list_dead_letters, resend_dead_letter, discard_dead_letter},
    backups::{take_backup},
    cluster::{get_cluster, change_node},
}

/// This document: everything a backend needs to know.
#[utoipa::path(tag = "meta", security(()), responses((status = 200, description = "OpenAPI 3.1.", body = std::collections::BTreeMap<String, serde_json::Value>)))]
#[get("/openapi.json")]
pub(super) async fn get_openapi() -> HttpResponse {
    HttpResponse::Ok().insert_header(("Access-Control-Allow-Origin", "*")).json(document())
}

/// Makes the whole document, as the handlers say.
pub(super) fn document() -> OpenApi {
    let mut document = Documented::openapi();
    document.info = InfoBuilder::new()
        .title("Tidings server API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What a backend asks of the broker. Keys: `tidings key new --name NAME`. Any call that changes something takes an \
             `Idempotency-Key`: repeated, it is answered as the first time (`Idempotent-Replayed: true`) and not carried out again. \
             Lists are read page by page: `nextCursor` of the one is `cursor` of the next.",
        ))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url("../v1").build()]);
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A key of the server API.")).build();
    let components = document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    let mut components = components;
    components.add_security_scheme("key", SecurityScheme::Http(key));
    components.schemas.extend(NUMBERS.iter().map(|numbers| (numbers.name.to_owned(), numbers.schema())));
    components.schemas.insert("Problem".into(), response::problem_schema());
    components.responses.extend(response::problem_responses());
    document.components = Some(components);
    document.tags = Some(TAGS.iter().map(|(name, text)| TagBuilder::new().name(*name).description(Some(*text)).build()).collect());
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten() {
            take_idempotency_key(operation);
        }
    }
    document
}

const TAGS: [(&str, &str); 6] = [
    ("messages", "Sent, broadcast, taken back, changed, deleted, read, looked for."),
    ("users", "Known, online, kept out."),
    ("rooms", "Rooms, from outside."),
    ("groups", "What the server does to a group is done in its owner's name."),
    ("operations", "What an operator looks at."),
    ("meta", "The server API itself."),
];

/// Adds what every call that changes something takes.
fn take_idempotency_key(operation: &mut Operation) {
    let visible = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]+$"));
    let visible = visible.min_length(Some(1)).max_length(Some(idempotency::IDEMPOTENCY_KEY_BYTES_MAX));
    let key = ParameterBuilder::new()
        .name(idempotency::IDEMPOTENCY_KEY)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Your name for this call: repeated, it is answered as the first time and not carried out again."))
        .schema(Some(visible));
    operation.parameters.get_or_insert_default().push(key.build().into());
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        let replayed = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]))))
            .description(Some("The call of this Idempotency-Key was answered before."));
        response.headers.insert("Idempotent-Replayed".into(), replayed.build().into());
    }
}

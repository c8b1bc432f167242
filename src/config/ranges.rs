//! What each key may hold: the one table behind every check of a single value.

use std::net::SocketAddr;

use toml::Value;

use super::networks;
use super::webhooks::{self, Webhooks};

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;
const MAILBOX: (i64, i64) = (1, MIB);

/// Every whole number with its closed range. A test holds this table, the keys of `config.toml` and the ranges in its
/// comments together.
pub(super) const RANGES: &[(&str, (i64, i64))] = &[
    ("server.heartbeat_seconds", (5, 300)),
    ("server.login_timeout_seconds", (1, 300)),
    ("server.frame_bytes_max", (4096, 16 * MIB)),
    ("server.frame_bytes_before_login_max", (512, 65_536)),
    ("server.fragments_max", (1, 1024)),
    ("server.control_frames_per_second_max", (1, 1000)),
    ("server.malformed_frames_max", (1, 1000)),
    ("server.requests_in_flight_max", (1, 1024)),
    ("server.connections_max", (1, 1_000_000)),
    ("server.connections_unauthenticated_max", (1, 1_000_000)),
    ("server.connections_per_address_max", (1, 1_000_000)),
    ("server.connections_unauthenticated_per_address_max", (1, 1_000_000)),
    ("server.shutdown_seconds", (0, 600)),
    ("server.http_workers", (0, 1024)),
    ("server.request_head_seconds", (1, 60)),
    ("server.request_body_seconds", (1, 600)),
    ("server.request_body_bytes_per_second_min", (0, MIB)),
    ("server.unauthenticated_body_bytes_max", (65_536, GIB)),
    ("tls.check_seconds", (1, 3600)),
    ("tls.handshake_seconds", (1, 60)),
    ("auth.app_id", (0, u32::MAX as i64)),
    ("auth.token_ttl_seconds_default", (1, 31_536_000)),
    ("auth.token_lifetime_max_seconds", (0, 3_153_600_000)),
    ("users.devices_per_user_max", (1, 10)),
    ("api.requests_per_second", (1, 100_000)),
    ("api.requests_burst", (1, 100_000)),
    ("api.broadcasts_per_second", (1, 1000)),
    ("api.broadcasts_per_day", (1, 1_000_000)),
    ("api.body_bytes_max", (1024, 16 * MIB)),
    ("api.idempotency_keys_max", (1, 1_000_000)),
    ("api.idempotency_seconds", (60, 604_800)),
    ("api.page_max", (1, 1000)),
    ("console.session_idle_seconds", (60, 86_400)),
    ("console.session_seconds", (300, 2_592_000)),
    ("console.attempts_per_minute", (1, 1000)),
    ("console.attempts_per_minute_in_all", (1, 10_000)),
    ("console.audit_bytes_max", (65_536, GIB)),
    ("vendor_api.timestamp_tolerance_seconds", (1, 3600)),
    ("vendor_api.nonces_max", (1000, 10_000_000)),
    ("vendor_api.calls_per_second", (1, 100_000)),
    ("vendor_api.group_and_room_messages_per_second", (1, 100_000)),
    ("vendor_api.changes_of_one_group_per_second", (1, 100_000)),
    ("vendor_api.looks_into_one_room_per_second", (1, 100_000)),
    ("vendor_api.group_lists_per_second", (1, 100_000)),
    ("room.grace_seconds", (0, 3600)),
    ("room.movements_per_second", (1, 1_000_000)),
    ("room.node_bytes_per_second", (0, 1_000 * GIB)),
    ("rate.sends_per_second", (1, 100_000)),
    ("rate.burst", (1, 100_000)),
    ("rate.commands_per_second", (1, 100_000)),
    ("rate.commands_burst", (1, 100_000)),
    ("rate.high_priority_per_second", (1, 100_000)),
    ("rate.high_priority_burst", (1, 100_000)),
    ("rate.changes_per_second", (1, 100_000)),
    ("rate.changes_burst", (1, 100_000)),
    ("rate.rooms_per_minute", (1, 100_000)),
    ("rate.groups_per_minute", (1, 100_000)),
    ("rate.invites_per_minute", (1, 1_000_000)),
    ("rate.searches_per_second", (1, 100_000)),
    ("shed.room_barrages_per_second", (1, 1_000_000)),
    ("shed.room_barrages_burst", (1, 1_000_000)),
    ("shed.late_ms", (10, 60_000)),
    ("shed.outbox_lossy_bytes", (1024, GIB)),
    ("shed.outbox_reliable_bytes", (1024, GIB)),
    ("shed.outbox_reliable_frames", (1, 1_000_000)),
    ("shed.stalled_seconds", (1, 3600)),
    ("batch.tick_ms", (1, 1000)),
    ("batch.list_tick_ms", (1, 1000)),
    ("batch.members_per_ms", (1, 1_000_000)),
    ("batch.messages_max", (1, 10_000)),
    ("batch.bytes_max", (1024, 16 * MIB)),
    ("actors.session_mailbox", MAILBOX),
    ("actors.user_mailbox", MAILBOX),
    ("actors.peer_mailbox", MAILBOX),
    ("actors.room_mailbox", MAILBOX),
    ("actors.group_mailbox", MAILBOX),
    ("actors.archive_mailbox", MAILBOX),
    ("actors.appends_in_flight_max", (1, MIB)),
    ("actors.reads_in_flight_max", (1, 1024)),
    ("actors.combine_bytes_in_flight_max", (1, 16 * GIB)),
    ("actors.user_notices_max", (1, MIB)),
    ("actors.idle_seconds", (1, 86_400)),
    ("store.cache_bytes", (MIB, 16 * GIB)),
    ("store.seen_bytes", (0, GIB)),
    ("store.backup_bytes_per_second", (0, 16 * GIB)),
    ("store.disk_free_bytes_min", (0, 1_048_576 * GIB)),
    ("store.gather_us", (0, 10_000)),
    ("store.ballast_bytes", (0, GIB)),
    ("store.postgres.connections_max", (1, 1000)),
    ("cluster.lease_ms", (1000, 60_000)),
    ("cluster.shards", (1, 1024)),
    ("log.otlp_one_in", (1, 1_000_000)),
    ("history.retention_days", (1, 3650)),
    ("history.clock_jump_max_hours", (1, 87_600)),
    ("history.resume_messages_max", (1, 4096)),
    ("history.offline_days", (0, 365)),
    ("media.user_bytes_max", (1, 1024 * GIB)),
    ("media.total_bytes_max", (1, 1_048_576 * GIB)),
    ("media.uploads_per_user_max", (1, 1000)),
    ("media.uploads_max", (1, 100_000)),
    ("media.unfinished_bytes_per_user_max", (1, 1024 * GIB)),
    ("media.unfinished_bytes_max", (1, 1_048_576 * GIB)),
    ("media.form_bytes_max", (0, 16 * MIB)),
    ("media.bytes_per_second_min", (0, MIB)),
    ("media.stalled_seconds", (1, 300)),
    ("media.unbegun_seconds", (1, 604_800)),
    ("media.unfinished_seconds", (1, 604_800)),
    ("media.unsent_seconds", (60, 2_592_000)),
    ("media.token_seconds", (10, 604_800)),
    ("media.pixels_max", (1, 1_000_000_000)),
    ("media.large_pixels", (16, 4096)),
    ("media.thumbnail_pixels", (16, 1024)),
    ("media.probes_max", (1, 64)),
    ("media.first_frame_deadline_ms", (100, 60_000)),
    ("webhooks.before_send_deadline_ms", (100, 60_000)),
    ("webhooks.before_send_in_flight_max", (1, 10_000)),
    ("webhooks.connect_timeout_ms", (100, 60_000)),
    ("webhooks.timeout_ms", (100, 120_000)),
    ("webhooks.deliveries_max", (1, 256)),
    ("webhooks.attempts_max", (1, 100)),
    ("webhooks.retry_first_ms", (10, 3_600_000)),
    ("webhooks.retry_most_ms", (10, 86_400_000)),
    ("webhooks.queue_bytes_max", (MIB, 64 * GIB)),
    ("webhooks.queue_events_max", (100, 10_000_000)),
    ("webhooks.sync_ms", (0, 60_000)),
    ("webhooks.dead_letters_max", (0, 1_000_000)),
    ("webhooks.dead_letters_days", (1, 3650)),
    ("limits.text_bytes_max", (1, 262_144)),
    ("limits.command_bytes_max", (1, 65_536)),
    ("limits.barrage_bytes_max", (1, 65_536)),
    ("limits.custom_bytes_max", (1, 262_144)),
    ("limits.custom_sub_type_max", (0, 65_535)),
    ("limits.searched_content_bytes_max", (0, 4096)),
    ("limits.mentions_max", (0, 1000)),
    ("limits.combine_title_bytes_max", (0, 4096)),
    ("limits.combine_summary_bytes_max", (0, 4096)),
    ("limits.combine_children_max", (1, 10_000)),
    ("limits.combine_bytes_max", (1, 64 * MIB)),
    ("limits.stored_bytes_per_user_per_day_max", (0, u32::MAX as i64)),
    ("limits.combine_depth_max", (1, 32)),
    ("limits.image_bytes_max", (1, GIB)),
    ("limits.file_bytes_max", (1, GIB)),
    ("limits.audio_bytes_max", (1, GIB)),
    ("limits.audio_seconds_max", (1, 86_400)),
    ("limits.video_bytes_max", (1, GIB)),
    ("limits.file_name_bytes_max", (16, 1024)),
    ("limits.extended_data_bytes_max", (0, 16_384)),
    ("limits.user_id_bytes_max", (1, 128)),
    ("limits.user_name_bytes_max", (1, 4096)),
    ("limits.room_id_bytes_max", (1, 128)),
    ("limits.room_name_bytes_max", (1, 4096)),
    ("limits.rooms_per_user_max", (1, 1000)),
    ("limits.room_members_max", (1, 1_000_000)),
    ("limits.room_destroy_delay_seconds_max", (0, 604_800)),
    ("limits.room_member_page_max", (1, 10_000)),
    ("limits.room_member_query_max", (1, 1000)),
    ("limits.group_id_bytes_max", (1, 128)),
    ("limits.group_name_bytes_max", (1, 4096)),
    ("limits.group_notice_bytes_max", (1, 16_384)),
    ("limits.avatar_url_bytes_max", (1, 2048)),
    ("limits.group_members_max", (1, 100_000)),
    ("limits.groups_per_user_max", (1, 100_000)),
    ("limits.group_invite_max", (1, 10_000)),
    ("limits.group_kick_max", (1, 10_000)),
    ("limits.group_member_page_max", (1, 10_000)),
    ("limits.room_attributes_max", (0, 1000)),
    ("limits.room_attribute_key_bytes_max", (1, 256)),
    ("limits.room_attribute_value_bytes_max", (0, 16_384)),
    ("limits.room_attributes_bytes_max", (0, 65_536)),
    ("limits.room_attributed_members_max", (0, 10_000)),
    ("limits.room_member_attributes_max", (0, 1000)),
    ("limits.room_member_attribute_key_bytes_max", (1, 256)),
    ("limits.room_member_attribute_value_bytes_max", (0, 4096)),
    ("limits.room_member_attributes_bytes_max", (0, 4096)),
    ("limits.room_member_attributes_page_max", (1, 1000)),
    ("limits.group_nickname_chars_max", (0, 1000)),
    ("limits.group_mute_roles_max", (1, 1000)),
    ("limits.group_mute_seconds_max", (1, 31_536_000)),
    ("limits.group_mute_members_max", (1, 1000)),
    ("limits.group_member_mute_seconds_max", (1, 31_536_000)),
    ("limits.marks_max", (0, 1000)),
    ("limits.marked_conversations_max", (0, 10_000)),
    ("limits.group_attributes_max", (0, 1000)),
    ("limits.group_attribute_key_bytes_max", (1, 256)),
    ("limits.group_attribute_value_bytes_max", (0, 65_536)),
    ("limits.history_page_max", (1, 1000)),
    ("limits.user_query_max", (1, 1000)),
    ("limits.conversations_max", (1, 10_000)),
    ("limits.unread_max", (1, 1_000_000)),
    ("limits.pinned_conversations_max", (0, 1000)),
    ("limits.conversation_page_max", (1, 1000)),
    ("limits.delete_messages_max", (1, 1000)),
    ("limits.query_messages_max", (1, 1000)),
    ("limits.revoke_seconds", (0, 86_400)),
    ("limits.revoke_extended_data_bytes_max", (0, 4096)),
    ("limits.edit_seconds", (0, 2_592_000)),
    ("limits.reaction_seconds", (0, 31_536_000)),
    ("limits.reaction_bytes_max", (1, 256)),
    ("limits.reactions_max", (1, 1000)),
    ("limits.note_page_max", (1, 1000)),
    ("limits.receipts_max", (1, 100)),
    ("limits.pinned_messages_max", (1, 100)),
    ("limits.user_extended_data_bytes_max", (0, 16_384)),
    ("limits.status_subscriptions_max", (1, 10_000)),
    ("limits.status_query_max", (1, 1000)),
    ("limits.status_subscription_minutes_max", (1, 525_600)),
    ("limits.search_keywords_max", (1, 20)),
    ("limits.search_messages_max", (100, 10_000_000)),
    ("limits.search_page_max", (1, 1000)),
];

/// Keys whose values are never shown.
pub(super) fn is_secret(key: &str) -> bool {
    matches!(
        key,
        "auth.secret"
            | "auth.token04_secret"
            | "webhooks.secret"
            | "webhooks.vendor_secret"
            | "vendor_api.server_secret"
            | "store.postgres.url"
    )
}

fn range(key: &str) -> Option<(i64, i64)> {
    RANGES.iter().find(|(name, _)| *name == key).map(|(_, range)| *range)
}

fn is_nats_address(value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    let rest = text.strip_prefix("nats://").or_else(|| text.strip_prefix("tls://"));
    text.len() <= 1024 && rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// Returns whether `value` may stand under `key`. The type is that of the default, which the caller has compared.
pub(super) fn is_allowed(key: &str, value: &Value) -> bool {
    match (key, value) {
        (_, Value::Integer(number)) => range(key).is_none_or(|(min, max)| (min..=max).contains(number)),
        ("server.listen", Value::String(text)) => text.parse::<SocketAddr>().is_ok(),
        ("server.private_listen", Value::String(text)) => text.is_empty() || text.parse::<SocketAddr>().is_ok(),
        ("server.data_dir", Value::String(text)) => (1..=4096).contains(&text.len()) && !text.contains('\0'),
        ("auth.secret" | "vendor_api.server_secret", Value::String(text)) => text.is_empty() || (16..=1024).contains(&text.len()),
        ("auth.token04_secret", Value::String(text)) => text.is_empty() || text.len() == 32,
        ("vendor_api.signature", Value::String(text)) => matches!(text.as_str(), "md5" | "hmac-sha256" | "both"),
        ("store.engine", Value::String(text)) => matches!(text.as_str(), "sled" | "memory" | "postgres"),
        ("store.postgres.url", Value::String(text)) => text.len() <= 4096 && !text.contains('\0'),
        ("store.postgres.tls_ca", Value::String(text)) => text.len() <= 4096 && !text.contains('\0'),
        ("cluster.name", Value::String(text)) => {
            (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        }
        ("cluster.nats", Value::Array(servers)) => servers.iter().all(is_nats_address),
        ("cluster.nats_credentials" | "cluster.nats_tls_ca", Value::String(text)) => text.len() <= 4096 && !text.contains('\0'),
        ("cluster.node" | "cluster.address", Value::String(text)) => text.len() <= 256 && !text.chars().any(char::is_control),
        ("store.backup_dir", Value::String(text)) => text.len() <= 4096 && !text.contains('\0'),
        ("tls.min_version", Value::String(text)) => matches!(text.as_str(), "1.2" | "1.3"),
        ("tls.certificate" | "tls.key", Value::String(text)) => text.len() <= 4096,
        ("media.store", Value::String(text)) => matches!(text.as_str(), "disk" | "s3" | "none"),
        ("media.s3_bucket" | "media.s3_endpoint" | "media.s3_prefix", Value::String(text)) => {
            text.len() <= 1024 && !text.chars().any(char::is_control)
        }
        ("webhooks.url" | "webhooks.before_send_url" | "webhooks.first_frame_url", Value::String(text)) => {
            text.is_empty() || webhooks::is_url(text)
        }
        ("webhooks.secret", Value::String(text)) => text.is_empty() || webhooks::is_secret(text),
        ("webhooks.vendor_secret", Value::String(text)) => text.is_empty() || (16..=1024).contains(&text.len()),
        ("webhooks.signature", Value::String(text)) => matches!(text.as_str(), "standard" | "vendor" | "both"),
        ("webhooks.before_send_fail", Value::String(text)) => matches!(text.as_str(), "open" | "closed"),
        ("webhooks.when_full", Value::String(text)) => matches!(text.as_str(), "drop" | "refuse"),
        ("webhooks.ca_file", Value::String(text)) => text.len() <= 4096 && !text.contains('\0'),
        ("webhooks.events", Value::Array(list)) => {
            list.iter().all(|entry| entry.as_str().is_some_and(|name| Webhooks::EVENTS.contains(&name)))
        }
        ("log.format", Value::String(text)) => matches!(text.as_str(), "auto" | "text" | "json"),
        ("log.otlp_endpoint", Value::String(text)) => {
            text.is_empty() || (text.len() <= 1024 && (text.starts_with("http://") || text.starts_with("https://")))
        }
        ("log.filter", Value::String(text)) => (1..=1024).contains(&text.len()),
        ("server.trusted_proxies", Value::Array(list)) => {
            list.len() <= 1000 && list.iter().all(|entry| entry.as_str().is_some_and(|text| networks::parse(text).is_some()))
        }
        ("server.origins", Value::Array(list)) => list.len() <= 1000 && list.iter().all(|entry| entry.as_str().is_some_and(is_origin)),
        _ => true,
    }
}

/// `*`, or scheme and host as a browser sends them in `Origin`.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host_character = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '?' | '#' | '@' | ',' | '"');
    text == "*" || host.is_some_and(|host| !host.is_empty() && host.chars().all(is_host_character))
}

/// Type and range of a key, for an error's text.
pub(super) fn expected(key: &str, default: &Value) -> String {
    if let Some((min, max)) = range(key) {
        return format!("an integer in the range {min} to {max}");
    }
    let fixed = match key {
        "server.listen" => "an IP address or localhost, and a port, such as 127.0.0.1:7080",
        "server.private_listen" => "an IP address or localhost, and a port, such as 127.0.0.1:7081, or an empty text",
        "server.data_dir" => "a path of 1 to 4096 bytes",
        "server.origins" => "a list of at most 1000 entries, each \"*\" or like \"https://www.example.com\"",
        "server.trusted_proxies" => {
            "a list of at most 1000 entries, each an address such as \"10.1.2.3\" or a network such as \"10.0.0.0/8\""
        }
        "auth.secret" | "vendor_api.server_secret" => "a text of 16 to 1024 bytes, or an empty one",
        "auth.token04_secret" => "a text of exactly 32 bytes, or an empty one",
        "tls.certificate" | "tls.key" => "a path of at most 4096 bytes, or an empty text",
        "tls.min_version" => "\"1.2\" or \"1.3\"",
        "users.system" => "a userID",
        "vendor_api.signature" => "\"md5\", \"hmac-sha256\" or \"both\"",
        "store.engine" => "\"sled\", \"memory\" or \"postgres\"",
        "store.postgres.url" => "an address of at most 4096 bytes such as postgres://tidings@127.0.0.1/tidings, or an empty text",
        "store.postgres.tls_ca" => "a path of at most 4096 bytes, or an empty text",
        "cluster.name" => "1 to 64 letters, digits, - and _",
        "cluster.nats" => "a list of addresses such as nats://host:4222 or tls://host:4222",
        "cluster.nats_credentials" | "cluster.nats_tls_ca" => "the name of a file",
        "cluster.node" | "cluster.address" => "a text of at most 256 bytes",
        "store.backup_dir" => "a path of at most 4096 bytes, or an empty text",
        "media.store" => "\"disk\", \"s3\" or \"none\"",
        "media.s3_bucket" | "media.s3_endpoint" | "media.s3_prefix" => "a text of at most 1024 bytes",
        "webhooks.url" | "webhooks.before_send_url" | "webhooks.first_frame_url" => {
            "an address of at most 2048 bytes such as https://example.com/hook, without user and fragment, or an empty text"
        }
        "webhooks.secret" => "\"whsec_\" and base64 of 24 to 64 bytes, a text of 16 to 1024 bytes, or an empty one",
        "webhooks.vendor_secret" => "a text of 16 to 1024 bytes, or an empty one",
        "webhooks.signature" => "\"standard\", \"vendor\" or \"both\"",
        "webhooks.before_send_fail" => "\"open\" or \"closed\"",
        "webhooks.when_full" => "\"drop\" or \"refuse\"",
        "webhooks.ca_file" => "a path of at most 4096 bytes, or an empty text",
        "webhooks.events" => return format!("a list of {}", Webhooks::EVENTS.join(", ")),
        "log.format" => "\"auto\", \"text\" or \"json\"",
        "log.otlp_endpoint" => "an address such as http://127.0.0.1:4318/v1/traces, or an empty text",
        "log.filter" => "a text of 1 to 1024 bytes",
        _ => match default {
            Value::Boolean(_) => "true or false",
            _ => default.type_str(),
        },
    };
    fixed.to_owned()
}

/// Returns a value for an error's text: escaped, at most 80 characters; of a secret its length alone.
pub(super) fn shown(key: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) if is_secret(key) => return format!("a text of {} bytes", text.len()),
        other if is_secret(key) => return format!("of type {}", other.type_str()),
        Value::Integer(number) => return number.to_string(),
        Value::Table(_) => return "a section".to_owned(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    };
    if text.chars().count() <= 80 { text } else { text.chars().take(77).chain("...".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULTS_TOML;

    fn defaults() -> toml::Table {
        DEFAULTS_TOML.parse().unwrap()
    }

    #[test]
    fn each_whole_number_of_the_file_has_a_range_that_holds_its_default() {
        for (section, keys) in &defaults() {
            let inner = keys.as_table().unwrap().iter().filter_map(|(name, inner)| Some((name, inner.as_table()?)));
            let inner = inner.flat_map(|(name, keys)| keys.iter().map(move |(key, value)| (format!("{name}.{key}"), value)));
            let own = keys.as_table().unwrap().iter().filter(|(_, value)| !value.is_table()).map(|(name, value)| (name.clone(), value));
            for (name, value) in own.chain(inner) {
                let key = format!("{section}.{name}");
                assert!(is_allowed(&key, value), "{key}");
                assert_eq!(value.is_integer(), range(&key).is_some(), "{key}");
                if !value.is_integer() && !value.is_bool() {
                    assert_ne!(expected(&key, value), value.type_str(), "{key} has no description");
                }
            }
        }
    }

    #[test]
    fn each_range_belongs_to_a_key_of_the_file() {
        for (key, (min, max)) in RANGES {
            let (section, name) = key.rsplit_once('.').unwrap();
            let section = section.split('.').fold(toml::Value::Table(defaults()), |table, name| table[name].clone());
            assert!(section.get(name).is_some(), "{key}");
            assert!(min < max, "{key}");
        }
    }

    /// The file is the manual, so its comments may not say another range than the table enforces.
    #[test]
    fn each_key_is_documented_and_numbers_with_their_range() {
        let mut section = "";
        let mut comment = String::new();
        let mut seen = 0;
        for line in DEFAULTS_TOML.lines() {
            if let Some(text) = line.strip_prefix('#') {
                comment.push_str(text);
            } else if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                comment.clear();
            } else if let Some((name, _)) = line.split_once(" = ") {
                let key = format!("{section}.{name}");
                assert!(comment.len() > 15, "{key} has no comment");
                if let Some((min, max)) = range(&key) {
                    let words = [format!("Range {min} to {max}."), format!("Range {min} to {max};")];
                    assert!(words.iter().any(|w| comment.contains(w.as_str())), "{key}: {} in: {comment}", words[0]);
                }
                comment.clear();
                seen += 1;
            }
        }
        assert!(seen > RANGES.len());
    }

    #[test]
    fn an_origin_is_a_star_or_scheme_and_host() {
        for good in ["*", "https://example.com", "http://localhost:8080", "https://[::1]:7080"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["", "example.com", "https://", "https://example.com/", "ftp://example.com", "https://a b"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}

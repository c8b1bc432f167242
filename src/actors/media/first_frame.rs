//! The first picture of a video whose program brought none: made by the host, or asked of a backend.
//!
//! Neither may hold an upload back for longer than its deadline, and none of their mistakes costs more than the picture.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::actors::context::BrokerContext;
use crate::actors::files::MediaService;
use crate::actors::files::upload::blocking;
use crate::auth::MediaClaims;
use crate::hooks::VideoFile;
use crate::media::probe_made_frame;
use crate::model::{MediaKind, MediaRecord, SessionId};

/// In whose name a backend reads a video: no session has this id.
const BACKEND: &str = "first-frame";

/// Returns the picture that the host makes of a video whose bytes lie there, judged and written anew.
pub(super) async fn of_host(context: &BrokerContext, record: &MediaRecord, path: &Path) -> Option<Vec<u8>> {
    let host = context.first_frames.as_ref().filter(|_| record.kind == MediaKind::Video)?;
    let video =
        VideoFile { file: record.file, owner: record.owner.clone(), mime: record.mime.clone(), bytes: record.bytes, path: path.to_owned() };
    judged(context, record, "the host", host.first_frame(video)).await
}

/// Returns the picture that the backend sends for a video that is kept and has none.
pub(super) async fn of_backend(context: &BrokerContext, record: &MediaRecord) -> Option<Vec<u8>> {
    let backend = context.first_frame_backend.as_ref().filter(|_| record.kind == MediaKind::Video && record.frame_bytes == 0)?;
    let now_ms = context.clock.wall_ms();
    let claims = MediaClaims {
        user: record.owner.clone(),
        session: SessionId::trusted(BACKEND),
        issued_ms: now_ms,
        expires_at_ms: now_ms.saturating_add(context.config().media.first_frame_deadline_ms).saturating_add(1000),
    };
    let path = format!("/media/{}/original?token={}", record.file, context.media.tokens.issue(&claims));
    judged(context, record, "the backend", backend.first_frame(record, path)).await
}

async fn judged(context: &BrokerContext, record: &MediaRecord, by: &str, asked: impl Future<Output = Option<Vec<u8>>>) -> Option<Vec<u8>> {
    let file = record.file;
    let deadline = Duration::from_millis(context.config().media.first_frame_deadline_ms);
    let Ok(answer) = timeout(deadline, asked).await else {
        tracing::warn!(%file, by, deadline_ms = deadline.as_millis(), "the first picture of a video did not come in time");
        return None;
    };
    let picture = answer?;
    let options = MediaService::options(&context.config());
    match blocking(move || probe_made_frame(&picture, &options)).await {
        Ok((bytes, _)) => Some(bytes),
        Err(error) => {
            tracing::warn!(%error, %file, by, "the first picture of a video is none");
            None
        }
    }
}

//! `first_frame`: a backend makes the first picture of a video whose program brought none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::body::{EventMeta, Vendor, first_frame_question};
use super::client::Client;
use super::deliverer::headers;
use crate::clock::Clock;
use crate::hooks::FirstFrameBackend;
use crate::model::MediaRecord;

/// Most bytes of a picture.
const PICTURE_BYTES_MAX: usize = 8 << 20;

/// How long a picture's body may take; who waits for it gives up before that.
const READ_WAIT: Duration = Duration::from_secs(60);

/// Asks one URL.
pub(super) struct FirstFrameClient {
    pub(super) client: Client,
    pub(super) key: Option<Vec<u8>>,
    pub(super) vendor: Option<Vendor>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The broker's side of it. The calls are made on the webhooks' own thread.
pub(super) struct FirstFrameAsker {
    pub(super) client: Arc<FirstFrameClient>,
    pub(super) runtime: Handle,
}

impl FirstFrameBackend for FirstFrameAsker {
    fn first_frame<'a>(&'a self, video: &'a MediaRecord, path: String) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send + 'a>> {
        let (client, asked) = (self.client.clone(), video.clone());
        Box::pin(async move {
            // Ends with who waits for it.
            let mut asking = JoinSet::new();
            asking.spawn_on(async move { client.ask(&asked, &path).await }, &self.runtime);
            match asking.join_next().await {
                Some(Ok(Ok(picture))) => picture,
                Some(Ok(Err(error))) => {
                    tracing::warn!(error, file = %video.file, "webhooks.first_frame_url has no picture");
                    None
                }
                // The broker is going down, and this with it.
                Some(Err(_)) | None => None,
            }
        })
    }
}

impl FirstFrameClient {
    /// Asks once: a picture less costs little, and who uploads waits.
    async fn ask(&self, video: &MediaRecord, path: &str) -> Result<Option<Vec<u8>>, String> {
        let meta = EventMeta::of_question(self.clock.wall_ms())?;
        let body = first_frame_question(video, path, &meta, self.vendor.as_ref());
        let headers = headers(self.key.as_deref(), &meta.id, meta.at_ms / 1000, &body);
        let answer = self.client.post(&headers, &body).await.map_err(|error| error.to_string())?;
        match answer.status {
            204 => Ok(None),
            200 => {
                let picture = answer.read_up_to(READ_WAIT, PICTURE_BYTES_MAX).await.map_err(|error| error.to_string())?;
                Ok(Some(picture.to_vec()).filter(|picture| !picture.is_empty()))
            }
            status => Err(format!("it answered with the status {status}")),
        }
    }
}

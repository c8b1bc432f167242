//! `first_frame`: a backend makes the first picture of a video whose program brought none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::runtime::Handle;

use super::body::{Vendor, signed};
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
        let file = video.file;
        let question = json!({
            "fileUID": file.to_string(), "userID": video.owner, "fileName": video.name, "fileSize": video.bytes, "mimeType": video.mime,
            "videoDuration": video.duration_ms.map(|ms| ms as f64 / 1000.0), "downloadPath": path,
        });
        let client = self.client.clone();
        Box::pin(async move {
            let asking = Cancelled(self.runtime.spawn(async move { client.ask(question).await }));
            match asking.await {
                Ok(Ok(picture)) => picture,
                Ok(Err(error)) => {
                    tracing::warn!(error, %file, "webhooks.first_frame_url has no picture");
                    None
                }
                // The broker is going down, and this with it.
                Err(_) => None,
            }
        })
    }
}

/// A task that ends with who waits for it.
struct Cancelled<T>(tokio::task::JoinHandle<T>);

impl<T> Future for Cancelled<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Cancelled<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl FirstFrameClient {
    /// Asks once: a picture less costs little, and who uploads waits.
    async fn ask(&self, question: serde_json::Value) -> Result<Option<Vec<u8>>, String> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let hex = crate::model::hex(&random);
        let (now_ms, id) = (self.clock.wall_ms(), format!("req_{hex}"));
        let mut body = json!({"type": "video.first_frame", "timestamp": now_ms / 1000, "data": question});
        if let (Some(vendor), Some(fields)) = (&self.vendor, body.as_object_mut()) {
            fields.extend(signed(vendor, &id, now_ms / 1000, &hex));
        }
        let body = Bytes::from(body.to_string());
        let headers = headers(self.key.as_deref(), &id, now_ms / 1000, &body);
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

//! Hands a file out: to whoever may have it at this moment, in one piece or one range.

use std::ops::Range;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header::{
    self, ByteRangeSpec, Charset, ContentDisposition, DispositionParam, DispositionType, ExtendedValue, Header as _, HeaderValue,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Deserialize;

use super::caller::Caller;
use super::response::{refusal_response, text};
use crate::actors::context::BrokerContext;
use crate::actors::media::access::file_of;
use crate::broker::Broker;
use crate::http::origin;
use crate::http::problem::problem;
use crate::media::{Blob, MediaError, made_mime};
use crate::model::{FileUid, MediaRecord, Refusal, Rendition};

/// Types that a browser may show by itself: none of them runs anything.
const INLINE: &[&str] =
    &["image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/webm", "video/mp4"];

/// Types that are named, and only ever saved.
const NAMED: &[&str] = &["image/tiff", "image/heic", "image/heif", "video/quicktime", "application/pdf", "application/zip"];

#[derive(Deserialize)]
pub(super) struct FileQuery {
    #[serde(default)]
    token: Option<String>,
    /// `1`: to be saved, whatever it is.
    #[serde(default)]
    download: Option<String>,
}

/// A file in one of its renditions, which the caller may read now.
struct ReadableFile {
    record: MediaRecord,
    blob: Blob,
    /// Length of this rendition.
    bytes: u64,
    mime: String,
}

/// Answers `GET` and `HEAD /media/{fileUID}/{rendition}?token=…`.
pub(super) async fn file(
    broker: web::Data<Broker>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    query: web::Query<FileQuery>,
) -> HttpResponse {
    let (uid, rendition) = path.into_inner();
    match find(&broker, &request, query.token.as_deref(), (&uid, &rendition)).await {
        Ok((file, caller)) => file_response(&broker.context, &request, &file, caller, query.download.is_some()),
        Err(refusal) => refusal_response(&broker.context, &refusal),
    }
}

async fn find(
    broker: &Broker,
    request: &HttpRequest,
    token: Option<&str>,
    (uid, rendition): (&str, &str),
) -> Result<(ReadableFile, Caller), Refusal> {
    let context = &broker.context;
    let caller = Caller::of_url(broker, request, token).await?;
    let uid = FileUid::parse(uid).ok_or(Refusal::FileMissing)?;
    let rendition = Rendition::parse(rendition).ok_or(Refusal::FileMissing)?;
    let record = file_of(&broker.context, &caller.user, uid).await?;
    let (kept, bytes) = record.kept_as(rendition).ok_or(Refusal::FileMissing)?;
    let blob = Blob { file: uid, rendition: kept };
    let mime = if kept == Rendition::Original {
        record.mime.clone()
    } else {
        let head = context.media.store.read(blob, 0..4).await.map_err(|error| unreadable(&error))?;
        made_mime(&head).to_owned()
    };
    Ok((ReadableFile { record, blob, bytes, mime }, caller))
}

fn unreadable(error: &MediaError) -> Refusal {
    match error {
        MediaError::Missing => Refusal::FileMissing,
        MediaError::Unavailable(_) => Refusal::StoreUnavailable(error.to_string()),
    }
}

fn file_response(context: &Arc<BrokerContext>, request: &HttpRequest, file: &ReadableFile, caller: Caller, download: bool) -> HttpResponse {
    let config = context.config();
    let is_elsewhere = !config.server.origins.is_empty() || origin::serves_developers(&config);
    let tag = format!("\"{}-{}\"", file.record.sha256.get(..32).unwrap_or_default(), file.blob.rendition.label());
    if is_known(request, &tag) {
        return with_rules(&mut HttpResponse::NotModified(), &tag, is_elsewhere).finish();
    }
    let is_head = request.method() == Method::HEAD;
    // What a range would be of is not sent. Source: RFC 9110, 14.2.
    let range = match if is_head { Ok(None) } else { satisfiable_range(request, &tag, file.bytes) } {
        Ok(range) => range,
        Err(response) => return *response,
    };
    let mut response = if range.is_some() { HttpResponse::PartialContent() } else { HttpResponse::Ok() };
    if let Some(range) = &range {
        response.insert_header((header::CONTENT_RANGE, format!("bytes {}-{}/{}", range.start, range.end - 1, file.bytes)));
    }
    describe(&mut response, file, download);
    let response = with_rules(&mut response, &tag, is_elsewhere);
    let range = range.unwrap_or(0..file.bytes);
    let length = range.end - range.start;
    if is_head {
        return response.no_chunking(length).body(SizedStream::new(length, stream::empty::<Result<Bytes, MediaError>>()));
    }
    response.body(SizedStream::new(length, Box::pin(parts(context.clone(), caller, file.blob, range))))
}

/// Says whether the client has this very file already.
fn is_known(request: &HttpRequest, tag: &str) -> bool {
    let known = text(request, header::IF_NONE_MATCH);
    known.is_some_and(|known| known == "*" || known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag))
}

/// Returns the range to send, `None` for the whole file.
///
/// # Errors
/// The answer to a range that lies beyond the end.
fn satisfiable_range(request: &HttpRequest, tag: &str, bytes: u64) -> Result<Option<Range<u64>>, Box<HttpResponse>> {
    let has_another = text(request, header::IF_RANGE).is_some_and(|known| known != tag);
    let Some(spec) = wanted(request).filter(|_| !has_another) else { return Ok(None) };
    if let Some((from, to)) = spec.to_satisfiable_range(bytes) {
        return Ok(Some(from..to + 1));
    }
    let mut response = problem(StatusCode::RANGE_NOT_SATISFIABLE, 6_000_001, "Range lies beyond the end of the file");
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{bytes}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Err(Box::new(response))
}

/// Says what the file is, and whether a browser shows or saves it.
fn describe(response: &mut HttpResponseBuilder, file: &ReadableFile, download: bool) {
    let mime = file.mime.as_str();
    let is_shown = INLINE.contains(&mime) && !download;
    let is_named = INLINE.contains(&mime) || NAMED.contains(&mime);
    response
        .insert_header((header::CONTENT_TYPE, if is_named { mime.to_owned() } else { "application/octet-stream".to_owned() }))
        .insert_header(disposition(if is_shown { DispositionType::Inline } else { DispositionType::Attachment }, &file.record.name))
        .insert_header((header::ACCEPT_RANGES, "bytes"));
}

/// Returns the one range that is asked for; of several none, and the file is sent whole.
fn wanted(request: &HttpRequest) -> Option<ByteRangeSpec> {
    match header::Range::parse(request).ok()? {
        header::Range::Bytes(mut specs) if specs.len() == 1 => specs.pop(),
        _ => None,
    }
}

/// Says what a browser may do with the file: show it, and nothing more. It asks again each time, because access may have ended.
/// Only pages of its own site may use it, or any once there are pages elsewhere: `is_elsewhere`.
fn with_rules<'a>(response: &'a mut HttpResponseBuilder, tag: &str, is_elsewhere: bool) -> &'a mut HttpResponseBuilder {
    response
        .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, if is_elsewhere { "cross-origin" } else { "same-site" }))
        .insert_header((header::ETAG, tag.to_owned()))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
}

fn disposition(kind: DispositionType, name: &str) -> ContentDisposition {
    let mut parameters = Vec::new();
    if name.is_ascii() && !name.is_empty() {
        parameters.push(DispositionParam::Filename(name.to_owned()));
    } else if !name.is_empty() {
        let value = name.as_bytes().to_vec();
        parameters.push(DispositionParam::FilenameExt(ExtendedValue { charset: Charset::Ext("UTF-8".into()), language_tag: None, value }));
    }
    ContentDisposition { disposition: kind, parameters }
}

/// Streams the bytes, a part at a time, for as long as the caller may have them.
fn parts(context: Arc<BrokerContext>, caller: Caller, blob: Blob, range: Range<u64>) -> impl Stream<Item = Result<Bytes, MediaError>> {
    stream::try_unfold((context, caller, range), move |(context, mut caller, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        caller.still_may(&context).await.map_err(|refusal| MediaError::Unavailable(refusal.to_string()))?;
        let part = context.media.store.read(blob, range.clone()).await.inspect_err(|error| {
            tracing::warn!(%error, file = %blob.file, "a file could not be read to its end");
        })?;
        context.metrics.media_read(part.len() as u64);
        let next = range.start + part.len() as u64;
        Ok(Some((part, (context, caller, next..range.end))))
    })
}

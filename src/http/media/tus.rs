//! Uploads in parts that can be resumed: tus 1.0.0 core, creation, termination, expiration, checksum.
//!
//! The upload's name is the file's: the last part of its URL becomes the `fileUID` when its last byte came and it was
//! checked. What a lost connection brought stays; a client that comes back takes the pen from its own dead connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix_web::http::header::{self, HttpDate};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use encoding_rs::GBK;
use futures_util::StreamExt as _;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use super::pacer::paced;
use super::response::{refusal_response, text};
use super::uploads::{UploadQuery, body_error, owned_file};
use crate::actors::context::BrokerContext;
use crate::actors::files::upload::{Announced, Upload, UploadTerms};
use crate::actors::files::writing::{CannotWrite, LOCKED, Writing};
use crate::actors::media::uploads;
use crate::broker::Broker;
use crate::http::problem::problem;
use crate::model::{FileUid, Invalid, MediaKind, Refusal, UserId};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,termination,expiration,checksum";
const ALGORITHMS: &str = "sha1,sha256";
const RESUMABLE: &str = "Tus-Resumable";
const OFFSET: &str = "Upload-Offset";
const LENGTH: &str = "Upload-Length";
const EXPIRES: &str = "Upload-Expires";

/// Adds the protocol's version, which every answer names.
fn with_version(mut response: HttpResponse) -> HttpResponse {
    let value = header::HeaderValue::from_static(VERSION);
    response.headers_mut().insert(header::HeaderName::from_static("tus-resumable"), value);
    response
}

fn number(request: &HttpRequest, name: &str) -> Result<u64, Refusal> {
    let given = text(request, name).ok_or_else(|| Invalid::new(name, "is missing"))?;
    Ok(given.parse().map_err(|_| Invalid::new(name, "is not a number"))?)
}

fn wrong_version(request: &HttpRequest) -> Option<HttpResponse> {
    let other = text(request, RESUMABLE) != Some(VERSION);
    other.then(|| {
        let mut response = problem(StatusCode::PRECONDITION_FAILED, 6_000_001, "Tus-Resumable is not 1.0.0");
        let value = header::HeaderValue::from_static(VERSION);
        response.headers_mut().insert(header::HeaderName::from_static("tus-version"), value);
        response
    })
}

/// Answers `OPTIONS /media/tus`.
pub(super) async fn options(broker: web::Data<Broker>) -> HttpResponse {
    let limits = &broker.config().limits;
    let bytes_max = MediaKind::ALL.map(|kind| kind.bytes_max(limits)).into_iter().max().unwrap_or_default();
    let mut response = HttpResponse::NoContent();
    response
        .insert_header(("Tus-Version", VERSION))
        .insert_header(("Tus-Extension", EXTENSIONS))
        .insert_header(("Tus-Checksum-Algorithm", ALGORITHMS))
        .insert_header(("Tus-Max-Size", bytes_max.to_string()));
    with_version(response.finish())
}

/// Answers `POST /media/tus`.
pub(super) async fn create(broker: web::Data<Broker>, request: HttpRequest, asked: web::Query<UploadQuery>) -> HttpResponse {
    if let Some(other) = wrong_version(&request) {
        return with_version(other);
    }
    let created = async {
        let user = Caller::of_header(&broker, &request).await?.user;
        let length = number(&request, LENGTH)?;
        let given = metadata(text(&request, "Upload-Metadata").unwrap_or_default())?;
        let value = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let kind = UploadQuery::kind(asked.kind.as_deref().or(value("kind")))?;
        let keeps_original = UploadQuery::keeps_original(asked.original.as_deref().or(value("original")))?;
        let name = value("filename").unwrap_or_default().to_owned();
        let terms = UploadTerms { owner: user, kind, name, announced: Announced::Exactly(length), is_resumable: true, keeps_original };
        let upload = uploads::begin(&broker.context, terms).await?;
        if length == 0 {
            // Complete already: no part follows.
            uploads::finish(&broker.context, upload.clone()).await?;
        }
        Ok::<_, Refusal>(upload)
    };
    let response = match created.await {
        Ok(upload) => {
            let mut response = HttpResponse::Created();
            let place = format!("{}/{}", request.path().trim_end_matches('/'), upload.file);
            response.insert_header((header::LOCATION, place));
            add_expiry(&mut response, &broker.context, upload.has_begun()).finish()
        }
        Err(refusal) => refusal_response(&broker.context, &refusal),
    };
    with_version(response)
}

/// Reads pairs of a key and, behind a space, a value in base64, with commas between. A value that is no UTF-8 is read as GBK, in which
/// many systems still name their files, or else with marks in place of what cannot be read: it is not worth an upload.
fn metadata(given: &str) -> Result<Vec<(String, String)>, Invalid> {
    let wrong = || Invalid::new("Upload-Metadata", "is not pairs of a key and base64");
    let pair = |pair: &str| {
        let (key, value) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        let value = BASE64.decode(value.trim()).map_err(|_| wrong())?;
        Ok((key.to_owned(), String::from_utf8(value).unwrap_or_else(|error| repaired(error.as_bytes()))))
    };
    given.split(',').filter(|pair| !pair.trim().is_empty()).map(pair).collect()
}

fn repaired(bytes: &[u8]) -> String {
    match GBK.decode_without_bom_handling(bytes) {
        (text, false) => text.into_owned(),
        (_, true) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Says until when an upload waits for its next part; one of which no byte came waits less.
fn add_expiry<'a>(response: &'a mut HttpResponseBuilder, context: &BrokerContext, has_begun: bool) -> &'a mut HttpResponseBuilder {
    let media = &context.config().media;
    let seconds = if has_begun { media.unfinished_seconds } else { media.unbegun_seconds.min(media.unfinished_seconds) };
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(context.clock.wall_ms()) + Duration::from_secs(seconds);
    response.insert_header((EXPIRES, HttpDate::from(at).to_string()))
}

/// Answers `HEAD`, `PATCH` and `DELETE /media/tus/{fileUID}`.
pub(super) async fn resource(broker: web::Data<Broker>, request: HttpRequest, file: web::Path<String>, body: web::Payload) -> HttpResponse {
    // For clients behind what lets only GET and POST through.
    let method = match text(&request, "X-HTTP-Method-Override") {
        Some(method) => Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST),
        None => request.method().clone(),
    };
    if method == Method::OPTIONS {
        return options(broker).await;
    }
    if let Some(other) = wrong_version(&request) {
        return with_version(other);
    }
    let context = &broker.context;
    let response = match (Caller::of_header(&broker, &request).await, method) {
        (Err(refusal), _) => refusal_response(context, &refusal),
        (Ok(caller), Method::HEAD) => head(context, &caller.user, &file).await,
        (Ok(caller), Method::PATCH) => patch(context, caller, &file, &request, body).await,
        (Ok(caller), Method::DELETE) => match find(context, &caller.user, &file) {
            Some(upload) if upload.is_ending() => locked(uploads::ENDING),
            Some(upload) => {
                uploads::abandon(context, upload.file);
                HttpResponse::NoContent().finish()
            }
            None => refusal_response(context, &Refusal::FileMissing),
        },
        (Ok(_), _) => HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "HEAD, PATCH, DELETE, OPTIONS")).finish(),
    };
    with_version(response)
}

fn locked(reason: &'static str) -> HttpResponse {
    problem(StatusCode::LOCKED, crate::protocol::code_of(&Refusal::Busy(reason)), reason)
}

/// Finds an upload of this user's that is under way.
fn find(context: &BrokerContext, user: &UserId, file: &str) -> Option<Arc<Upload>> {
    uploads::find(context, FileUid::parse(file)?).filter(|upload| upload.owner == *user)
}

async fn head(context: &Arc<BrokerContext>, user: &UserId, file: &str) -> HttpResponse {
    let (offset, length, has_begun) = if let Some(upload) = find(context, user, file) {
        (upload.offset(), upload.bytes_max, upload.has_begun())
    } else {
        match owned_file(context, user, file).await {
            // Complete, and the client did not hear of it.
            Ok(record) => (record.uploaded(), record.uploaded(), true),
            Err(refusal) => return refusal_response(context, &refusal),
        }
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((OFFSET, offset.to_string()))
        .insert_header((LENGTH, length.to_string()))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    add_expiry(&mut response, context, has_begun).finish()
}

/// What a part must hash to.
enum Checksum {
    Sha1(Sha1, Vec<u8>),
    Sha256(Sha256, Vec<u8>),
}

impl Checksum {
    /// Reads the checksum of a part, if one is given.
    fn parse(given: Option<&str>) -> Result<Option<Self>, Invalid> {
        let Some(given) = given else { return Ok(None) };
        let wrong = || Invalid::new("Upload-Checksum", "is not sha1 or sha256 and a hash in base64");
        let (algorithm, hash) = given.split_once(' ').ok_or_else(wrong)?;
        let hash = BASE64.decode(hash.trim()).map_err(|_| wrong())?;
        Ok(Some(match algorithm {
            "sha1" => Self::Sha1(Sha1::new(), hash),
            "sha256" => Self::Sha256(Sha256::new(), hash),
            _ => return Err(wrong()),
        }))
    }

    fn add(&mut self, chunk: &[u8]) {
        match self {
            Self::Sha1(hasher, _) => hasher.update(chunk),
            Self::Sha256(hasher, _) => hasher.update(chunk),
        }
    }

    fn matches(self) -> bool {
        match self {
            Self::Sha1(hasher, hash) => hasher.finalize().as_slice() == hash,
            Self::Sha256(hasher, hash) => hasher.finalize().as_slice() == hash,
        }
    }
}

async fn patch(context: &Arc<BrokerContext>, caller: Caller, file: &str, request: &HttpRequest, body: web::Payload) -> HttpResponse {
    if text(request, "Content-Type") != Some("application/offset+octet-stream") {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, 6_000_001, "Content-Type is not application/offset+octet-stream");
    }
    let Some(upload) = find(context, &caller.user, file) else { return refusal_response(context, &Refusal::FileMissing) };
    let given = number(request, OFFSET).and_then(|offset| Ok((offset, Checksum::parse(text(request, "Upload-Checksum"))?)));
    let (offset, checksum) = match given {
        Ok(given) => given,
        Err(refusal) => return refusal_response(context, &refusal),
    };
    let mut writing = match Writing::at(&context.media, context.config(), &upload, offset, checksum.is_some()).await {
        Ok(_) if upload.is_ending() => return locked(uploads::ENDING),
        Ok(writing) => writing,
        Err(CannotWrite::OtherOffset(bytes)) => {
            let detail = format!("Upload-Offset is {offset}, the upload has {bytes} bytes");
            return problem(StatusCode::CONFLICT, 6_000_001, &detail);
        }
        Err(CannotWrite::Locked(reason)) => return locked(reason),
        Err(CannotWrite::Refused(refusal)) => return refusal_response(context, &refusal),
    };
    if let Err(response) = append_body(context, caller, &upload, &mut writing, checksum, body).await {
        return *response;
    }
    let bytes = writing.bytes();
    drop(writing);
    if bytes == upload.bytes_max
        && let Err(refusal) = uploads::finish(context, upload).await
    {
        return refusal_response(context, &refusal);
    }
    let mut response = HttpResponse::NoContent();
    response.insert_header((OFFSET, bytes.to_string()));
    add_expiry(&mut response, context, true).finish()
}

/// Writes what comes. What came before a connection was lost stays, unless the part was to be checked.
async fn append_body(
    context: &Arc<BrokerContext>,
    mut caller: Caller,
    upload: &Arc<Upload>,
    writing: &mut Writing,
    mut checksum: Option<Checksum>,
    body: web::Payload,
) -> Result<(), Box<HttpResponse>> {
    let mut body = paced(body, &context.config().media, context.clock.clone());
    let mut put_out = pin!(caller.put_out(context));
    let came = loop {
        let next = tokio::select! {
            biased;
            refusal = &mut put_out => break Err(refusal_response(context, &refusal)),
            next = body.next() => next.transpose(),
            () = upload.wanted() => break Err(locked(LOCKED)),
        };
        match next {
            Ok(None) => break Ok(()),
            Ok(Some(chunk)) => {
                if let Some(checksum) = &mut checksum {
                    checksum.add(&chunk);
                }
                if let Err(refusal) = writing.add(&chunk, context.clock.elapsed()).await {
                    break Err(refusal_response(context, &refusal));
                }
            }
            Err(broken) => break Err(body_error(&broken)),
        }
    };
    let is_checked = checksum.is_some();
    let wrong = came.is_ok() && checksum.is_some_and(|checksum| !checksum.matches());
    let settled = if wrong || (is_checked && came.is_err()) { writing.discard().await } else { writing.keep().await };
    settled.map_err(|refusal| Box::new(refusal_response(context, &refusal)))?;
    if wrong {
        let mismatch = StatusCode::from_u16(460).expect("460 is a status: checksum mismatch, by tus");
        return Err(Box::new(problem(mismatch, 6_000_001, "the part does not match its Upload-Checksum")));
    }
    came.map_err(Box::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_pairs_of_keys_and_base64() {
        let pairs = metadata("filename 5a2XLnBuZw==,kind aW1hZ2U=, empty").unwrap();
        let wanted = [("filename", "字.png"), ("kind", "image"), ("empty", "")];
        assert_eq!(pairs, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(metadata("filename !!!").is_err());
        // A name in GBK, and bytes that are a text in nothing.
        let pairs = metadata("filename sai45i5wbmc=,key /////w==").unwrap();
        assert_eq!(pairs[0].1, "报告.png");
        assert_eq!(pairs[1].1, "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}");
        assert_eq!(metadata("").unwrap(), []);
    }
}

//! A file in one request.

use std::pin::pin;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentDisposition, DispositionParam};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::caller::Caller;
use super::form::{Form, FormError};
use super::pacer::{BodyError, PacedBody, paced};
use super::response::{refusal_response, text};
use crate::actors::context::BrokerContext;
use crate::actors::files::upload::{Announced, Upload, UploadTerms};
use crate::actors::files::writing::Writing;
use crate::actors::media::uploads::{self, Abandon};
use crate::broker::Broker;
use crate::http::problem::problem;
use crate::model::{FileUid, Invalid, MediaKind, MediaRecord, Refusal, Rendition, UserId};
use crate::protocol::{media_path, media_record};

#[derive(Debug, Deserialize)]
pub(super) struct UploadQuery {
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) original: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

impl UploadQuery {
    /// Reads the kind of a file; without one it is `file`.
    pub(super) fn kind(kind: Option<&str>) -> Result<MediaKind, Invalid> {
        let Some(kind) = kind else { return Ok(MediaKind::File) };
        MediaKind::parse(kind).ok_or_else(|| Invalid::new("kind", "is none of image, file, audio, video"))
    }

    /// Reads whether a file is to be kept as it comes; without a word, what it says of its place goes.
    pub(super) fn keeps_original(original: Option<&str>) -> Result<bool, Invalid> {
        match original {
            None => Ok(false),
            Some("keep") => Ok(true),
            Some(_) => Err(Invalid::new("original", "is not keep")),
        }
    }
}

/// Why an upload was not kept.
enum UploadError {
    Refused(Refusal),
    Body(BodyError),
    NoFile,
}

impl From<FormError> for UploadError {
    fn from(error: FormError) -> Self {
        match error {
            FormError::NoFile => Self::NoFile,
            FormError::Body(broken) => Self::Body(broken),
            FormError::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl From<Refusal> for UploadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BodyError> for UploadError {
    fn from(broken: BodyError) -> Self {
        Self::Body(broken)
    }
}

impl UploadError {
    fn answer(&self, context: &BrokerContext) -> HttpResponse {
        match self {
            Self::Refused(refusal) => refusal_response(context, refusal),
            Self::Body(broken) => body_error(broken),
            Self::NoFile => problem(StatusCode::BAD_REQUEST, 6_000_211, "the form has no field `file` with a file"),
        }
    }
}

/// Makes the answer to a body that did not come to its end.
pub(super) fn body_error(broken: &BodyError) -> HttpResponse {
    match broken {
        BodyError::Slow => problem(StatusCode::REQUEST_TIMEOUT, 6_000_212, "the body comes too slowly; see media.bytes_per_second_min"),
        BodyError::Cut => problem(StatusCode::BAD_REQUEST, 6_000_001, "the body ended early"),
    }
}

/// Answers `POST /media/uploads?kind=image|file|audio|video&name=NAME&original=keep`.
pub(super) async fn upload(
    broker: web::Data<Broker>,
    request: HttpRequest,
    asked: web::Query<UploadQuery>,
    body: web::Payload,
) -> HttpResponse {
    let context = &broker.context;
    let outcome = async {
        let caller = Caller::of_header(&broker, &request).await?;
        let kind = UploadQuery::kind(asked.kind.as_deref()).map_err(Refusal::from)?;
        let config = context.config();
        let body = paced(body, &config.media, context.clock.clone());
        let kept = if is_form(&request) {
            let form = Form::new(&request, body, config.media.form_bytes_max);
            store_form(context, &request, caller, kind, &asked, form).await?
        } else {
            let name = asked.name.clone().or_else(|| named(&request)).unwrap_or_default();
            let announced = content_length(&request).map_or(Announced::Unknown, Announced::Exactly);
            let keeps_original = UploadQuery::keeps_original(asked.original.as_deref()).map_err(Refusal::from)?;
            let terms = UploadTerms { owner: caller.user.clone(), kind, name, announced, is_resumable: false, keeps_original };
            store_file(context, caller, terms, body).await?
        };
        Ok::<_, UploadError>(kept)
    };
    match outcome.await {
        Ok(record) => {
            // Below whatever path a host put the broker.
            let base = request.path().trim_end_matches("/media/uploads");
            let place = format!("{base}{}", media_path(record.file, Rendition::Original));
            HttpResponse::Created().insert_header((header::LOCATION, place)).json(media_record(&record))
        }
        Err(failed) => failed.answer(context),
    }
}

fn content_length(request: &HttpRequest) -> Option<u64> {
    text(request, header::CONTENT_LENGTH)?.parse().ok()
}

fn is_form(request: &HttpRequest) -> bool {
    let kind = text(request, header::CONTENT_TYPE).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

/// Returns the name in `Content-Disposition`.
fn named(request: &HttpRequest) -> Option<String> {
    name_in(&ContentDisposition::from_raw(request.headers().get(header::CONTENT_DISPOSITION)?).ok()?)
}

fn name_in(disposition: &ContentDisposition) -> Option<String> {
    let extended = disposition.parameters.iter().find_map(|parameter| match parameter {
        DispositionParam::FilenameExt(name) => String::from_utf8(name.value.clone()).ok(),
        _ => None,
    });
    extended.or_else(|| disposition.get_filename().map(ToOwned::to_owned))
}

async fn store_form(
    context: &Arc<BrokerContext>,
    request: &HttpRequest,
    mut caller: Caller,
    kind: MediaKind,
    asked: &UploadQuery,
    mut form: Form,
) -> Result<MediaRecord, UploadError> {
    let (field, disposition) = form.file().await?;
    let name = asked.name.clone().or_else(|| name_in(&disposition)).unwrap_or_default();
    // The length of a field is not told; the form's is a little more.
    let announced = content_length(request).map_or(Announced::Unknown, Announced::AtMost);
    let keeps_original = UploadQuery::keeps_original(asked.original.as_deref()).map_err(Refusal::from)?;
    let terms = UploadTerms { owner: caller.user.clone(), kind, name, announced, is_resumable: false, keeps_original };
    let upload = uploads::begin(context, terms).await?;
    let abandon = Abandon::unless_done(context, upload.file);
    let content = form.content(field);
    write_body(context, &mut caller, &upload, content).await?;
    tokio::select! {
        biased;
        outcome = form.end() => outcome?,
        refusal = caller.put_out(context) => return Err(refusal.into()),
    }
    abandon.done();
    Ok(uploads::finish(context, upload).await?)
}

async fn store_file(
    context: &Arc<BrokerContext>,
    mut caller: Caller,
    terms: UploadTerms,
    body: PacedBody,
) -> Result<MediaRecord, UploadError> {
    let upload = uploads::begin(context, terms).await?;
    let abandon = Abandon::unless_done(context, upload.file);
    write_body(context, &mut caller, &upload, body).await?;
    abandon.done();
    Ok(uploads::finish(context, upload).await?)
}

/// Writes a body to its end, for as long as its sender may.
async fn write_body(
    context: &Arc<BrokerContext>,
    caller: &mut Caller,
    upload: &Arc<Upload>,
    mut body: PacedBody,
) -> Result<(), UploadError> {
    let mut writing = Writing::begin(&context.media, context.config(), upload).await?;
    let mut put_out = pin!(caller.put_out(context));
    loop {
        let next = tokio::select! {
            biased;
            refusal = &mut put_out => return Err(refusal.into()),
            next = body.next() => next,
        };
        match next {
            Some(chunk) => writing.add(&chunk?, context.clock.elapsed()).await?,
            None => break,
        }
    }
    Ok(writing.keep().await?)
}

/// Answers `GET /media/uploads/{fileUID}`.
pub(super) async fn info(broker: web::Data<Broker>, request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    let found = async {
        let user = Caller::of_header(&broker, &request).await?.user;
        owned_file(&broker.context, &user, &file).await
    };
    match found.await {
        Ok(record) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(media_record(&record)),
        Err(refusal) => refusal_response(&broker.context, &refusal),
    }
}

/// Returns a complete file of this user's own.
pub(super) async fn owned_file(context: &BrokerContext, user: &UserId, file: &str) -> Result<MediaRecord, Refusal> {
    let file = FileUid::parse(file).ok_or(Refusal::FileMissing)?;
    if uploads::find(context, file).is_some_and(|upload| upload.owner == *user && upload.is_ending()) {
        return Err(Refusal::Busy(uploads::ENDING));
    }
    let record = context.archive.read(move |store| store.media(file)).await?;
    record.filter(|record| record.owner == *user).ok_or(Refusal::FileMissing)
}

/// Answers `PUT /media/{fileUID}/frame`.
pub(super) async fn frame(broker: web::Data<Broker>, request: HttpRequest, file: web::Path<String>, body: web::Payload) -> HttpResponse {
    let context = &broker.context;
    let outcome = async {
        let mut caller = Caller::of_header(&broker, &request).await?;
        let user = caller.user.clone();
        let body = paced(body, &context.config().media, context.clock.clone());
        let video = owned_file(context, &user, &file).await?.file;
        let announced = content_length(&request).map_or(Announced::Unknown, Announced::Exactly);
        let terms = UploadTerms {
            owner: user.clone(),
            kind: MediaKind::Image,
            name: String::new(),
            announced,
            is_resumable: false,
            keeps_original: false,
        };
        let picture = uploads::begin(context, terms).await?;
        let _abandon = Abandon::unless_done(context, picture.file);
        write_body(context, &mut caller, &picture, body).await?;
        Ok::<_, UploadError>(uploads::keep_frame(context, &user, video, picture).await?)
    };
    match outcome.await {
        Ok(record) => HttpResponse::Ok().json(media_record(&record)),
        Err(failed) => failed.answer(context),
    }
}

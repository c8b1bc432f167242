//! Forms: the one file that a form carries, and bounds for everything beside it.

use std::cell::Cell;
use std::rc::Rc;

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::ContentDisposition;
use actix_web::mime::{self, Mime};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use memchr::memmem;

use super::pacer::{BodyError, PacedBody};
use crate::model::{Invalid, Refusal};

/// The head of a part, bytes: what a browser writes is some 200.
const HEAD_BYTES_MAX: usize = 8192;

/// Why a form carries no file that can be taken.
#[derive(Debug)]
pub(super) enum FormError {
    /// It has no field `file`.
    NoFile,
    Body(BodyError),
    Refused(Refusal),
}

impl From<Invalid> for FormError {
    fn from(invalid: Invalid) -> Self {
        Self::Refused(invalid.into())
    }
}

/// A form while it comes.
pub(super) struct Form {
    fields: Multipart,
    /// Why its body ended, if it did not come to its end.
    broken: Rc<Cell<Option<BodyError>>>,
    /// What the other fields may still take, bytes.
    left: u64,
    bytes_max: u64,
    has_file: bool,
    has_other_file: bool,
}

impl Form {
    /// Reads a form of which all fields but the file have at most `bytes_max` bytes.
    pub(super) fn new(request: &HttpRequest, body: PacedBody, bytes_max: u64) -> Self {
        let broken = Rc::new(Cell::new(None));
        let boundary = boundary_of(request);
        let body = without_part_lengths(body, &boundary, broken.clone());
        let fields = Multipart::new(request.headers(), body);
        Self { fields, broken, left: bytes_max, bytes_max, has_file: false, has_other_file: false }
    }

    /// Returns the field `file`.
    ///
    /// # Errors
    /// [`FormError`], also where a file in another field came before it.
    pub(super) async fn file(&mut self) -> Result<(Field, ContentDisposition), FormError> {
        while let Some(field) = self.next().await? {
            let Some(disposition) = field.content_disposition().cloned() else { continue };
            if disposition.get_name() == Some("file") {
                self.has_file = true;
                return if self.has_other_file { Err(one_file_only("file").into()) } else { Ok((field, disposition)) };
            }
            self.skip(field).await?;
        }
        Err(FormError::NoFile)
    }

    /// Reads what comes behind the file, to the end.
    ///
    /// # Errors
    /// [`FormError`], also where another file comes.
    pub(super) async fn end(mut self) -> Result<(), FormError> {
        while let Some(field) = self.next().await? {
            if let Some(name) = field.name().filter(|name| *name == "file" || has_file(&field)) {
                return Err(one_file_only(name).into());
            }
            self.skip(field).await?;
        }
        Ok(())
    }

    /// Returns the bytes of a field.
    pub(super) fn content(&self, field: Field) -> PacedBody {
        let broken = self.broken.clone();
        Box::pin(field.map_err(move |_| broken.get().unwrap_or(BodyError::Cut)))
    }

    async fn next(&mut self) -> Result<Option<Field>, FormError> {
        let failed = match self.fields.try_next().await {
            Ok(field) => return Ok(field),
            Err(_) => self.broken.get(),
        };
        Err(match failed {
            Some(broken) => FormError::Body(broken),
            None if self.has_file => FormError::Body(BodyError::Cut),
            None => FormError::NoFile,
        })
    }

    /// Reads over a field that is not the file.
    async fn skip(&mut self, field: Field) -> Result<(), FormError> {
        let name = field.name().unwrap_or_default().to_owned();
        self.has_other_file |= has_file(&field);
        let mut content = self.content(field);
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(FormError::Body)?;
            self.left = self.left.checked_sub(chunk.len() as u64).ok_or_else(|| {
                let reason = format!("makes the fields beside `file` longer than {} bytes, the limit media.form_bytes_max", self.bytes_max);
                Invalid::new(format!("form field {:?}", name.chars().take(64).collect::<String>()), reason)
            })?;
        }
        Ok(())
    }
}

fn one_file_only(name: &str) -> Invalid {
    let name: String = name.chars().take(64).collect();
    Invalid::new(format!("form field {name:?}"), "is a second file: a form carries one")
}

fn has_file(field: &Field) -> bool {
    field.content_disposition().and_then(ContentDisposition::get_filename).is_some_and(|name| !name.is_empty())
}

fn boundary_of(request: &HttpRequest) -> String {
    let kind = super::response::text(request, "Content-Type").unwrap_or_default();
    let mime: Option<Mime> = kind.parse().ok();
    mime.and_then(|mime| Some(mime.get_param(mime::BOUNDARY)?.as_str().to_owned())).unwrap_or_default()
}

/// Takes `Content-Length` out of the heads of parts, which may not stand there and says nothing (RFC 7578, 4.8): the parser would
/// believe it, and drop what the part has more. `broken` is told why the body ended.
fn without_part_lengths(
    body: PacedBody,
    boundary: &str,
    broken: Rc<Cell<Option<BodyError>>>,
) -> impl Stream<Item = Result<Bytes, PayloadError>> + use<> {
    let heads = PartHeads::new(boundary);
    stream::try_unfold((Some(body), heads), move |(body, mut heads)| {
        let broken = broken.clone();
        async move {
            let Some(mut body) = body else { return Ok(None) };
            match body.next().await {
                Some(Ok(chunk)) => Ok(Some((heads.pass(&chunk)?, (Some(body), heads)))),
                Some(Err(error)) => {
                    broken.set(Some(error));
                    Err(PayloadError::Incomplete(None))
                }
                None => Ok(Some((heads.rest(), (None, heads)))),
            }
        }
    })
}

/// Follows a form as it passes, and changes nothing of it but the heads of its parts.
struct PartHeads {
    /// What stands before each part.
    delimiter: memmem::Finder<'static>,
    is_head: bool,
    held: BytesMut,
}

impl PartHeads {
    fn new(boundary: &str) -> Self {
        let delimiter = memmem::Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        // The first delimiter may stand at the very beginning; an empty line before it says nothing.
        Self { delimiter, is_head: false, held: BytesMut::from(&b"\r\n"[..]) }
    }

    /// Takes what came and returns what may go on.
    ///
    /// # Errors
    /// [`PayloadError::Overflow`]: a head is longer than it may be.
    fn pass(&mut self, chunk: &[u8]) -> Result<Bytes, PayloadError> {
        self.held.extend_from_slice(chunk);
        let mut passed = BytesMut::with_capacity(self.held.len());
        while let Some(part) = if self.is_head { self.head()? } else { self.content() } {
            passed.extend_from_slice(&part);
        }
        Ok(passed.freeze())
    }

    /// Returns what is held at the end.
    fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// Returns content, with the delimiter behind it where it has come; what may be the beginning of one stays.
    fn content(&mut self) -> Option<BytesMut> {
        let delimiter = self.delimiter.needle().len();
        let found = self.delimiter.find(&self.held).map(|at| at + delimiter);
        self.is_head = found.is_some();
        let end = found.unwrap_or_else(|| self.held.len().saturating_sub(delimiter - 1));
        (end > 0).then(|| self.held.split_to(end))
    }

    /// Returns the head of a part without its length, once all of it has come.
    fn head(&mut self) -> Result<Option<BytesMut>, PayloadError> {
        if self.held.starts_with(b"--") {
            // There is no more part.
            self.is_head = false;
            return Ok(Some(self.held.split_to(2)));
        }
        let Some(end) = memmem::find(&self.held, b"\r\n\r\n").map(|at| at + 4) else {
            return if self.held.len() > HEAD_BYTES_MAX { Err(PayloadError::Overflow) } else { Ok(None) };
        };
        self.is_head = false;
        let head = self.held.split_to(end);
        let mut kept = BytesMut::with_capacity(head.len());
        let name = b"content-length";
        let is_length = |line: &[u8]| {
            let line = line.trim_ascii_start();
            line.len() > name.len()
                && line[..name.len()].eq_ignore_ascii_case(name)
                && line[name.len()..].trim_ascii_start().starts_with(b":")
        };
        head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_length(line)).for_each(|line| kept.extend_from_slice(line));
        Ok(Some(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes a form on in pieces of a length.
    fn passed(form: &[u8], piece: usize) -> Vec<u8> {
        let mut heads = PartHeads::new("b-1");
        let mut passed = Vec::new();
        form.chunks(piece).for_each(|chunk| passed.extend_from_slice(&heads.pass(chunk).unwrap()));
        passed.extend_from_slice(&heads.rest());
        passed
    }

    #[test]
    fn only_the_lengths_in_heads_go_however_the_form_comes() {
        let form: &[u8] =
            b"--b-1\r\nContent-Disposition: form-data; name=\"a\"\r\ncontent-LENGTH : 3\r\n\r\nContent-Length: 7\r\n\r\n\r\n--b-\r\n\
            \r\n--b-1\r\n\r\n\r\n--b-1\r\nContent-Length: 0\r\nX: y\r\n\r\n\r\n--b-1--\r\nContent-Length: 9\r\n\r\n";
        let wanted: &[u8] = b"\r\n--b-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nContent-Length: 7\r\n\r\n\r\n--b-\r\n\
            \r\n--b-1\r\n\r\n\r\n--b-1\r\nX: y\r\n\r\n\r\n--b-1--\r\nContent-Length: 9\r\n\r\n";
        for piece in 1..=form.len() {
            assert_eq!(
                String::from_utf8(passed(form, piece)).unwrap(),
                String::from_utf8(wanted.to_vec()).unwrap(),
                "in pieces of {piece}"
            );
        }
    }

    #[test]
    fn a_head_without_an_end_is_refused_and_content_is_not_held() {
        let mut heads = PartHeads::new("b-1");
        assert_eq!(heads.pass(b"--b-1\r\n").unwrap(), &b"\r\n--b-1"[..]);
        assert!(heads.pass(&[b'x'; HEAD_BYTES_MAX]).is_err());
        let mut heads = PartHeads::new("b-1");
        assert!(heads.pass(b"--b-1\r\n\r\n").is_ok());
        assert!(heads.pass(&[b'\r'; 100_000]).unwrap().len() > 99_990);
    }
}

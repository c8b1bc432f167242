//! Bodies that are forms: URL-encoded, or in parts. They say the same as an object of JSON. Pure.

use actix_web::web::Query;

use super::codes::{Fault, code};

/// Returns the parameters of a query, in order.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, Fault> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    pairs.map(Query::into_inner).map_err(|error| Fault::new(code::INVALID, format!("the query is not understood: {error}")))
}

/// Returns the fields of a form, in order; none: the body is no form by its type.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn fields(content_type: &str, body: &[u8]) -> Option<Result<Vec<(String, String)>, String>> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    match kind.trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(body).map_err(|_| "is not UTF-8".to_owned());
            Some(text.and_then(|text| pairs(text.trim()).map_err(|fault| fault.message)))
        }
        "multipart/form-data" => Some(parts(parameters, body)),
        _ => None,
    }
}

/// Reads a form in parts. Source: RFC 7578. What stands before the first delimiter and behind the last one says nothing.
fn parts(parameters: &str, body: &[u8]) -> Result<Vec<(String, String)>, String> {
    let boundary = parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty() && boundary.len() <= 70);
    let delimiter = format!("--{}", boundary.ok_or("has no boundary of 1 to 70 bytes")?);
    let text = std::str::from_utf8(body).map_err(|_| "is not UTF-8".to_owned())?;
    let mut fields = Vec::new();
    let mut parts = text.split(delimiter.as_str()).skip(1);
    loop {
        let Some(part) = parts.next() else { return Err("does not end with its boundary".to_owned()) };
        if part.starts_with("--") {
            return Ok(fields);
        }
        let Some((head, value)) = part.trim_start_matches([' ', '\t']).strip_prefix("\r\n").and_then(|part| part.split_once("\r\n\r\n"))
        else {
            return Err("has a part without a head".to_owned());
        };
        let disposition = head.lines().filter_map(|line| line.split_once(':'));
        let disposition = disposition.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition")).map(|(_, value)| value);
        let name = disposition.into_iter().next().and_then(|value| parameter(value, "name"));
        let value = value.strip_suffix("\r\n").ok_or("has a part that does not end with a line")?;
        fields.push((name.ok_or("has a part without a name")?, value.to_owned()));
    }
}

/// Returns a parameter of a header, without its quotes.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    parameters.split(';').filter_map(|one| one.split_once('=')).find_map(|(name, value)| {
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_urlencoded_body_is_pairs() {
        let read = fields("application/x-www-form-urlencoded; charset=utf-8", b"A=1&B=x%20y+z&C%5B%5D=1").unwrap().unwrap();
        assert_eq!(read, [pair("A", "1"), pair("B", "x y z"), pair("C[]", "1")]);
        assert!(fields("application/json", b"{}").is_none() && fields("", b"").is_none());
        assert!(fields("application/x-www-form-urlencoded", b"\xff").unwrap().is_err());
    }

    #[test]
    fn a_body_in_parts_is_pairs_whatever_they_hold() {
        let body = "before\r\n--b\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\n1\r\n\r\n2\r\n--b\r\ncontent-disposition: form-data; \
                    name=\"U[]\"\r\nContent-Type: text/plain\r\n\r\n\r\n--b--\r\nbehind";
        let read = |kind: &str, body: &str| fields(kind, body.as_bytes()).unwrap();
        assert_eq!(read("multipart/form-data; boundary=b", body).unwrap(), [pair("A", "1\r\n\r\n2"), pair("U[]", "")]);
        assert_eq!(read("Multipart/Form-Data; boundary=\"b\"", "--b--").unwrap(), []);
        for (kind, body) in [
            ("multipart/form-data", "--b--"),
            ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\n1\r\n"),
            ("multipart/form-data; boundary=b", "--b\r\nX: y\r\n\r\n1\r\n--b--"),
            ("multipart/form-data; boundary=b", "--b\r\n1\r\n--b--"),
            ("multipart/form-data; boundary=b", ""),
        ] {
            assert!(read(kind, body).is_err(), "{body:?}");
        }
    }
}

//! What a call says: parameters of the query and of the body, looked up by name. Both count, the body first; names that no
//! action knows are passed over, as by the vendor.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::codes::Fault;
use super::form;

/// Makes values of pairs.
fn named<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, value) in pairs {
        match name.strip_suffix("[]") {
            None => {
                values.insert(name.clone(), value.clone().into());
            }
            Some(name) => {
                if let Value::Array(list) = values.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(value.clone().into());
                }
            }
        }
    }
    values
}

/// Named values: a call's, or those of an object inside one.
#[derive(Debug, Clone, Default)]
pub(super) struct Input {
    /// What stands before names in messages: `MessageBody.`
    path: String,
    values: Map<String, Value>,
}

impl Input {
    /// Reads a call's query and body; `X[]=a&X[]=b` is a list named `X`. A body that is a form by its type and no JSON object by its
    /// first byte is read as one: some programs send JSON without saying so.
    pub(super) fn of_call(pairs: &[(String, String)], content_type: &str, body: &[u8]) -> Result<Self, Fault> {
        // The query's Action names the call; a body may have one of its own.
        let mut values = named(pairs.iter().filter(|(name, _)| name != "Action"));
        let body = body.trim_ascii();
        if !body.is_empty() {
            let form = if body.starts_with(b"{") { None } else { form::fields(content_type, body) };
            if let Some(form) = form {
                values.extend(named(form.map_err(|reason| Fault::invalid("the body", &reason))?.iter()));
                return Ok(Self { path: String::new(), values });
            }
            match serde_json::from_slice(body) {
                Ok(Value::Object(body)) => values.extend(body),
                Ok(_) => return Err(Fault::invalid("the body", "is not a JSON object")),
                Err(error) => return Err(Fault::invalid("the body", &format!("is not JSON: {error}"))),
            }
        }
        Ok(Self { path: String::new(), values })
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    pub(super) fn wrong(&self, name: &str, reason: &str) -> Fault {
        Fault::invalid(&self.name(name), reason)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Returns a text that may be left out.
    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<&str>, Fault> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "is not a text")),
        }
    }

    /// Returns a text, an empty one where there is none.
    pub(super) fn text_or_empty(&self, name: &str) -> Result<&str, Fault> {
        Ok(self.maybe_text(name)?.unwrap_or_default())
    }

    /// Returns a text that must be there and not be empty.
    pub(super) fn text(&self, name: &str) -> Result<&str, Fault> {
        self.maybe_text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| self.wrong(name, "is missing"))
    }

    /// Returns a whole number, also one that is a text, as in a query; empty is none.
    pub(super) fn maybe_number(&self, name: &str) -> Result<Option<i64>, Fault> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_i64(),
        };
        number.map(Some).ok_or_else(|| self.wrong(name, "is not a whole number"))
    }

    pub(super) fn number(&self, name: &str) -> Result<i64, Fault> {
        self.maybe_number(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    /// Returns true or false, also for 1 and 0; false where there is none.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::Number(number)) if number.as_i64() == Some(0) => Ok(false),
            Some(Value::Number(number)) if number.as_i64() == Some(1) => Ok(true),
            Some(Value::String(text)) if matches!(text.as_str(), "0" | "false" | "") => Ok(false),
            Some(Value::String(text)) if matches!(text.as_str(), "1" | "true") => Ok(true),
            Some(_) => Err(self.wrong(name, "is not 0, 1, true or false")),
        }
    }

    /// Returns a list, also one that is JSON text, as in a form.
    fn list(&self, name: &str) -> Result<Cow<'_, [Value]>, Fault> {
        match self.value(name) {
            None => Ok(Cow::Borrowed(&[])),
            Some(Value::Array(list)) => Ok(Cow::Borrowed(list)),
            Some(Value::String(text)) => serde_json::from_str(text).map(Cow::Owned).map_err(|_| self.wrong(name, "is not a list")),
            Some(_) => Err(self.wrong(name, "is not a list")),
        }
    }

    /// Returns the objects under each name of an object.
    pub(super) fn entries(&self) -> Vec<(String, Self)> {
        let object = |(name, value): (&String, &Value)| {
            let values = if let Value::Object(values) = value { values.clone() } else { Map::new() };
            (name.clone(), Self { path: format!("{}{name}.", self.path), values })
        };
        self.values.iter().map(object).collect()
    }

    /// Returns the same with a value under another name, if it is there under this one and not under that.
    pub(super) fn renamed(&self, from: &str, to: &str) -> Self {
        let mut renamed = self.clone();
        if let Some(value) = self.value(from).filter(|_| !self.has(to)) {
            renamed.values.insert(to.to_owned(), value.clone());
        }
        renamed
    }

    /// Returns a list of texts, an empty one where there is none.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Fault> {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned).ok_or_else(|| self.wrong(name, "is not a list of texts"));
        self.list(name)?.iter().map(text).collect()
    }

    /// Returns a list of whole numbers, an empty one where there is none.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<i64>, Fault> {
        let number = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            value => value.as_i64(),
        };
        let wrong = || self.wrong(name, "is not a list of whole numbers");
        self.list(name)?.iter().map(|value| number(value).ok_or_else(wrong)).collect()
    }

    /// Returns a list of objects, an empty one where there is none.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, Fault> {
        let list = self.list(name)?;
        let list = list.iter().enumerate();
        list.map(|(n, value)| match value {
            Value::Object(values) => Ok(Self { path: format!("{}{name}[{n}].", self.path), values: values.clone() }),
            _ => Err(self.wrong(name, "is not a list of objects")),
        })
        .collect()
    }

    /// Returns an object, also one that is JSON text; an empty one where there is none.
    pub(super) fn object(&self, name: &str) -> Result<Self, Fault> {
        let values = match self.value(name) {
            None => Some(Map::new()),
            Some(Value::Object(values)) => Some(values.clone()),
            Some(Value::String(text)) => serde_json::from_str(text).ok(),
            Some(_) => None,
        };
        let path = format!("{}{name}.", self.path);
        values.map(|values| Self { path, values }).ok_or_else(|| self.wrong(name, "is not an object, nor the JSON text of one"))
    }
}

#[cfg(test)]
mod tests {
    use super::form::pairs;
    use super::*;

    #[test]
    fn a_query_and_a_body_say_the_same_and_the_body_wins() {
        let pairs = pairs("UserId[]=a&UserId[]=b%20c&Limit=5&Mode=&Action=X").unwrap();
        let input = Input::of_call(&pairs, "", br#"{"Action": 1, "IsBase64": 1, "M": {"a": "b"}, "N": "{\"a\":1}"}"#).unwrap();
        assert_eq!(input.texts("UserId").unwrap(), ["a", "b c"]);
        assert_eq!((input.maybe_number("Limit").unwrap(), input.maybe_number("Mode").unwrap()), (Some(5), None));
        assert_eq!((input.number("Action").unwrap(), input.flag("IsBase64").unwrap(), input.flag("No").unwrap()), (1, true, false));
        assert_eq!((input.object("M").unwrap().text("a").unwrap(), input.object("N").unwrap().number("a").unwrap()), ("b", 1));
        let wrong = input.object("M").unwrap().number("a").unwrap_err();
        assert_eq!((wrong.code, wrong.message.as_str()), (660_000_002, "M.a is not a whole number"));
        assert!(Input::of_call(&[], "", b"[]").is_err() && Input::of_call(&[], "", b"{").is_err());
        let form = br#"UserIds=%5B%22a%22%5D&Limit=5&M={"a":"b"}&L[]=x"#;
        let input = Input::of_call(&[], "application/x-www-form-urlencoded", form).unwrap();
        assert_eq!((input.texts("UserIds").unwrap(), input.texts("L").unwrap()), (vec!["a".to_owned()], vec!["x".to_owned()]));
        assert_eq!((input.number("Limit").unwrap(), input.object("M").unwrap().text("a").unwrap()), (5, "b"));
        let json = Input::of_call(&[], "application/x-www-form-urlencoded", br#"{"Limit": 5}"#).unwrap();
        assert_eq!(json.number("Limit").unwrap(), 5);
    }
}

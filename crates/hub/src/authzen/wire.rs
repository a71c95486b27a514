//! What comes over the wire: JSON objects of which only what is known is looked at, and that must be what they should be.

use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use bailiwick_engine::{AccessAsked, AskedAbout};
use serde_json::{Map, Value};

use super::answer::Refused;
use crate::{api::body, problem::Problem};

/// An object.
pub type Object = Map<String, Value>;

/// The body of a request: a JSON object, said to be JSON.
pub struct Body(pub Object);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(malformed("the body is not sent as `application/json`"));
        }
        let bytes = body::read(request).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(malformed("the body is no JSON object")),
            Err(error) => Err(malformed(format!("the body is no JSON: {error}"))),
        }
    }
}

/// A question that cannot be read.
pub fn malformed(detail: impl Into<String>) -> Refused {
    Problem::new(400, "request-malformed", detail).into()
}

/// The parts of a question, as far as they are there.
#[derive(Default, Clone)]
pub struct Parts {
    subject: Option<Object>,
    action: Option<Object>,
    resource: Option<Object>,
    context: Option<Object>,
}

impl Parts {
    /// Takes them out of an object.
    pub fn take(from: &mut Object) -> Result<Self, String> {
        Ok(Self {
            subject: object(from, "subject")?,
            action: object(from, "action")?,
            resource: object(from, "resource")?,
            context: object(from, "context")?,
        })
    }

    /// The same, with what is missing taken whole from elsewhere.
    pub fn or(self, defaults: &Self) -> Self {
        Self {
            subject: self.subject.or_else(|| defaults.subject.clone()),
            action: self.action.or_else(|| defaults.action.clone()),
            resource: self.resource.or_else(|| defaults.resource.clone()),
            context: self.context.or_else(|| defaults.context.clone()),
        }
    }

    /// The question: everything must be there.
    pub fn question(self) -> Result<AccessAsked, String> {
        Ok(AccessAsked {
            subject: self
                .subject
                .ok_or("`subject` is missing")
                .map_err(String::from)
                .and_then(|of| entity(of, "subject"))?,
            action: self.action.ok_or("`action` is missing").map_err(String::from).and_then(action)?,
            resource: self
                .resource
                .ok_or("`resource` is missing")
                .map_err(String::from)
                .and_then(|of| entity(of, "resource"))?,
            context: self.context.unwrap_or_default(),
        })
    }

    /// What is searched by; of `sought` the id, or the whole action, is not looked at.
    pub fn search(mut self, sought: Sought) -> Result<AccessAsked, String> {
        let blank = |of: &mut Option<Object>| {
            if let Some(of) = of {
                of.insert("id".into(), Value::String(String::new()));
            }
        };
        match sought {
            Sought::Subject => blank(&mut self.subject),
            Sought::Resource => blank(&mut self.resource),
            Sought::Action => {
                self.action = Some(Object::from_iter([("name".to_owned(), Value::String(String::new()))]));
            }
        }
        self.question()
    }
}

/// What a search is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// Subjects.
    Subject,
    /// Resources.
    Resource,
    /// Actions.
    Action,
}

/// The object under a key, if there is one; nothing is as good as null.
pub fn object(from: &mut Object, key: &str) -> Result<Option<Object>, String> {
    match from.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(format!("`{key}` is no object")),
    }
}

fn text(from: &mut Object, key: &str, of: &str) -> Result<String, String> {
    match from.remove(key) {
        Some(Value::String(text)) => Ok(text),
        None => Err(format!("`{of}` has no `{key}`")),
        Some(_) => Err(format!("`{key}` of `{of}` is no text")),
    }
}

fn entity(mut from: Object, of: &str) -> Result<AskedAbout, String> {
    Ok(AskedAbout {
        kind: text(&mut from, "type", of)?,
        id: text(&mut from, "id", of)?,
        properties: object(&mut from, "properties")?.unwrap_or_default(),
    })
}

fn action(mut from: Object) -> Result<(String, Object), String> {
    Ok((text(&mut from, "name", "action")?, object(&mut from, "properties")?.unwrap_or_default()))
}

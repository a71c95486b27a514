//! What a handler takes and gives, read off its signature: an operation cannot be described otherwise than it is.

use axum::{Json, extract::State};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    Hub,
    answer::{ApiError, Body, Created, Done, Pack, Params, Raw, Segment, ShownOnce, Text},
    caller::Caller,
};

/// Where the description keeps schemas.
pub const SCHEMAS: &str = "/components/schemas";

/// What is told of one operation; the generators collect the schemas of all.
pub struct Shape {
    /// Makes schemas of what is read.
    pub taken: SchemaGenerator,
    /// Makes schemas of what is written.
    pub given: SchemaGenerator,
    /// The types of the parts of the path, in order.
    pub segments: Vec<Value>,
    /// The parameters of the query: name, schema, whether it must be there.
    pub query: Vec<(String, Value, bool)>,
    /// What the body is.
    pub body: Option<Content>,
    /// What is answered with.
    pub answer: Option<(u16, Option<Content>)>,
    /// Whether it takes a token.
    pub token: bool,
    /// Whether the answer holds a secret that is shown this once.
    pub once: bool,
}

/// A body.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Its media type.
    pub media: &'static str,
    /// Its schema.
    pub schema: Value,
    /// Whether it must be there.
    pub required: bool,
}

impl Shape {
    /// Nothing told yet.
    pub fn new() -> Self {
        let settings =
            || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS.into());
        Self {
            taken: settings().for_deserialize().into_generator(),
            given: settings().for_serialize().into_generator(),
            segments: Vec::new(),
            query: Vec::new(),
            body: None,
            answer: None,
            token: false,
            once: false,
        }
    }

    /// Forgets what was told of the last operation, and keeps the schemas.
    pub fn next(&mut self) {
        (self.segments, self.query) = (Vec::new(), Vec::new());
        (self.body, self.answer, self.token, self.once) = (None, None, false, false);
    }

    fn gives<T: JsonSchema>(&mut self, status: u16) {
        let schema = self.given.subschema_for::<T>().to_value();
        self.answer = Some((status, Some(Content { media: "application/json", schema, required: true })));
    }
}

/// An argument of a handler.
pub trait Takes {
    /// Tells it.
    fn tell(shape: &mut Shape);
}

/// What a handler gives back.
pub trait Gives {
    /// Tells it.
    fn tell(shape: &mut Shape);
}

/// A handler with the arguments `A`.
pub trait Signature<A> {
    /// Tells what it takes and gives.
    fn tell(shape: &mut Shape);
}

macro_rules! signatures {
    ($([$($argument:ident),*])*) => {$(
        impl<F, Fut, R, $($argument),*> Signature<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut,
            Fut: Future<Output = R>,
            R: Gives,
            $($argument: Takes,)*
        {
            fn tell(shape: &mut Shape) {
                $($argument::tell(shape);)*
                R::tell(shape);
            }
        }
    )*};
}

signatures! { [A] [A, B] [A, B, C] [A, B, C, D] [A, B, C, D, E] }

impl Takes for State<Hub> {
    fn tell(_: &mut Shape) {}
}

impl Takes for Caller {
    fn tell(shape: &mut Shape) {
        shape.token = true;
    }
}

impl<T: JsonSchema> Takes for Segment<T> {
    fn tell(shape: &mut Shape) {
        let schema = shape.taken.subschema_for::<T>().to_value();
        match schema.get("prefixItems").and_then(Value::as_array) {
            Some(items) => shape.segments.extend(items.iter().cloned()),
            None => shape.segments.push(schema),
        }
    }
}

impl<T: JsonSchema> Takes for Params<T> {
    fn tell(shape: &mut Shape) {
        let schema = T::json_schema(&mut shape.taken).to_value();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        for (name, property) in properties {
            let must = required.contains(&name.as_str());
            shape.query.push((name, without_null(property), must));
        }
    }
}

impl<T: JsonSchema> Takes for Body<T> {
    fn tell(shape: &mut Shape) {
        let schema = shape.taken.subschema_for::<T>().to_value();
        shape.body = Some(Content { media: "application/json", schema, required: true });
    }
}

impl Takes for Raw {
    fn tell(shape: &mut Shape) {
        // Bytes have no schema in OpenAPI 3.1.
        shape.body = Some(Content { media: "application/octet-stream", schema: json!({}), required: false });
    }
}

impl<T: Gives> Gives for Result<T, ApiError> {
    fn tell(shape: &mut Shape) {
        T::tell(shape);
    }
}

impl<T: JsonSchema> Gives for Json<T> {
    fn tell(shape: &mut Shape) {
        shape.gives::<T>(200);
    }
}

impl<T: JsonSchema> Gives for ShownOnce<T> {
    fn tell(shape: &mut Shape) {
        shape.gives::<T>(200);
        shape.once = true;
    }
}

impl<T: Gives> Gives for Created<T> {
    fn tell(shape: &mut Shape) {
        T::tell(shape);
        if let Some((status, _)) = &mut shape.answer {
            *status = 201;
        }
    }
}

impl Gives for Done {
    fn tell(shape: &mut Shape) {
        shape.answer = Some((204, None));
    }
}

impl Gives for Text {
    fn tell(shape: &mut Shape) {
        let schema = json!({ "type": "string" });
        shape.answer = Some((200, Some(Content { media: "text/plain", schema, required: true })));
    }
}

impl Gives for Pack {
    fn tell(shape: &mut Shape) {
        shape.answer =
            Some((200, Some(Content { media: "application/jsonl", schema: json!({}), required: true })));
    }
}

/// A schema without `null`: in a query, what is not there is left out.
fn without_null(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|one| one.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = any.as_slice() {
            let only: Map<String, Value> = only.clone();
            schema.remove("anyOf");
            schema.extend(only);
        }
    }
    schema.remove("default");
    Value::Object(schema)
}

//! Filters (RFC 7644 §3.4.2.2): parsed once against the schema, then evaluated on anything that has attributes.
//!
//! All operators of the RFC are there. A filter that does not parse, names an unknown attribute or compares what cannot
//! be compared is refused as `invalidFilter`; it never just matches nothing.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::{Map, Value};

use super::{
    path::{Place, Scope},
    schema::Kind,
};
use crate::refusal::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Present(Place),
    Compare(Place, Operator, Value),
    /// Some element of a multi-valued attribute matches.
    Element(Place, Box<Filter>),
}

/// Something that a filter can be evaluated on.
pub(crate) trait Source {
    /// The value of a top-level attribute, or of an attribute of an extension, by canonical name.
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>>;
}

impl Source for Map<String, Value> {
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>> {
        match extension {
            Some(urn) => self.get(urn)?.get(name).map(Cow::Borrowed),
            None => self.get(name).map(Cow::Borrowed),
        }
    }
}

impl Filter {
    /// Parses a filter whose names are relative to `scope`.
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Filter, Refusal> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let filter = parser.or(scope)?;
        parser.space();
        match parser.rest() {
            "" => Ok(filter),
            _ => Err(parser.expected("the end, `and` or `or`")),
        }
    }

    /// Whether the filter holds for a source.
    pub(crate) fn matches(&self, source: &dyn Source) -> bool {
        match self {
            Filter::And(a, b) => a.matches(source) && b.matches(source),
            Filter::Or(a, b) => a.matches(source) || b.matches(source),
            Filter::Not(inner) => !inner.matches(source),
            Filter::Present(place) => values(place, source).iter().any(|value| !is_empty(value)),
            Filter::Compare(place, Operator::Eq, Value::Null) => values(place, source).is_empty(),
            Filter::Compare(place, Operator::Ne, Value::Null) => !values(place, source).is_empty(),
            Filter::Compare(place, Operator::Ne, operand) => {
                !values(place, source).iter().any(|value| holds(place, Operator::Eq, value, operand))
            }
            Filter::Compare(place, operator, operand) => {
                values(place, source).iter().any(|value| holds(place, *operator, value, operand))
            }
            Filter::Element(place, inner) => {
                let Some(attribute) = place.attribute else { return false };
                let value = source.attribute(place.extension, attribute.name);
                let elements = value.as_deref().and_then(Value::as_array);
                elements
                    .into_iter()
                    .flatten()
                    .any(|element| element.as_object().is_some_and(|element| inner.matches(element)))
            }
        }
    }

    /// A value that this attribute must equal wherever the filter holds, to look up instead of scanning.
    pub(crate) fn pin(&self, attribute: &str, part: Option<&str>) -> Option<&str> {
        match self {
            Filter::And(a, b) => a.pin(attribute, part).or_else(|| b.pin(attribute, part)),
            Filter::Compare(place, Operator::Eq, Value::String(operand)) => {
                let same = place.extension.is_none()
                    && place.attribute.is_some_and(|at| at.name == attribute)
                    && part.is_none_or(|part| place.compared().is_some_and(|at| at.name == part));
                same.then_some(operand.as_str())
            }
            Filter::Element(place, inner) if place.attribute.is_some_and(|at| at.name == attribute) => {
                inner.pin(part?, None)
            }
            _ => None,
        }
    }
}

fn values<'a>(place: &Place, source: &'a dyn Source) -> Vec<Cow<'a, Value>> {
    let Some(attribute) = place.attribute else { return Vec::new() };
    let Some(value) = source.attribute(place.extension, attribute.name) else { return Vec::new() };
    let part = match place.part {
        Some(part) => Some(part.name),
        None if attribute.many => Some("value"),
        None => None,
    };
    let Some(part) = part else { return vec![value] };
    match value {
        Cow::Borrowed(Value::Array(all)) => {
            all.iter().filter_map(|e| e.get(part)).map(Cow::Borrowed).collect()
        }
        Cow::Borrowed(one) => one.get(part).map(Cow::Borrowed).into_iter().collect(),
        Cow::Owned(Value::Array(all)) => {
            all.iter().filter_map(|e| e.get(part)).cloned().map(Cow::Owned).collect()
        }
        Cow::Owned(one) => one.get(part).cloned().map(Cow::Owned).into_iter().collect(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn holds(place: &Place, operator: Operator, value: &Value, operand: &Value) -> bool {
    let Some(compared) = place.compared() else { return false };
    match (value, operand) {
        (Value::Bool(a), Value::Bool(b)) => operator == Operator::Eq && a == b,
        (Value::String(a), Value::String(b)) if compared.kind == Kind::Instant => {
            match (a.parse::<jiff::Timestamp>(), b.parse::<jiff::Timestamp>()) {
                (Ok(a), Ok(b)) => ordered(operator, a.cmp(&b)),
                _ => false,
            }
        }
        (Value::String(a), Value::String(b)) if compared.case_exact => text_holds(operator, a, b),
        (Value::String(a), Value::String(b)) => text_holds(operator, &a.to_lowercase(), &b.to_lowercase()),
        _ => false,
    }
}

fn text_holds(operator: Operator, a: &str, b: &str) -> bool {
    match operator {
        Operator::Co => a.contains(b),
        Operator::Sw => a.starts_with(b),
        Operator::Ew => a.ends_with(b),
        _ => ordered(operator, a.cmp(b)),
    }
}

fn ordered(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

/// Deeper filters are refused, so that a hostile one cannot exhaust the stack.
const MAX_DEPTH: usize = 32;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn expected(&self, what: &str) -> Refusal {
        Refusal::InvalidFilter(format!("filter `{}`: expected {what} at byte {}", self.text, self.at))
    }

    /// Takes a keyword that ends at a word boundary; keywords compare without case.
    fn keyword(&mut self, word: &str) -> bool {
        self.space();
        let rest = self.rest();
        let found = rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(|c: char| c.is_alphanumeric() || "_-.:$[".contains(c));
        if found {
            self.at += word.len();
        }
        found
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.space();
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len_utf8();
        }
        found
    }

    fn or(&mut self, scope: Scope) -> Result<Filter, Refusal> {
        let mut filter = self.and(scope)?;
        while self.keyword("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.and(scope)?));
        }
        Ok(filter)
    }

    fn and(&mut self, scope: Scope) -> Result<Filter, Refusal> {
        let mut filter = self.term(scope)?;
        while self.keyword("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.term(scope)?));
        }
        Ok(filter)
    }

    fn term(&mut self, scope: Scope) -> Result<Filter, Refusal> {
        if self.keyword("not") {
            if !self.symbol('(') {
                return Err(self.expected("`(` after `not`"));
            }
            return Ok(Filter::Not(Box::new(self.group(scope, ')')?)));
        }
        if self.symbol('(') {
            return self.group(scope, ')');
        }
        self.expression(scope)
    }

    fn group(&mut self, scope: Scope, close: char) -> Result<Filter, Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.expected("less nesting"));
        }
        let filter = self.or(scope)?;
        self.depth -= 1;
        match self.symbol(close) {
            true => Ok(filter),
            false => Err(self.expected(&format!("`{close}`"))),
        }
    }

    fn expression(&mut self, scope: Scope) -> Result<Filter, Refusal> {
        let place = self.place(scope)?;
        if let Some(attribute) = place.attribute.filter(|_| self.rest().starts_with('[')) {
            if !attribute.many || place.part.is_some() {
                return Err(self.expected("an operator, for this attribute has no elements"));
            }
            self.symbol('[');
            return Ok(Filter::Element(place, Box::new(self.group(Scope::Element(attribute), ']')?)));
        }
        if self.keyword("pr") {
            return Ok(Filter::Present(place));
        }
        let operator = self.operator()?;
        let operand = self.operand()?;
        self.check(&place, operator, &operand)?;
        Ok(Filter::Compare(place, operator, operand))
    }

    fn place(&mut self, scope: Scope) -> Result<Place, Refusal> {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_-.:$".contains(c))).unwrap_or(rest.len());
        let name = &rest[..end];
        let place = scope.resolve(name).ok_or_else(|| match name {
            "" => self.expected("an attribute"),
            _ => Refusal::InvalidFilter(format!("filter `{}`: no attribute `{name}`", self.text)),
        })?;
        self.at += end;
        Ok(place)
    }

    fn operator(&mut self) -> Result<Operator, Refusal> {
        const OPERATORS: [(&str, Operator); 9] = [
            ("eq", Operator::Eq),
            ("ne", Operator::Ne),
            ("co", Operator::Co),
            ("sw", Operator::Sw),
            ("ew", Operator::Ew),
            ("gt", Operator::Gt),
            ("ge", Operator::Ge),
            ("lt", Operator::Lt),
            ("le", Operator::Le),
        ];
        let found = OPERATORS.into_iter().find(|(word, _)| self.keyword(word));
        found.map(|(_, operator)| operator).ok_or_else(|| self.expected("an operator"))
    }

    fn operand(&mut self) -> Result<Value, Refusal> {
        for (word, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.keyword(word) {
                return Ok(value);
            }
        }
        let mut stream = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value @ (Value::String(_) | Value::Number(_)))) => {
                self.at += stream.byte_offset();
                Ok(value)
            }
            _ => Err(self.expected("a JSON value")),
        }
    }

    fn check(&self, place: &Place, operator: Operator, operand: &Value) -> Result<(), Refusal> {
        let equality = matches!(operator, Operator::Eq | Operator::Ne);
        let fits = match (place.compared().map(|attribute| attribute.kind), operand) {
            (Some(_), Value::Null) => equality,
            (Some(Kind::Flag), Value::Bool(_)) => equality,
            (Some(Kind::Text | Kind::Reference), Value::String(_)) => true,
            (Some(Kind::Instant), Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
            _ => false,
        };
        fits.then_some(()).ok_or_else(|| self.expected("a value that this attribute compares with"))
    }
}

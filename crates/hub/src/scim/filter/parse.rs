//! Reads filters: `or` binds less than `and`, `and` less than `not` (RFC 7644 §3.4.2.2, figure 1). Recursive descent, as
//! deep as is allowed and no deeper.

use super::{Filter, Literal, Operator};
use crate::scim::{
    fault::{Fault, Result, Wrong},
    path::{Place, shown},
    schema::{Attribute, Kind, Schemas},
};

/// The longest filter, bytes.
const LONGEST: usize = 4_096;
/// How deep brackets may be nested.
const DEEPEST: usize = 24;
/// How many comparisons there may be.
const MOST: usize = 64;

/// Reads a filter on resources.
///
/// # Errors
/// `invalidFilter`.
pub fn parse<'s>(text: &str, schemas: &'s Schemas) -> Result<Filter<'s>> {
    Reader::new(text, Names::Resource(schemas))?.whole()
}

/// Reads a filter on the values of one attribute: what stands in brackets after it.
///
/// # Errors
/// `invalidFilter`.
pub fn parse_values<'s>(text: &str, of: &'s Attribute) -> Result<Filter<'s>> {
    Reader::new(text, Names::Values(of))?.whole()
}

/// What names mean.
#[derive(Clone, Copy)]
enum Names<'s> {
    Resource(&'s Schemas),
    Values(&'s Attribute),
}

struct Reader<'t, 's> {
    rest: &'t str,
    names: Names<'s>,
    depth: usize,
    count: usize,
}

fn wrong(why: impl Into<String>) -> Fault {
    Fault::new(Wrong::Filter, why)
}

impl<'t, 's> Reader<'t, 's> {
    fn new(text: &'t str, names: Names<'s>) -> Result<Self> {
        match text.len() > LONGEST {
            true => Err(wrong(format!("the filter has more than {LONGEST} bytes"))),
            false => Ok(Self { rest: text, names, depth: 0, count: 0 }),
        }
    }

    fn whole(mut self) -> Result<Filter<'s>> {
        let filter = self.any()?;
        match self.peek() {
            "" => Ok(filter),
            rest => Err(wrong(format!("`{}` follows after the filter", shown(rest)))),
        }
    }

    fn peek(&mut self) -> &'t str {
        self.rest = self.rest.trim_start_matches(' ');
        self.rest
    }

    /// Takes a symbol, if it is next.
    fn symbol(&mut self, symbol: char) -> bool {
        let found = self.peek().strip_prefix(symbol);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// Takes a word, if it is next, whatever its case, and not the beginning of a longer one.
    fn word(&mut self, word: &str) -> bool {
        let Some((start, rest)) = self.peek().split_at_checked(word.len()) else { return false };
        let ends = rest.is_empty() || rest.starts_with([' ', '(', ')', '[', ']']);
        let found = ends && start.eq_ignore_ascii_case(word);
        if found {
            self.rest = rest;
        }
        found
    }

    fn any(&mut self) -> Result<Filter<'s>> {
        let mut left = self.all()?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Filter<'s>> {
        let mut left = self.one()?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Filter<'s>> {
        if self.word("not") {
            // The grammar has brackets after it, and everybody writes them.
            if !self.symbol('(') {
                return Err(wrong("`not` is followed by `(`"));
            }
            return Ok(Filter::Not(Box::new(self.within(')')?)));
        }
        if self.symbol('(') {
            return self.within(')');
        }
        self.comparison()
    }

    /// What stands in brackets, of which the first is taken.
    fn within(&mut self, end: char) -> Result<Filter<'s>> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(wrong(format!("the filter is nested deeper than {DEEPEST} levels")));
        }
        let inner = self.any()?;
        self.depth -= 1;
        if self.symbol(end) { Ok(inner) } else { Err(wrong(format!("a `{end}` is missing"))) }
    }

    fn comparison(&mut self) -> Result<Filter<'s>> {
        self.count += 1;
        if self.count > MOST {
            return Err(wrong(format!("the filter has more than {MOST} comparisons")));
        }
        let place = self.place()?;
        if self.rest.starts_with('[') {
            return self.values_of(place);
        }
        if self.word("pr") {
            return Ok(Filter::Present(place));
        }
        let operator = self.operator()?;
        let literal = self.literal()?;
        comparable(place, operator, literal)
    }

    fn values_of(&mut self, place: Place<'s>) -> Result<Filter<'s>> {
        let within_values = matches!(self.names, Names::Values(_));
        if place.part.is_some() || place.attribute.parts().is_empty() || within_values {
            return Err(wrong(format!("`{}` has no values to be picked from", place.attribute.name)));
        }
        self.symbol('[');
        let outer = std::mem::replace(&mut self.names, Names::Values(place.attribute));
        let inner = self.within(']')?;
        self.names = outer;
        Ok(Filter::Some(place, Box::new(inner)))
    }

    fn place(&mut self) -> Result<Place<'s>> {
        let text = self.peek();
        let end = text.find([' ', '(', ')', '[', ']', '"']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        self.rest = rest;
        let found = match self.names {
            Names::Resource(schemas) => Place::parse(name, schemas),
            Names::Values(of) => {
                of.part(name).map(|attribute| Place { extension: None, attribute, part: None })
            }
        };
        found.ok_or_else(|| wrong(format!("there is no attribute `{}` here", shown(name))))
    }

    fn operator(&mut self) -> Result<Operator> {
        let all = [
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
        let found = all.into_iter().find(|(word, _)| self.word(word));
        let rest = shown(self.peek());
        found.map(|(_, operator)| operator).ok_or_else(|| wrong(format!("no operator where `{rest}` stands")))
    }

    fn literal(&mut self) -> Result<Literal> {
        for (word, literal) in
            [("true", Literal::Flag(true)), ("false", Literal::Flag(false)), ("null", Literal::Null)]
        {
            if self.word(word) {
                return Ok(literal);
            }
        }
        let text = self.peek();
        if text.starts_with('"') {
            let mut reader = serde_json::Deserializer::from_str(text).into_iter::<String>();
            let read = reader.next().and_then(std::result::Result::ok);
            let read = read.ok_or_else(|| wrong("a text does not end, or is not as in JSON"))?;
            self.rest = text.get(reader.byte_offset()..).unwrap_or_default();
            return Ok(Literal::Text(read));
        }
        let end = text.find([' ', ')', ']']).unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        self.rest = rest;
        let read = number.parse().map(Literal::Number);
        read.map_err(|_| wrong(format!("`{}` is no value: texts stand in quotes", shown(number))))
    }
}

/// The comparison, if it says something about its attribute. A text that says `true` or `false` is a flag to a flag.
fn comparable<'s>(place: Place<'s>, operator: Operator, literal: Literal) -> Result<Filter<'s>> {
    let leaf = place.leaf();
    let orders = match operator {
        Operator::Eq | Operator::Ne => false,
        Operator::Co
        | Operator::Sw
        | Operator::Ew
        | Operator::Gt
        | Operator::Ge
        | Operator::Lt
        | Operator::Le => true,
    };
    let wrong = |why: &str| Err(wrong(format!("`{}` {why}", leaf.name)));
    let literal = match (&leaf.kind, literal) {
        (Kind::Flag, Literal::Text(text)) if text.eq_ignore_ascii_case("true") => Literal::Flag(true),
        (Kind::Flag, Literal::Text(text)) if text.eq_ignore_ascii_case("false") => Literal::Flag(false),
        (_, literal) => literal,
    };
    match (&leaf.kind, &literal) {
        (Kind::Complex(_), _) => return wrong("has parts; compare one of them"),
        (Kind::Flag, _) if orders => return wrong("can be compared with `eq` and `ne` only"),
        (_, Literal::Null | Literal::Flag(_)) if orders => return wrong("has no order with such a value"),
        (Kind::Instant, Literal::Text(text)) if text.parse::<jiff::Timestamp>().is_err() => {
            return wrong("is compared with an instant such as `2026-11-21T08:00:00Z`");
        }
        (
            Kind::Text | Kind::Flag | Kind::Instant | Kind::Reference(_),
            Literal::Text(_) | Literal::Number(_) | Literal::Flag(_) | Literal::Null,
        ) => {}
    }
    Ok(Filter::Compare(place, operator, literal))
}

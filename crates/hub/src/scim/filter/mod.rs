//! Filters (RFC 7644 §3.4.2.2) as values. What they name is known when they are read: a name that nothing has, and an
//! operator that says nothing about its attribute, are refused then.

mod holds;
mod parse;

pub use self::{
    holds::folded,
    parse::{parse, parse_values},
};
use super::path::Place;

/// A condition on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter<'s> {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// `pr`: there is a value.
    Present(Place<'s>),
    Compare(Place<'s>, Operator, Literal),
    /// `emails[…]`: some value of the attribute is so.
    Some(Place<'s>, Box<Self>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
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

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    Text(String),
    Number(i64),
    Flag(bool),
    Null,
}

impl Filter<'_> {
    /// The texts with which an attribute is compared by `eq` so that nothing else can be found, if that is so.
    pub fn pins(&self, attribute: &str) -> Option<&str> {
        match self {
            Self::Compare(place, Operator::Eq, Literal::Text(text))
                if place.extension.is_none() && place.part.is_none() && place.attribute.name == attribute =>
            {
                Some(text)
            }
            Self::And(left, right) => left.pins(attribute).or_else(|| right.pins(attribute)),
            Self::Or(..) | Self::Not(_) | Self::Present(_) | Self::Compare(..) | Self::Some(..) => None,
        }
    }

    /// Every comparison on an attribute of the resource's own; `None` stands for what is no comparison by `eq` with a
    /// text. What stands in brackets after the attribute is one of its comparisons.
    pub fn comparisons<'f>(&'f self, attribute: &str, out: &mut Vec<Option<&'f str>>) {
        let is = |place: &Place<'_>| place.extension.is_none() && place.attribute.name == attribute;
        let text = |place: &Place<'_>, operator: Operator, literal: &'f Literal| match literal {
            Literal::Text(text) if operator == Operator::Eq && place.leaf().name == "value" => {
                Some(text.as_str())
            }
            Literal::Text(_) | Literal::Number(_) | Literal::Flag(_) | Literal::Null => None,
        };
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.comparisons(attribute, out);
                right.comparisons(attribute, out);
            }
            Self::Not(inner) => inner.comparisons(attribute, out),
            Self::Present(place) if is(place) => out.push(None),
            Self::Compare(place, operator, literal) if is(place) => out.push(text(place, *operator, literal)),
            Self::Some(place, inner) if is(place) => match &**inner {
                Self::Compare(part, operator, literal) => out.push(text(part, *operator, literal)),
                Self::And(..) | Self::Or(..) | Self::Not(_) | Self::Present(_) | Self::Some(..) => {
                    out.push(None);
                }
            },
            Self::Present(_) | Self::Compare(..) | Self::Some(..) => {}
        }
    }
}

#[cfg(test)]
mod tests;

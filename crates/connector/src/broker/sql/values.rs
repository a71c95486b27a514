//! What is bound to a statement, and what comes back.

use std::sync::Arc;

use bailiwick_core::{digest::Digest, scope::Operation};

use crate::seal::Secret;

/// A statement to be executed: its name, and what is bound to the parameters of its text.
pub struct Statement<'a> {
    pub(super) operation: Operation,
    pub(super) name: &'a str,
    pub(super) parameters: Vec<(&'a str, Parameter<'a>)>,
    pub(super) most: Option<u64>,
}

/// A value that is bound. Its type is the same whether it is there or not.
pub(super) enum Parameter<'a> {
    Text(Option<&'a str>),
    Number(Option<i64>),
    Flag(Option<bool>),
    Many(Option<&'a [String]>),
    Password(&'a Secret),
}

impl<'a> Statement<'a> {
    /// The statement of this name, without anything bound. What reads is executed so that the database
    /// itself refuses to change anything.
    pub fn new(operation: Operation, name: &'a str) -> Self {
        Self { operation, name, parameters: Vec::new(), most: None }
    }

    fn bind(mut self, name: &'a str, value: Parameter<'a>) -> Self {
        self.parameters.push((name, value));
        self
    }

    /// Binds a text, or nothing. What the text of the statement does not have is left out.
    #[must_use]
    pub fn text(self, name: &'a str, value: impl Into<Option<&'a str>>) -> Self {
        self.bind(name, Parameter::Text(value.into()))
    }

    /// Binds a whole number, or nothing.
    #[must_use]
    pub fn number(self, name: &'a str, value: impl Into<Option<i64>>) -> Self {
        self.bind(name, Parameter::Number(value.into()))
    }

    /// Binds yes or no, or nothing. SQLite gets 1 or 0.
    #[must_use]
    pub fn flag(self, name: &'a str, value: impl Into<Option<bool>>) -> Self {
        self.bind(name, Parameter::Flag(value.into()))
    }

    /// Binds several texts, or nothing. SQLite gets a JSON list.
    #[must_use]
    pub fn many(self, name: &'a str, value: impl Into<Option<&'a [String]>>) -> Self {
        self.bind(name, Parameter::Many(value.into()))
    }

    /// Binds a password: not itself but its SCRAM-SHA-256 verifier (RFC 5803, RFC 7677), so that neither
    /// the server nor its log ever sees it.
    #[must_use]
    pub fn password(self, name: &'a str, secret: &'a Secret) -> Self {
        self.bind(name, Parameter::Password(secret))
    }

    /// Undoes everything when the last text touches more rows than this.
    #[must_use]
    pub fn at_most(mut self, rows: u64) -> Self {
        self.most = Some(rows);
        self
    }
}

/// The value in one column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A text.
    Text(String),
    /// A whole number; in SQLite also yes (1) or no (0).
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Many(Vec<String>),
}

impl Cell {
    /// How many bytes it takes, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) | Self::Flag(_) => 8,
            Self::Text(text) => text.len() + 8,
            Self::Many(many) => many.iter().map(|text| text.len() + 8).sum::<usize>() + 8,
        }
    }

    /// Its kind and what it holds, so that no two cells give the same bytes.
    fn bytes(&self, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend((text.len() as u64).to_be_bytes());
            out.extend(text.as_bytes());
        };
        match self {
            Self::Null => out.push(b'0'),
            Self::Text(one) => {
                out.push(b't');
                text(out, one);
            }
            Self::Number(number) => {
                out.push(b'n');
                out.extend(number.to_be_bytes());
            }
            Self::Flag(flag) => out.extend([b'f', u8::from(*flag)]),
            Self::Many(many) => {
                out.push(b'm');
                out.extend((many.len() as u64).to_be_bytes());
                many.iter().for_each(|one| text(out, one));
            }
        }
    }
}

/// What the last text of a statement answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    pub(super) columns: Arc<[String]>,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) touched: u64,
}

impl Rows {
    /// Each row as its columns' names and values, in the order of the database.
    pub fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = (&str, &Cell)>> {
        self.rows.iter().map(|row| self.columns.iter().map(String::as_str).zip(row))
    }

    /// The value of a column in the row at `at`; `None` when there is no such row or column.
    pub fn cell(&self, at: usize, column: &str) -> Option<&Cell> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.rows.get(at)?.get(place)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows the last text changed, or gave back when it only reads.
    pub fn touched(&self) -> u64 {
        self.touched
    }

    /// Digest of all that was answered, for evidence.
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::from(self.touched.to_be_bytes());
        for column in self.columns.iter() {
            Cell::Text(column.clone()).bytes(&mut bytes);
        }
        self.rows.iter().flatten().for_each(|cell| cell.bytes(&mut bytes));
        Digest::of_parts(&[&bytes])
    }
}

//! Reads one table: takes the keys that mean something, and reports the rest, the missing and the wrong.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Code, Report, Spot};

/// A value, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located<'t, T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub spot: Spot<'t>,
}

/// The fields of a table, which is called `what` in messages.
pub(super) struct Fields<'a, 't> {
    /// What the table declares, such as ``integration `chat` ``.
    pub what: String,
    /// Where its name stands.
    pub spot: Spot<'t>,
    table: &'a DeTable<'t>,
    known: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl<'a, 't> Fields<'a, 't> {
    /// The fields of `value`; reports a value that is not a table.
    pub fn of(
        what: String,
        spot: Spot<'t>,
        value: &'a Spanned<DeValue<'t>>,
        report: &mut Report,
    ) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Self { what, spot, table, known: Vec::new(), missing: Vec::new() }),
            other => {
                let here = spot.at(value.span().start);
                report.add(Code::Value, here, format!("{what} is {}; write a table", article(other)));
                None
            }
        }
    }

    /// The value of `key`, which from now on is a known key.
    pub fn value(&mut self, key: &'static str) -> Option<Located<'t, &'a DeValue<'t>>> {
        self.known.push(key);
        let value = self.table.get(key)?;
        Some(Located { value: value.get_ref(), spot: self.spot.at(value.span().start) })
    }

    /// A text that may be left out.
    pub fn text(&mut self, key: &'static str, report: &mut Report) -> Option<Located<'t, &'a str>> {
        let found = self.value(key)?;
        match found.value.as_str() {
            Some(text) => Some(Located { value: text, spot: found.spot }),
            None => self.wrong(key, found, "a text in quotes", report),
        }
    }

    /// A text that must be there; a blank one is as good as none.
    pub fn needed_text(&mut self, key: &'static str, report: &mut Report) -> Option<Located<'t, &'a str>> {
        if !self.table.contains_key(key) {
            self.missing.push(key);
        }
        let text = self.text(key, report)?;
        if text.value.trim().is_empty() {
            self.missing.push(key);
            return None;
        }
        Some(text)
    }

    /// `true` or `false`, which may be left out.
    pub fn flag(&mut self, key: &'static str, report: &mut Report) -> Option<bool> {
        let found = self.value(key)?;
        match found.value.as_bool() {
            Some(flag) => Some(flag),
            None => self.wrong(key, found, "`true` or `false`", report),
        }
    }

    /// A whole number from `least` to `most`, which may be left out.
    pub fn number(&mut self, key: &'static str, least: u64, most: u64, report: &mut Report) -> Option<u64> {
        let found = self.value(key)?;
        let number = found.value.as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        match number.filter(|n| (least..=most).contains(n)) {
            Some(number) => Some(number),
            None => self.wrong(key, found, &format!("a whole number from {least} to {most}"), report),
        }
    }

    /// A list of texts that must be there and not be empty.
    pub fn needed_texts(&mut self, key: &'static str, report: &mut Report) -> Vec<Located<'t, &'a str>> {
        let empty =
            |found: Located<'t, &'a DeValue<'t>>| found.value.as_array().is_some_and(|a| a.is_empty());
        if !self.table.contains_key(key) || self.value(key).is_some_and(empty) {
            self.missing.push(key);
        }
        self.texts(key, report).unwrap_or_default()
    }

    /// A list of texts that may be left out; an empty list is something else than none.
    pub fn texts(&mut self, key: &'static str, report: &mut Report) -> Option<Vec<Located<'t, &'a str>>> {
        let found = self.value(key)?;
        let Some(list) = found.value.as_array() else {
            return self.wrong(key, found, "a list of texts", report);
        };
        let mut texts = Vec::new();
        for item in list {
            let here = Located { value: item.get_ref(), spot: found.spot.at(item.span().start) };
            match item.get_ref().as_str() {
                Some(value) => texts.push(Located { value, spot: here.spot }),
                None => drop(self.wrong::<()>(key, here, "a list of texts", report)),
            }
        }
        Some(texts)
    }

    /// The entries of a table under `key`, whose keys are free; empty when there is none.
    pub fn entries(&mut self, key: &'static str, report: &mut Report) -> Vec<Entry<'a, 't>> {
        let Some(found) = self.value(key) else { return Vec::new() };
        match found.value.as_table() {
            Some(table) => entries(table, self.spot),
            None => {
                self.wrong::<()>(key, found, "a table", report);
                Vec::new()
            }
        }
    }

    /// Whether `key` is there, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Notes that something which must be said is not.
    pub fn lacks(&mut self, key: &'static str) {
        self.missing.push(key);
    }

    /// Reports the keys that mean nothing here and everything that is missing, the latter as one error
    /// whose code `code_of_missing` picks.
    pub fn finish(self, report: &mut Report, code_of_missing: impl Fn(&[&str]) -> Code) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !self.known.contains(&name) {
                let here = self.spot.at(key.span().start);
                let message = format!("{} has no key `{name}`", self.what);
                let free = self.known.iter().copied().filter(|known| !self.table.contains_key(*known));
                report.add_near(Code::UnknownKey, here, message, name, free);
            }
        }
        if !self.missing.is_empty() {
            let code = code_of_missing(&self.missing);
            report.add(code, self.spot, format!("{} has no {}", self.what, self.missing.join(", ")));
        }
    }

    fn wrong<T>(
        &self,
        key: &str,
        found: Located<'t, &DeValue<'t>>,
        expected: &str,
        report: &mut Report,
    ) -> Option<T> {
        let message = match found.value {
            // The value itself stays out of the message: it may be something that was not to be written here.
            DeValue::Integer(_) if expected.starts_with("a whole number") => {
                format!("`{key}` of {} is out of range; write {expected}", self.what)
            }
            value => format!("`{key}` of {} is {}; write {expected}", self.what, article(value)),
        };
        report.add(Code::Value, found.spot, message);
        None
    }
}

/// A key that is a name, where it stands, and its value.
pub(super) struct Entry<'a, 't> {
    /// The key.
    pub key: Located<'t, &'a str>,
    /// The value.
    pub value: &'a Spanned<DeValue<'t>>,
}

/// The entries of a table in the order of the file.
pub(super) fn entries<'a, 't>(table: &'a DeTable<'t>, file: Spot<'t>) -> Vec<Entry<'a, 't>> {
    table
        .iter()
        .map(|(key, value)| Entry {
            key: Located { value: key.get_ref().as_ref(), spot: file.at(key.span().start) },
            value,
        })
        .collect()
}

fn article(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {name}")
}

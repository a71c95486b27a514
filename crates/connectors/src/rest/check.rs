//! Reads a description, says everything that is wrong with it and where, and what it lets the connector call.

use std::{collections::BTreeSet, fmt};

use bailiwick_connector::broker::reserved;
use bailiwick_core::{
    access::AccessClass,
    scope::{Operation, ScopeRule},
};
use http::HeaderName;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{
    description::{Auth, Description, Held, Ids, Paging, Request},
    template::Holes,
};

/// Names of holes that no parameter can have.
const TAKEN: [&str; 4] = ["id", "name", "marker", "item"];

/// The kind of a fault; its name is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The text is not TOML, a key is not known, or a value is of the wrong form.
    Syntax,
    /// A hole that nothing fills, or one that is needed and not there.
    Hole,
    /// Something that must be said is not.
    Missing,
    /// Something that cannot be, or does not fit with the rest.
    Value,
}

impl Code {
    /// The stable name, kebab-case.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "description-syntax",
            Self::Hole => "description-hole",
            Self::Missing => "description-missing",
            Self::Value => "description-value",
        }
    }
}

/// One thing that is wrong with a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub code: Code,
    /// The keys that lead to it, such as `accounts.get.call`; empty if it is not known.
    pub key: String,
    /// Line and column in the file, from 1; none for a description inside of other settings.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        match self.key.as_str() {
            "" => f.write_str(&self.message),
            key => write!(f, "`{key}`: {}", self.message),
        }
    }
}

/// A request of a description, and what it is for.
pub(super) struct Use<'d> {
    at: Vec<String>,
    pub(super) operation: Operation,
    pub(super) request: &'d Request,
    /// The holes that it may have besides parameters, and those that it must have.
    may: Vec<String>,
    must: &'static [&'static str],
    /// Whether it gives a list that may have pages.
    lists: bool,
}

impl Use<'_> {
    /// The keys that lead to a part of it.
    fn key(&self, rest: &[&str]) -> Vec<String> {
        self.at.iter().cloned().chain(rest.iter().map(|part| (*part).to_owned())).collect()
    }
}

impl Description {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong, with its place.
    pub fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let read: Self = toml::from_str(text).map_err(|error| {
            let place = error.span().map(|span| place(text, span.start));
            let message = error.message().trim().replace('\n', "; ");
            vec![Fault { code: Code::Syntax, key: String::new(), place, message }]
        })?;
        let mut faults = read.faults();
        let table = DeTable::parse(text).ok();
        for fault in &mut faults {
            fault.place = table.as_ref().map(|table| place(text, find(table.get_ref(), &fault.key)));
        }
        faults.sort_by_key(|fault| fault.place);
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }

    /// Reads a description that is part of other settings.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn of(value: &Value) -> Result<Self, Vec<Fault>> {
        let read: Self = serde_json::from_value(value.clone()).map_err(|error| {
            vec![Fault { code: Code::Syntax, key: String::new(), place: None, message: error.to_string() }]
        })?;
        let faults = read.faults();
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }

    /// The scope rules of all that the connector can call, with the integration's own parameters filled in as
    /// far as they are given.
    pub fn scope(&self, parameters: &Holes) -> Vec<ScopeRule> {
        let mut rules: Vec<ScopeRule> = Vec::new();
        for Use { operation, request, .. } in self.uses() {
            let rule = rule(operation, request, parameters);
            rules.extend(rule.ok().filter(|rule| !rules.contains(rule)));
        }
        rules
    }

    /// All its requests.
    pub(super) fn uses(&self) -> Vec<Use<'_>> {
        use Operation::{Create, Delete, Discover, Get, Grant, Issue, List, Revoke, Try, Update};
        const ID: &[&str] = &["id"];
        let mut all = Uses(Vec::new());
        all.add(&["check"], Discover, self.check.as_ref(), &[], &[], false);
        if let Some(a) = &self.accounts {
            let given: Vec<String> = a.attributes.keys().map(|name| format!("attributes.{name}")).collect();
            let marked: &'static [&'static str] = &["marker"];
            all.add(&["accounts", "list"], List, Some(&a.list), &[], &[], true);
            all.add(&["accounts", "get"], Get, a.get.as_ref(), &[], ID, false);
            let named = |request: &Request| !request.one;
            all.add(
                &["accounts", "named"],
                List,
                a.named.as_ref(),
                &[],
                &["name"],
                a.named.as_ref().is_some_and(named),
            );
            all.add(
                &["accounts", "marked"],
                List,
                a.marked.as_ref(),
                &[],
                marked,
                a.marked.as_ref().is_some_and(named),
            );
            all.add(&["accounts", "create"], Create, a.create.as_ref(), &given, marked, false);
            all.add(&["accounts", "update"], Update, a.update.as_ref(), &given, ID, false);
            all.add(&["accounts", "enable"], Update, a.enable.as_ref(), &[], ID, false);
            for (n, way) in a.disable.iter().enumerate() {
                all.add(&["accounts", "disable", &n.to_string()], Update, Some(way), &[], ID, false);
            }
            all.add(&["accounts", "delete"], Delete, a.delete.as_ref(), &[], ID, false);
        }
        if let Some(g) = &self.groups {
            all.add(&["groups", "list"], List, Some(&g.list), &[], &[], true);
            all.add(&["groups", "get"], Get, g.get.as_ref(), &[], ID, false);
            all.add(&["groups", "list_members"], List, g.list_members.as_ref(), &[], ID, true);
        }
        if let Some(p) = &self.people {
            all.add(&["people", "list"], List, Some(&p.list), &[], &[], true);
            all.add(&["people", "get"], Get, p.get.as_ref(), &[], ID, false);
        }
        for (class, held) in &self.held {
            let at = |key| ["held", class.as_str(), key];
            let parts: Vec<String> = match &held.id {
                Ids::One(_) => vec!["item".into()],
                Ids::Several(several) => {
                    (1..=several.len()).map(|n| format!("item.{n}")).chain(["item".into()]).collect()
                }
            };
            let whose = if held.holder.is_some() { &[][..] } else { ID };
            all.add(&at("list"), List, held.list.as_ref(), &["id".to_owned()], whose, true);
            all.add(&at("grant"), Grant, held.grant.as_ref(), &parts, ID, false);
            all.add(
                &at("revoke"),
                Revoke,
                held.revoke.as_ref(),
                &[&parts[..], &["id".to_owned()]].concat(),
                &["item"],
                false,
            );
            all.add(&at("revoke_all"), Revoke, held.revoke_all.as_ref(), &[], ID, false);
            all.add(
                &["held", class.as_str(), "issue", "make"],
                Issue,
                held.issue.as_ref().map(|i| &i.make),
                &[],
                ID,
                false,
            );
            all.add(
                &["held", class.as_str(), "try", "make"],
                Try,
                held.attempt.as_ref().map(|t| &t.make),
                &[],
                &[],
                false,
            );
        }
        all.0
    }

    fn faults(&self) -> Vec<Fault> {
        let mut found = Found(Vec::new());
        let mut used = BTreeSet::new();
        for one in self.uses() {
            self.holes(&one, &mut used, &mut found);
            self.form(&one, &mut found);
        }
        for name in self.parameters.keys() {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !plain || TAKEN.contains(&name.as_str()) {
                let message =
                    format!("`{name}` cannot be the name of a parameter; {} are taken", TAKEN.join(", "));
                found.add(Code::Value, &["parameters", name], message);
            } else if !used.contains(name.as_str()) {
                let message = "no call has this parameter; use it, or leave it out";
                found.add(Code::Hole, &["parameters", name], message);
            }
        }
        let headers = self.headers.keys().map(|name| (vec!["headers", name.as_str()], name));
        let key = self.idempotency_header.iter().map(|name| (vec!["idempotency_header"], name));
        for (at, name) in headers.chain(key) {
            if reserved(name) || HeaderName::from_bytes(name.as_bytes()).is_err() {
                let message =
                    format!("`{name}` cannot be set here: it is no name of a header, or the broker's");
                found.add(Code::Value, &at, message);
            }
        }
        if let Auth::Header { header } = &self.auth
            && HeaderName::from_bytes(header.as_bytes()).is_err()
        {
            found.add(Code::Value, &["auth", "header"], format!("`{header}` is no name of a header"));
        }
        if self.max_page == 0 {
            found.add(Code::Value, &["max_page"], "a page has at least one object");
        }
        self.tables(&mut found);
        found.0
    }

    /// The holes of a request: each is filled by something, and those that are needed are there.
    fn holes(&self, one: &Use<'_>, used: &mut BTreeSet<String>, found: &mut Found) {
        let Use { at, request, may, must, .. } = one;
        let key = |rest: &[&str]| one.key(rest);
        let mut holes: Vec<(Vec<String>, &str)> = Vec::new();
        holes.extend(request.call.holes().map(|name| (key(&["call"]), name)));
        for (parameter, text) in &request.query {
            holes.extend(text.holes().map(|name| (key(&["query", parameter]), name)));
        }
        for name in request.body.iter().flat_map(|body| body.holes()) {
            holes.push((key(&["body"]), name));
        }
        for (at, name) in &holes {
            used.insert((*name).to_owned());
            let known =
                may.iter().any(|m| m == name) || must.contains(name) || self.parameters.contains_key(*name);
            if !known {
                let names: Vec<&str> = may
                    .iter()
                    .map(String::as_str)
                    .chain(must.iter().copied())
                    .chain(self.parameters.keys().map(String::as_str))
                    .collect();
                let message = match names.is_empty() {
                    true => format!(
                        "nothing fills `{{{name}}}`; declare it in `parameters` if the integration does"
                    ),
                    false => format!("nothing fills `{{{name}}}`; here there are {}", names.join(", ")),
                };
                found.add_at(Code::Hole, at.clone(), message);
            }
        }
        for name in *must {
            let there = |hole: &&str| {
                *hole == *name || hole.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
            };
            if !holes.iter().any(|(_, hole)| there(hole)) {
                let message = format!("the call has no `{{{name}}}`, so it is about nobody in particular");
                found.add_at(Code::Hole, at.clone(), message);
            }
        }
    }

    /// The form of a request: its method, its pages, and what only some calls can have.
    fn form(&self, one: &Use<'_>, found: &mut Found) {
        let Use { at, operation, request, lists, .. } = one;
        let key = |rest: &[&str]| one.key(rest);
        let gets = request.call.method == "GET";
        let problem = match (operation.reads(), gets, request.reads) {
            (true, false, false) => {
                Some("this only reads; use GET, or say `reads = true` of a POST that does")
            }
            (true, _, true) if request.call.method != "POST" => Some("only a POST can be said to read"),
            (false, true, _) => Some("this changes something; a GET must not"),
            (false, _, true) => Some("this changes something, so it cannot be said to read"),
            _ => None,
        };
        match (problem, rule(*operation, request, &Holes::new())) {
            (Some(problem), _) => found.add_at(Code::Value, key(&["call"]), problem),
            (None, Err(problem)) => found.add_at(Code::Value, key(&["call"]), problem),
            (None, Ok(_)) => {}
        }
        if *lists && request.paging.as_ref().or(self.paging.as_ref()).is_none() {
            let message = "nothing says how this list is paged; write `paging = { style = \"none\" }` if the system gives all at once";
            found.add_at(Code::Missing, at.clone(), message);
        }
        let own = at.join(".");
        let merges =
            ["accounts.update", "accounts.enable", "accounts.disable."].iter().any(|at| own.starts_with(at));
        let misplaced = [
            (request.merge && !merges, "merge", "only a change of an account can be laid over it"),
            (
                request.one && !own.starts_with("accounts.named") && !own.starts_with("accounts.marked"),
                "one",
                "only `accounts.named` and `accounts.marked` can give one thing where a list is usual",
            ),
            (
                request.bare && own != "accounts.get",
                "bare",
                "only `accounts.get` can be answered without the account",
            ),
            (
                !lists && (request.paging.is_some() || request.cut.is_some()),
                "call",
                "this gives no list, so it has no pages",
            ),
        ];
        for (wrong, name, message) in misplaced {
            if wrong {
                found.add_at(Code::Value, key(&[name]), message);
            }
        }
    }

    /// What must fit together.
    fn tables(&self, found: &mut Found) {
        let Some(accounts) = &self.accounts else {
            if self.groups.is_none() && self.people.is_none() {
                found.add(Code::Missing, &[], "it describes neither `accounts`, `groups` nor `people`");
            }
            if !self.held.is_empty() {
                found.add(Code::Missing, &["held"], "what accounts hold needs `accounts`");
            }
            return;
        };
        if accounts.create.is_some() && accounts.marker.is_none() {
            let message = "accounts that are made need a `marker`: without it the hub could take somebody else's for its own";
            found.add(Code::Missing, &["accounts"], message);
        }
        let changes = accounts.update.iter().chain(&accounts.enable).chain(&accounts.disable);
        if changes.into_iter().any(|change| change.merge) && accounts.get.as_ref().is_none_or(|get| get.bare)
        {
            found.add(
                Code::Missing,
                &["accounts", "get"],
                "`merge` needs an `accounts.get` that shows the account",
            );
        }
        if self.conditional && accounts.version.is_none() {
            found.add(Code::Missing, &["conditional"], "a conditional write needs `accounts.version`");
        }
        if accounts.disable.len() > super::WAYS.len() {
            let message = format!("there are at most {} ways to disable", super::WAYS.len());
            found.add(Code::Value, &["accounts", "disable"], message);
        }
        if let Some(groups) = &self.groups
            && groups.members.is_some() == groups.list_members.is_some()
        {
            let message =
                "where a group's members are is said by `members` or by `list_members`, and by one of them";
            found.add(Code::Missing, &["groups"], message);
        }
        for (class, held) in &self.held {
            self.class(*class, held, found);
        }
    }

    fn class(&self, class: AccessClass, held: &Held, found: &mut Found) {
        let at = ["held", class.as_str()];
        if class == AccessClass::PrimaryAccount {
            found.add(Code::Value, &at, "the account itself is described in `accounts`");
        }
        let derived = class == AccessClass::DirectGroups && self.groups.is_some();
        if held.list.is_none() && !derived && (held.grant.is_some() || held.revoke.is_some()) {
            found.add(Code::Missing, &at, "what is given and taken one by one must be listed: `list`");
        }
        if held.list.is_none() && !derived && held.revoke_all.is_none() && held.issue.is_none() {
            found.add(Code::Missing, &at, "it neither lists nor takes anything");
        }
        if let Ids::Several(several) = &held.id
            && several.is_empty()
        {
            found.add(Code::Value, &at, "an id has at least one part");
        }
        if held.issue.is_some() != held.attempt.is_some() {
            found.add(Code::Missing, &at, "`issue` and `try` come together");
        }
        if let Some(attempt) = &held.attempt
            && matches!(attempt.auth, Auth::ClientCredentials { .. })
        {
            found.add(Code::Value, &at, "`try` shows the credential itself, not a token that is got with it");
        }
    }

    /// How a list is paged.
    pub(super) fn paging<'d>(&'d self, request: &'d Request) -> &'d Paging {
        request.paging.as_ref().or(self.paging.as_ref()).unwrap_or(&Paging::None)
    }
}

/// The requests, as they are found.
struct Uses<'d>(Vec<Use<'d>>);

impl<'d> Uses<'d> {
    fn add(
        &mut self,
        at: &[&str],
        operation: Operation,
        request: Option<&'d Request>,
        may: &[String],
        must: &'static [&'static str],
        lists: bool,
    ) {
        let at = at.iter().map(|key| (*key).to_owned()).collect();
        self.0.extend(request.map(|request| Use { at, operation, request, may: may.to_vec(), must, lists }));
    }
}

/// The faults, as they are found.
struct Found(Vec<Fault>);

impl Found {
    fn add(&mut self, code: Code, at: &[&str], message: impl Into<String>) {
        self.add_at(code, at.iter().map(|key| (*key).to_owned()).collect(), message);
    }

    fn add_at(&mut self, code: Code, at: Vec<String>, message: impl Into<String>) {
        self.0.push(fault(code, at, message.into()));
    }
}

fn fault(code: Code, at: Vec<String>, message: String) -> Fault {
    Fault { code, key: at.join("."), place: None, message }
}

fn rule(operation: Operation, request: &Request, parameters: &Holes) -> Result<ScopeRule, String> {
    let text = format!("{} {} {}", operation.as_str(), request.call.method, request.call.shape(parameters));
    text.parse().map_err(|error: bailiwick_core::scope::BadRule| error.to_string())
}

/// The byte where the value under a key stands, or what is nearest to it.
fn find(table: &DeTable<'_>, key: &str) -> usize {
    let mut at = 0;
    let mut rest = key;
    let mut table = table;
    while !rest.is_empty() {
        // Keys may have dots in them, so the longest that is there counts.
        let here = table.iter().filter(|(name, _)| {
            rest.strip_prefix(&**name.get_ref())
                .is_some_and(|after| after.is_empty() || after.starts_with('.'))
        });
        let Some((name, value)) = here.max_by_key(|(name, _)| name.get_ref().len()) else { break };
        at = name.span().start;
        rest = rest[name.get_ref().len()..].trim_start_matches('.');
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            DeValue::Array(elements) => {
                let (index, after) = rest.split_once('.').unwrap_or((rest, ""));
                let Some(element) = index.parse::<usize>().ok().and_then(|n| elements.get(n)) else { break };
                at = element.span().start;
                rest = after;
                match element.get_ref() {
                    DeValue::Table(inner) => table = inner,
                    _ => break,
                }
            }
            _ => break,
        }
    }
    at
}

/// Line and column of a byte, from 1; the column counts characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
}

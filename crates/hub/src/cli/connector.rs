//! `bailiwick connector`: what each kind of connector can do, descriptions of HTTP APIs, and what a live system
//! keeps of the contract. Only the last needs a hub.

use std::path::PathBuf;

use bailiwick_connector::{AccountWrite, Capability};
use bailiwick_connectors::{
    KINDS,
    rest::{Auth, Description, shipped},
};
use bailiwick_core::{access::AccessClass, scope::ScopeRule};
use bailiwick_engine::{Tried, TriedVerdict};
use clap::Subcommand;
use serde::Serialize;

use super::{Context, import};
use crate::{
    failure::{Exit, Failure, Result},
    problem::Fault,
    render::{Output, Tone},
};

/// How many kinds stand side by side.
const ABREAST: usize = 6;

const LEGEND: &str =
    "s: it is seen   g: it can be given   t: it can be taken   c: a canary can try it   ·: not observable";

/// `bailiwick connector …`
#[derive(Subcommand)]
pub enum ConnectorCommand {
    /// What each kind can observe, change and remove, by access class
    #[command(
        after_help = "What a kind can do at most. A certain system may allow less; a class that cannot be \
        seen is `unobservable` in cases.\n\nExample:\n  bailiwick connector list"
    )]
    List,
    /// Whether a file describes an HTTP API, and what it would let the hub do
    #[command(
        after_help = "The name of a shipped description is as good as a file. Exit code 1 and every fault \
        with its place if it does not.\n\nExample:\n  bailiwick connector check ticketing.toml\n  bailiwick connector check keycloak"
    )]
    Check {
        /// The file, or the name of a shipped description; `-` is standard input
        file: PathBuf,
    },
    /// Try what connectors promise on a live system
    #[command(
        after_help = "An account that belongs to nobody is made on the system, changed, tried, and deleted; others \
        are\nread and never changed. What cannot be shown so says why. Exit code 1 when a promise is broken.\n\n\
        Example:\n  bailiwick connector try chat"
    )]
    Try {
        /// The system, as the configuration names it
        system: String,
    },
}

/// What can be done, as JSON has it.
#[derive(Serialize)]
struct Able {
    people: bool,
    accounts: bool,
    groups: bool,
    writes: Vec<&'static str>,
    ways_to_disable: usize,
    observes: Vec<AccessClass>,
    grants: Vec<AccessClass>,
    removes: Vec<AccessClass>,
    tries: Vec<AccessClass>,
}

impl Able {
    fn new(capability: Capability) -> Self {
        let Capability { people, accounts, groups, .. } = capability;
        Self {
            people,
            accounts,
            groups,
            writes: capability.writes.into_iter().map(AccountWrite::as_str).collect(),
            ways_to_disable: capability.disable_ways.len(),
            observes: capability.observes.into_iter().collect(),
            grants: capability.grants.into_iter().collect(),
            removes: capability.removes.into_iter().collect(),
            tries: capability.tries.into_iter().collect(),
        }
    }

    /// What can be done with a class, as letters.
    fn letters(&self, class: AccessClass) -> String {
        let has = |classes: &[AccessClass], letter| if classes.contains(&class) { letter } else { "" };
        let letters = [
            has(&self.observes, "s"),
            has(&self.grants, "g"),
            has(&self.removes, "t"),
            has(&self.tries, "c"),
        ];
        let letters = letters.concat();
        if letters.is_empty() { "·".to_owned() } else { letters }
    }

    /// What it does with accounts, for people.
    fn accounts(&self) -> String {
        let reads = self.accounts.then_some("reads");
        let disables = (self.ways_to_disable > 0).then_some("disables");
        let verb = |name: &str, verb| self.writes.contains(&name).then_some(verb);
        let verbs = [
            reads,
            verb("create", "makes"),
            verb("update", "changes"),
            disables,
            verb("enable", "enables"),
            verb("delete", "removes"),
        ];
        let verbs: Vec<&str> = verbs.into_iter().flatten().collect();
        let accounts = match (self.accounts, verbs.join(", ")) {
            (false, verbs) if !verbs.is_empty() => format!("a person {verbs}"),
            (_, verbs) => verbs,
        };
        match (self.people, accounts.as_str()) {
            (true, "") => "reads people".into(),
            (true, accounts) => format!("{accounts}; reads people"),
            (false, "") => "none".into(),
            (false, _) => accounts,
        }
    }
}

#[derive(Serialize)]
struct KindView {
    name: &'static str,
    speaks: &'static str,
    #[serde(flatten)]
    able: Able,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    descriptions: Vec<DescriptionView>,
}

#[derive(Serialize)]
struct DescriptionView {
    name: String,
    title: String,
    version: String,
    docs: String,
    credential: String,
    notes: Vec<String>,
    scope: Vec<ScopeRule>,
    #[serde(flatten)]
    able: Able,
}

impl DescriptionView {
    fn new(description: Description) -> Self {
        let able = Able::new(description.capability());
        let scope = description.scope(&Default::default());
        let credential = credential(&description.auth);
        let Description { name, title, version, docs, notes, .. } = description;
        Self { name, title, version, docs, credential, notes, scope, able }
    }
}

/// How the credential is set, for people.
fn credential(auth: &Auth) -> String {
    match auth {
        Auth::Bearer => "a bearer token: `bailiwick credential set NAME write`".into(),
        Auth::Basic => "a name and password: `bailiwick credential set NAME write --basic USER`".into(),
        Auth::Header { header } => {
            format!("a token in a header: `bailiwick credential set NAME write --header {header}`")
        }
        Auth::ClientCredentials { token_path, .. } => format!(
            "a client's secret: `bailiwick credential set NAME write --client ID`, and the setting `token_path`, such as `{token_path}`"
        ),
    }
}

/// Lists kinds or checks a description.
pub async fn run(context: &Context<'_>, command: ConnectorCommand) -> Result<Exit> {
    match command {
        ConnectorCommand::List => list(context.output),
        ConnectorCommand::Check { file } => check(context.output, file),
        ConnectorCommand::Try { system } => try_contract(context, &system).await,
    }
}

async fn try_contract(context: &Context<'_>, system: &str) -> Result<Exit> {
    let client = context.client()?;
    let waiting = context.output.waiting(&format!("trying {system} on a canary"));
    let tried: Vec<Tried> = client.post(&["systems", system, "trial"]).send().await?;
    drop(waiting);
    context.output.result(&tried, |output| {
        let rows = tried.iter().map(|one| {
            let (tone, words) = match one.verdict {
                TriedVerdict::Holds => (Tone::Good, "holds"),
                TriedVerdict::Broken => (Tone::Bad, "does not hold"),
                TriedVerdict::NotShown => (Tone::Dim, "not shown"),
            };
            vec![Tone::Plain.cell(&one.sentence), tone.cell(words), Tone::Plain.cell(&one.told)]
        });
        output.table(&["sentence", "here", "how, or why not"], rows.collect());
    });
    let broken = tried.iter().any(|one| one.verdict == TriedVerdict::Broken);
    Ok(if broken { Exit::Refused } else { Exit::Done })
}

fn list(output: Output) -> Result<Exit> {
    let described =
        || shipped::NAMES.into_iter().filter_map(|name| Description::read(shipped::text(name)?).ok());
    let kinds: Vec<KindView> = KINDS
        .iter()
        .map(|kind| KindView {
            name: kind.name,
            speaks: kind.speaks,
            able: Able::new(kind.most()),
            descriptions: match kind.name {
                "rest" => described().map(DescriptionView::new).collect(),
                _ => Vec::new(),
            },
        })
        .collect();
    output.result(&kinds, |output| {
        let rows = kinds.iter().map(|kind| {
            vec![
                Tone::Plain.cell(kind.name),
                Tone::Plain.cell(kind.speaks),
                Tone::Plain.cell(kind.able.accounts()),
            ]
        });
        output.table(&["connector", "speaks to", "accounts"], rows.collect());
        let columns: Vec<(&str, &Able)> = kinds.iter().map(|kind| (kind.name, &kind.able)).collect();
        classes(output, &columns);
        let all: Vec<&DescriptionView> = kinds.iter().flat_map(|kind| &kind.descriptions).collect();
        output.line("\nshipped descriptions of the connector `rest`");
        let rows = all.iter().map(|one| {
            vec![
                Tone::Plain.cell(&one.name),
                Tone::Plain.cell(&one.title),
                Tone::Plain.cell(one.able.accounts()),
            ]
        });
        output.table(&["description", "system", "accounts"], rows.collect());
        let columns: Vec<(&str, &Able)> = all.iter().map(|one| (one.name.as_str(), &one.able)).collect();
        classes(output, &columns);
        output.line(LEGEND);
    });
    Ok(Exit::Done)
}

/// Access classes by what can do something with them. Classes that nothing here observes are left out.
fn classes(output: Output, columns: &[(&str, &Able)]) {
    for abreast in columns.chunks(ABREAST) {
        let header: Vec<&str> =
            std::iter::once("access class").chain(abreast.iter().map(|(name, _)| *name)).collect();
        let known = |class: &AccessClass| columns.iter().any(|(_, able)| able.letters(*class) != "·");
        let rows = AccessClass::ALL.into_iter().filter(known).map(|class| {
            let cells = abreast.iter().map(|(_, able)| Tone::Plain.cell(able.letters(class)));
            std::iter::once(Tone::Plain.cell(class)).chain(cells).collect()
        });
        output.line("");
        output.table(&header, rows.collect());
    }
}

fn check(output: Output, file: PathBuf) -> Result<Exit> {
    let shipped = file.to_str().and_then(shipped::text);
    let text = match shipped {
        Some(text) => text.to_owned(),
        None => String::from_utf8(import::read(&file)?).map_err(|_| {
            Failure::refused("description-syntax", format!("`{}` is not UTF-8", file.display()))
        })?,
    };
    let description = Description::read(&text).map_err(|faults| {
        let faults = faults.into_iter().map(|fault| {
            let message = if fault.key.is_empty() {
                fault.message
            } else {
                format!("`{}`: {}", fault.key, fault.message)
            };
            let place = match fault.place {
                Some((line, column)) => format!("{}:{line}:{column}", file.display()),
                None => file.display().to_string(),
            };
            Fault::new(fault.code.code(), message).at(place)
        });
        Failure::refused("description-invalid", format!("`{}` does not describe an API", file.display()))
            .faults(faults.collect())
    })?;
    let view = DescriptionView::new(description);
    output.result(&view, |output| show(output, &view));
    Ok(Exit::Done)
}

fn show(output: Output, view: &DescriptionView) {
    let DescriptionView { name, title, version, docs, credential, notes, scope, able } = view;
    output.line(&format!("{name}: {title}, {version} ({docs})"));
    output.line(&format!("credential: {credential}"));
    output.line(&format!("accounts: {}", able.accounts()));
    classes(output, &[(name, able)]);
    output.line(LEGEND);
    output.line("\nscope");
    for rule in scope {
        output.line(&format!("  {rule}"));
    }
    if !notes.is_empty() {
        output.line("\nnotes");
    }
    for note in notes {
        output.line(&format!("  {note}"));
    }
}

//! What every page has: where one is, what waits, who one is.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use bailiwick_core::time::Timestamp;
use bailiwick_store::{Filter, Table, entities::Recovery};

use super::{
    show::{Moment, Tone},
    signed_in::SignedIn,
    trouble::Trouble,
};
use crate::{
    api::{Hub, caller::Right},
    problem::Problem,
};

/// A part of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What needs somebody today.
    Home,
    /// What is to be changed.
    Plans,
    /// Leavers.
    Cases,
    /// What is wrong.
    Findings,
    /// What only people can do.
    Tasks,
    /// What is connected.
    Integrations,
    /// Looking at them anew.
    Reviews,
    /// Who is known.
    Identities,
    /// What no policy gives, and until when.
    Access,
    /// Who leaves when.
    Departures,
    /// About whom systems disagree.
    Alignment,
    /// What those who left were called.
    Names,
    /// Who is ready to go.
    Terminations,
    /// Where access is held.
    Systems,
    /// How systems compare with what is known.
    Reconciling,
    /// What sources delivered.
    Feeds,
    /// What decides.
    Policies,
    /// What is declared.
    Configuration,
    /// Who works with the hub.
    Operators,
    /// The log.
    Evidence,
    /// What programs can do.
    Api,
    /// Looking for something.
    Search,
    /// Who looks, and how they came in.
    Mine,
}

/// One way in the menu.
pub struct Way {
    /// Where.
    pub place: Place,
    /// What it is called.
    pub name: &'static str,
    /// Its address.
    pub href: &'static str,
    /// How many wait there, if any do.
    pub waits: i64,
}

/// What just happened, or what was refused.
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// What.
    pub text: String,
    /// What to do.
    pub help: Option<String>,
    /// The stable code of what was refused; empty when it was done.
    pub code: String,
}

impl Notice {
    /// It was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self { tone: Tone::Good, text: text.into(), help: None, code: String::new() }
    }

    /// It was refused.
    pub fn refused(problem: &Problem) -> Self {
        let faults = problem.errors.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; ");
        let text =
            if faults.is_empty() { problem.detail.clone() } else { format!("{}: {faults}", problem.detail) };
        Self {
            tone: Tone::Bad,
            text: format!("{text} ({})", problem.code),
            code: problem.code.clone(),
            help: problem.help.clone(),
        }
    }
}

/// Everything around the contents of a page.
pub struct Frame {
    /// Who looks.
    pub operator: String,
    /// What they may do.
    pub roles: String,
    /// What forms bring along.
    pub token: String,
    /// `light`, `dark`, or what the device says.
    pub theme: String,
    /// Where they are.
    pub here: Place,
    /// When it was made.
    pub now: Timestamp,
    /// The menu, by headings.
    pub ways: [(&'static str, Vec<Way>); 4],
    /// Whether the hub goes on from a backup and changes no system.
    pub restored: bool,
    /// What just happened.
    pub notice: Option<Notice>,
    /// What was looked for.
    pub sought: String,
    /// How many records were written when it was made: a page that is open is read again when there are more.
    pub seen: i64,
}

impl Frame {
    /// The frame of a page.
    pub async fn of(hub: &Hub, signed_in: &SignedIn, here: Place) -> Result<Self, Trouble> {
        let mut tx = hub.read().await?;
        let mut waits = async |table, column, value: &str| {
            hub.count(&mut *tx, table, Some(Filter::Is(column, value.into()))).await
        };
        let plans = waits(Table::Plans, "state", "drafted").await?;
        let cases = waits(Table::Cases, "state", "open").await?;
        let findings = waits(Table::Findings, "state", "open").await?;
        let tasks = waits(Table::Tasks, "state", "open").await?;
        let held = waits(Table::Batches, "state", "held").await?;
        let disagree = waits(Table::Alignments, "state", "violated").await?;
        let restored = waits(Table::Recoveries, "state", Recovery::HELD).await? > 0;
        let (_, seen) = tx.entry_counts().await?;
        let way = |place, name, href, waits| Way { place, name, href, waits };
        let operator = &signed_in.caller.0;
        let mut people = vec![
            way(Place::Identities, "Identities", "/identities", 0),
            way(Place::Access, "Access for a time", "/access", 0),
            way(Place::Departures, "Departures", "/departures", 0),
            way(Place::Alignment, "Alignment", "/alignment", disagree),
            way(Place::Names, "Names kept", "/names", 0),
        ];
        // That there is such a thing here is said to those who may do it.
        if signed_in.caller.may(Right::Terminate).is_ok() {
            people.push(way(Place::Terminations, "Terminations", "/terminations", 0));
        }
        Ok(Self {
            operator: operator.name.clone(),
            roles: operator.roles.iter().cloned().collect::<Vec<_>>().join(", "),
            token: signed_in.token.clone(),
            theme: signed_in.theme.clone(),
            here,
            now: hub.engine.now(),
            ways: [
                (
                    "What waits",
                    vec![
                        way(Place::Home, "Home", "/", 0),
                        way(Place::Plans, "Plans", "/plans", plans),
                        way(Place::Cases, "Cases", "/cases", cases),
                        way(Place::Findings, "Findings", "/findings", findings),
                        way(Place::Tasks, "Tasks", "/tasks", tasks),
                    ],
                ),
                ("People", people),
                (
                    "Systems",
                    vec![
                        way(Place::Integrations, "Integrations", "/integrations", 0),
                        way(Place::Reviews, "Reviews", "/reviews", 0),
                        way(Place::Systems, "Systems", "/systems", 0),
                        way(Place::Reconciling, "Reconciliation", "/reconciling", 0),
                        way(Place::Feeds, "Feeds", "/feeds", held),
                    ],
                ),
                (
                    "Rules and proof",
                    vec![
                        way(Place::Policies, "Policies", "/policies", 0),
                        way(Place::Configuration, "Configuration", "/configuration", 0),
                        way(Place::Operators, "Operators", "/operators", 0),
                        way(Place::Evidence, "Evidence", "/evidence", 0),
                        way(Place::Mine, "Signed in", "/signed-in", 0),
                        way(Place::Api, "API", "/api", 0),
                    ],
                ),
            ],
            restored,
            notice: None,
            sought: String::new(),
            seen,
        })
    }

    /// The same, and something to say.
    #[must_use]
    pub fn say(mut self, notice: Option<Notice>) -> Self {
        self.notice = notice;
        self
    }

    /// An instant as the page shows it.
    pub const fn at(&self, at: &Timestamp) -> Moment {
        Moment { at: *at, now: self.now }
    }
}

/// A page, made.
pub fn page(template: &impl Template) -> Result<Response, Trouble> {
    Ok(Html(template.render()?).into_response())
}

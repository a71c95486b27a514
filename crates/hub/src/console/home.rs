//! Home: what needs somebody today, the most urgent first; and whether revocation is proven.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    finding::Finding,
    gate::HUB,
    metrics::{Figures, Measure},
    time::{SignedDuration, Timestamp},
};

use super::{
    assets,
    frame::{Frame, Place, Way, page},
    show::{Badge, Moment, Prose, Tone, counted, name_of, prose, title},
    signed_in::SignedIn,
    trouble::Trouble,
};
use crate::{
    api::{
        Hub, Page,
        answer::{Answer, Params},
        batches, cases, findings,
        page::Wanted,
        plans, reviews, tasks,
    },
    span,
};

/// How many are shown.
const SHOWN: u32 = 20;
/// How many of a kind are looked at for the most urgent: more than anybody has open who looks at this page at all.
const LOOKED: usize = 5_000;
/// How many are read at once.
const AT_ONCE: u32 = 1_000;
/// The window of the figures.
const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Something that somebody has to do.
struct Todo {
    badge: Badge,
    what: String,
    note: Prose,
    href: String,
    /// When it has to be done, or since when it waits.
    when: Moment,
    /// Sorts: what is overdue first, then by deadline.
    rank: (u8, Timestamp),
}

/// One figure.
struct Tile {
    tone: Tone,
    figure: String,
    label: String,
}

/// How a system's revocation was last shown.
struct DrillLine {
    system: String,
    badge: Badge,
    at: Option<Moment>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Shown {
    frame: Frame,
    todo: Vec<Todo>,
    more: usize,
    tiles: Vec<Tile>,
    drills: Vec<DrillLine>,
    cases: usize,
    nothing: bool,
}

/// `GET /`
pub async fn show(State(hub): State<Hub>, signed_in: SignedIn) -> Result<Response, Trouble> {
    let frame = Frame::of(&hub, &signed_in, Place::Home).await?;
    let Waiting { mut todo, all } = todo(&hub, &signed_in, &frame).await?;
    todo.sort_by_key(|one| one.rank);
    todo.truncate(SHOWN as usize);
    let more = all.saturating_sub(todo.len());
    let since = frame.now.saturating_sub(WINDOW).unwrap_or(frame.now);
    let figures = hub.engine.metrics(since).await?;
    let nothing = figures.drills.is_empty();
    page(&Shown {
        tiles: tiles(&figures),
        drills: drills(&figures, &frame),
        cases: figures.cases,
        todo,
        more,
        nothing,
        frame,
    })
}

/// What waits: the most urgent among it, and how many there are in all.
struct Waiting {
    todo: Vec<Todo>,
    all: usize,
}

/// All of a kind, page by page, as far as it is looked at.
async fn every<T, F>(read: impl Fn(Params<Wanted>) -> F) -> Result<Vec<T>, Trouble>
where
    F: Future<Output = Answer<Page<T>>>,
{
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let part = read(Params(Wanted::of(AT_ONCE, after))).await?.0;
        all.extend(part.items);
        after = part.next.filter(|_| all.len() < LOOKED);
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn todo(hub: &Hub, signed_in: &SignedIn, frame: &Frame) -> Result<Waiting, Trouble> {
    let (state, caller) = (|| State(hub.clone()), || signed_in.caller.clone());
    // Of what is as urgent as it is old, the first ones are the oldest.
    let wanted = || Params(Wanted::of(SHOWN, None));
    let mut all = Vec::new();
    let which = plans::Which { state: Some("drafted".into()), identity: None };
    for view in plans::list(state(), caller(), Params(which), wanted()).await?.0.items {
        let plan = &view.row.plan;
        let note = crate::cli::asked::question(plan).unwrap_or_else(|| {
            format!("{}, {}", plan.cause, counted(plan.changes.len(), "change", "changes"))
        });
        all.push(Todo {
            badge: Badge::new(Tone::Warn, "approve"),
            what: name_of(&view.who),
            note: prose(&note),
            href: format!("/plans/{}", plan.id),
            when: frame.at(&plan.made),
            rank: (1, plan.made),
        });
    }
    let which = batches::Which { state: Some("held".into()), source: None };
    for view in batches::list(state(), caller(), Params(which), wanted()).await?.0.items {
        all.push(Todo {
            badge: Badge::new(Tone::Bad, "held feed"),
            what: format!("A delivery of {} is held", view.batch.source),
            note: prose(view.reasons.first().map_or("", |(_, message)| message)),
            href: format!("/feeds/{}", view.batch.id),
            when: frame.at(&view.batch.at),
            rank: (0, view.batch.at),
        });
    }
    let which = || tasks::Which { state: Some("open".into()), identity: None };
    let open = every(|wanted| tasks::list(state(), caller(), Params(which()), wanted)).await?;
    for view in open {
        let overdue = view.task.due <= frame.now;
        all.push(Todo {
            badge: Badge::new(if overdue { Tone::Bad } else { Tone::Warn }, "task"),
            what: view.task.steps.first().map_or(String::new(), |step| step.instruction.clone()),
            note: prose(&format!("on {}, asked of {}", view.task.system, view.task.assignee)),
            href: format!("/tasks/{}", view.task.id),
            when: frame.at(&view.task.due),
            rank: (if overdue { 0 } else { 1 }, view.task.due),
        });
    }
    let mut due =
        every(|wanted| reviews::list(state(), caller(), Params(reviews::Which::default()), wanted)).await?;
    due.retain(|review| review.outcome.is_none());
    let reviews = due.len();
    for review in due {
        let overdue = review.due <= frame.now;
        let because: Vec<&str> = review.because.iter().map(|trigger| trigger.as_str()).collect();
        all.push(Todo {
            badge: Badge::new(if overdue { Tone::Bad } else { Tone::Warn }, "review"),
            what: format!("Look at {} anew", review.integration),
            note: prose(&format!("because of {}", because.join(", "))),
            href: format!("/integrations/{}#review", review.integration),
            when: frame.at(&review.due),
            rank: (if overdue { 0 } else { 2 }, review.due),
        });
    }
    all.extend(open_cases(hub, signed_in, frame).await?);
    let which = || findings::Which { state: Some("open".into()) };
    for view in every(|wanted| findings::list(state(), caller(), Params(which()), wanted)).await? {
        all.push(of_finding(&view.finding, view.who.map(|who| (name_of(&who), who.id.to_string())), frame));
    }
    // What waits is counted for the menu; only reviews are not.
    let counted: i64 = frame.ways.iter().flat_map(|(_, ways)| ways).map(counts).sum();
    Ok(Waiting { todo: all, all: usize::try_from(counted).unwrap_or_default() + reviews })
}

/// How many wait there, of what is on this page.
const fn counts(way: &Way) -> i64 {
    match way.place {
        Place::Plans | Place::Cases | Place::Findings | Place::Tasks | Place::Feeds => way.waits,
        // A finding says it, too.
        Place::Alignment => 0,
        Place::Home
        | Place::Integrations
        | Place::Reviews
        | Place::Identities
        | Place::Access
        | Place::Departures
        | Place::Names
        | Place::Terminations
        | Place::Systems
        | Place::Reconciling
        | Place::Policies
        | Place::Configuration
        | Place::Operators
        | Place::Evidence
        | Place::Api
        | Place::Search
        | Place::Mine => 0,
    }
}

/// Cases in which something is still alive, or unseen without a control.
async fn open_cases(hub: &Hub, signed_in: &SignedIn, frame: &Frame) -> Result<Vec<Todo>, Trouble> {
    let which = || cases::Which { state: Some("open".into()) };
    let list = |wanted| cases::list(State(hub.clone()), signed_in.caller.clone(), Params(which()), wanted);
    let found = every(list).await?;
    let of = |line: crate::api::CaseLine| {
        let count = |verdict: &str| line.verdicts.get(verdict).copied().unwrap_or_default();
        let (residual, unseen) = (count("residual"), count("unobservable"));
        let parts =
            [(residual, "still alive"), (unseen, "cannot be seen"), (count("pending"), "too early to tell")];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        Todo {
            badge: Badge::new(if residual > 0 { Tone::Bad } else { Tone::Warn }, "open case"),
            what: match line.who.key.starts_with(&format!("{HUB}/")) {
                true => format!("{} was ended", name_of(&line.who)),
                false => format!("{} left", line.who.name),
            },
            note: if parts.is_empty() { prose("not closed yet") } else { prose(&parts.join(", ")) },
            href: format!("/cases/{}", line.case.id),
            when: frame.at(&line.case.opened),
            rank: (if residual > 0 { 0 } else { 1 }, line.case.opened),
        }
    };
    Ok(found.into_iter().map(of).collect())
}

fn of_finding(finding: &Finding, who: Option<(String, String)>, frame: &Frame) -> Todo {
    let overdue = finding.deadline <= frame.now;
    let href = match (&who, &finding.system) {
        (Some((_, id)), _) => format!("/identities/{id}"),
        (None, Some(system)) => format!("/systems/{system}"),
        (None, None) => "/findings".to_owned(),
    };
    let about = who.map_or(String::new(), |(name, _)| format!("about {name}; "));
    Todo {
        badge: Badge::new(if overdue { Tone::Bad } else { Tone::Warn }, "finding"),
        what: title(&finding.code),
        note: prose(&format!("{}; {about}{} must act", finding.message, finding.owner)),
        href,
        when: frame.at(&finding.deadline),
        rank: (if overdue { 0 } else { 2 }, finding.deadline),
    }
}

fn tiles(figures: &Figures) -> Vec<Tile> {
    let mut tiles: Vec<Tile> = figures
        .measures
        .iter()
        .map(|measured| {
            let label = match measured.measure {
                Measure::FirstKill => "from departure to first kill, 95 of 100",
                Measure::CredentialsDead => "until every credential is dead, 95 of 100",
                Measure::CaseComplete => "until the case is closed, 95 of 100",
            };
            let (tone, figure) = match (&measured.took, measured.missed.len()) {
                (Some(took), 0) => (Tone::Good, span::show(took.p95_ms)),
                (Some(took), _) => (Tone::Bad, span::show(took.p95_ms)),
                (None, 0) => (Tone::Calm, "–".to_owned()),
                (None, _) => (Tone::Bad, "late".to_owned()),
            };
            let missed = match measured.missed.len() {
                0 => String::new(),
                n => format!("; {n} too late"),
            };
            Tile {
                tone,
                figure,
                label: format!("{label}; goal {}{missed}", span::show(measured.target_s * 1_000)),
            }
        })
        .collect();
    let still = figures.residual.still.len();
    tiles.push(Tile {
        tone: if still > 0 { Tone::Bad } else { Tone::Good },
        figure: span::show(figures.residual.total_ms),
        label: match still {
            0 => "residual: access that outlived people".into(),
            n => format!(
                "residual: access that outlived people; in {} it is not known to be gone",
                counted(n, "case", "cases")
            ),
        },
    });
    tiles
}

fn drills(figures: &Figures, frame: &Frame) -> Vec<DrillLine> {
    let line = |drill: &bailiwick_core::metrics::Drills| DrillLine {
        system: drill.system.clone(),
        badge: match drill.last {
            Some((_, true)) => Badge::new(Tone::Good, "✓ nothing was alive"),
            Some((_, false)) => Badge::new(Tone::Bad, "✗ something was alive"),
            None => Badge::new(Tone::Warn, "never drilled"),
        },
        at: drill.last.map(|(at, _)| frame.at(&at)),
    };
    figures.drills.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use axum::Json;

    use super::*;

    /// A list of so many, in pages.
    async fn numbers(all: usize, Params(wanted): Params<Wanted>) -> Answer<Page<usize>> {
        let (limit, after) = wanted.parts();
        let begin = after.map_or(0, |after| after.parse().unwrap());
        let end = all.min(begin + limit as usize);
        Ok(Json(Page { items: (begin..end).collect(), next: (end < all).then(|| end.to_string()) }))
    }

    #[tokio::test]
    async fn all_that_is_open_is_looked_at_and_not_the_oldest_alone() {
        for (all, expect) in [(0, 0), (201, 201), (1_000, 1_000), (2_345, 2_345), (99_999, LOOKED)] {
            let Ok(read) = every(|wanted| numbers(all, wanted)).await else { panic!("{all}") };
            assert_eq!(read, (0..expect).collect::<Vec<_>>());
        }
    }
}

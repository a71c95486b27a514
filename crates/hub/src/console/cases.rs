//! Cases: what became of somebody's access, cell by cell, until every cell is proven.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    access::AccessClass,
    case::Cell as CaseCell,
    control::Acceptance,
    exposure::Exposure,
    id::{CaseId, SystemName},
    time::Timestamp,
    verify::Verdict,
};
use serde::Deserialize;

use super::{
    act::acted,
    assets,
    frame::{Frame, Notice, Place, page},
    list::{List, gather, state},
    show::{Badge, Moment, Tone, name_of, prose, sign_of, tone_of},
    signed_in::{Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        CaseLine, CaseView, Hub,
        answer::{Body, Params, Segment},
        cases,
    },
    cli::{reasons, uses_of, verifier},
    problem::Problem,
    span,
};

const STATES: &[(&str, &str)] = &[("", "All"), ("open", "Open"), ("closed", "Closed")];

/// `GET /cases`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = gather(&view, |wanted| {
        let which = Params(cases::Which { state: state(&view) });
        cases::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Cases).await?;
    let row = |CaseLine { who, case, verdicts }: CaseLine| {
        let of = |name: &str| Cell::Number(verdicts.get(name).copied().unwrap_or_default() as i64);
        vec![
            Cell::Titled(
                name_of(&who),
                match &case.exposure {
                    Some(late) => format!("{}; told {} late", who.key, span::show(late.millis())),
                    None => who.key,
                },
                format!("/cases/{}", case.id),
            ),
            Cell::Badge(Badge::case(&case)),
            of("removed"),
            of("blocked"),
            of("residual"),
            of("pending"),
            of("unobservable"),
            Cell::at(case.opened, frame.now),
            Cell::At(case.closed.map(|at| Moment { at, now: frame.now }), "not yet"),
        ]
    };
    let rows = found.items.into_iter().map(row).collect();
    let columns = &[
        "who left",
        "state",
        "✓ removed",
        "◐ blocked",
        "✗ residual",
        "… pending",
        "? unseen",
        "opened",
        "closed",
    ];
    let empty =
        ("No cases here.", "One is opened for everybody who leaves, and for each integration that ends.");
    let table = Table::new(columns, rows, found.next, &view, empty);
    let lead = "One for each leaver: every class of access on every system, with what an independent reader saw. \
                It closes when every cell is proven.";
    List { frame, title: "Cases", lead, states: STATES, table, live: true }.answer(&view, "cases")
}

/// A cell of the matrix.
struct Square {
    tone: Tone,
    word: String,
    note: String,
}

#[derive(Template)]
#[template(path = "case.html")]
struct Shown {
    frame: Frame,
    state: Badge,
    systems: Vec<String>,
    rows: Vec<(AccessClass, Vec<Option<Square>>)>,
    reasons: Vec<String>,
    unseen: Vec<(SystemName, AccessClass, String)>,
    method: Table,
    proven: usize,
    cells: usize,
    /// What they could still do before the hub heard of it.
    exposed: Option<Exposed>,
    view: CaseView,
}

/// What was open to somebody whose departure was told late.
struct Exposed {
    lasted: String,
    heard: Moment,
    open: Vec<(SystemName, String, String)>,
}

fn exposed(exposure: &Exposure, now: Timestamp) -> Exposed {
    let open = exposure.access.iter().map(|(system, open)| {
        let held: Vec<&str> = open.entitlements.iter().map(|name| name.as_str()).collect();
        let held = if held.is_empty() { "the account".to_owned() } else { held.join(", ") };
        (system.clone(), held, uses_of(&open.uses))
    });
    let heard = Moment { at: exposure.heard, now };
    Exposed { lasted: span::show(exposure.millis()), heard, open: open.collect() }
}

/// `GET /cases/{case}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(case): Segment<CaseId>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, case, view.notice()).await?)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    case: CaseId,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let view = cases::show(State(hub.clone()), signed_in.caller.clone(), Segment(case)).await?.0;
    let frame = Frame::of(hub, signed_in, Place::Cases).await?.say(notice);
    let now = frame.now;
    let mut systems: Vec<&SystemName> = view.cells.iter().map(|cell| &cell.system).collect();
    systems.sort();
    systems.dedup();
    let found: BTreeMap<(AccessClass, &SystemName), &CaseCell> =
        view.cells.iter().map(|cell| ((cell.class, &cell.system), cell)).collect();
    let classes =
        AccessClass::ALL.into_iter().filter(|class| view.cells.iter().any(|cell| cell.class == *class));
    let rows = classes.map(|class| {
        let squares = systems.iter().map(|system| found.get(&(class, *system)).map(|cell| square(cell, now)));
        (class, squares.collect())
    });
    let rows = rows.collect();
    let unseen = view.cells.iter().filter_map(|cell| match &cell.verdict {
        Verdict::Unobservable { why, control: None } => Some((cell.system.clone(), cell.class, why.clone())),
        _ => None,
    });
    let method = view.cells.iter().map(|cell| {
        vec![
            Cell::text(cell.system.as_str()),
            Cell::text(cell.class.to_string()),
            Cell::Badge(Badge::verdict(&cell.verdict)),
            Cell::text(&cell.method),
            Cell::text(verifier(cell)),
            Cell::at(cell.at, now),
            Cell::text(cell.answer.as_ref().map_or(String::new(), |digest| digest.short())),
        ]
    });
    let columns = &["system", "class", "verdict", "read by", "verifier", "when", "digest of the answer"];
    Ok(Shown {
        state: Badge::case(&view.case),
        systems: systems.iter().map(ToString::to_string).collect(),
        reasons: reasons(&view.cells),
        unseen: unseen.collect(),
        method: Table::plain(columns, method.collect(), ("Nothing was read yet.", "")),
        proven: view.cells.iter().filter(|cell| cell.verdict.closes(now)).count(),
        cells: view.cells.len(),
        exposed: view.case.exposure.as_ref().map(|exposure| exposed(exposure, now)),
        rows,
        frame,
        view,
    })
}

fn square(cell: &CaseCell, now: bailiwick_core::time::Timestamp) -> Square {
    let at = |at| Moment { at, now }.words();
    let note = match &cell.verdict {
        Verdict::Removed => String::new(),
        Verdict::Blocked { purges_at: Some(purged) } => format!("purged {}", at(*purged)),
        Verdict::Blocked { purges_at: None } => "no purge date".into(),
        Verdict::Residual { what } => what.join(", "),
        Verdict::Pending { until } => format!("settles {}", at(*until)),
        Verdict::Unobservable { control: Some(control), .. } => {
            format!("control until {}", at(control.expires))
        }
        Verdict::Unobservable { control: None, .. } => "no control yet".into(),
    };
    Square {
        tone: tone_of(&cell.verdict),
        word: format!("{} {}", sign_of(&cell.verdict), cell.verdict.name()),
        note,
    }
}

/// What somebody accepts.
#[derive(Deserialize)]
pub struct Given {
    cell: String,
    owner: String,
    until: String,
    reason: String,
}

/// `POST /cases/{case}/accept`: what stands in for seeing.
pub async fn accept(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(case): Segment<CaseId>,
    Posted(given): Posted<Given>,
) -> Result<Response, Trouble> {
    let malformed = |what: &str| {
        Trouble::from(Problem::new(400, "request-malformed", format!("`{what}` is not readable")))
    };
    let (system, class) = given.cell.split_once('/').ok_or_else(|| malformed("cell"))?;
    let system = SystemName::new(system).map_err(|_| malformed("cell"))?;
    let class: AccessClass = serde_json::from_value(class.into()).map_err(|_| malformed("cell"))?;
    let until = given.until.parse().map_err(|_| malformed("until"))?;
    let acceptance = Acceptance { owner: given.owner.trim().to_owned(), until, reason: given.reason };
    let segment = Segment((case, system, class));
    let accepted =
        cases::accept(State(hub.clone()), signed_in.caller.clone(), segment, Body(acceptance)).await;
    acted(
        accepted,
        |_| format!("/cases/{case}?done=accepted"),
        |notice| shown(&hub, &signed_in, case, notice),
    )
    .await
}

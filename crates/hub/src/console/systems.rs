//! Systems: where access is held; comparing them with what is known, and drilling them.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    difference::{Answer, Class},
    drill::{Drill, Finding, Tried},
    id::SystemName,
    profile::{Profile, Way, WayEffect},
    system::System,
};
use bailiwick_store::Filter;
use serde::Deserialize;

use super::{
    act::{acted, refused},
    assets,
    frame::{Frame, Notice, Place, page},
    list::{List, done},
    show::{Badge, Moment, Tone, counted},
    signed_in::{Nothing, Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        Hub, ReconciledView, SystemStatus,
        answer::{Params, Segment},
        caller::Right,
        status, systems,
        wait::Wait,
    },
    cli::{deletes, does},
    render, span,
};

/// `GET /systems`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let frame = Frame::of(&hub, &signed_in, Place::Systems).await?;
    let schedule = status::schedule(&hub, &mut *hub.read().await?).await?;
    let at = |at: Option<_>, absent| Cell::At(at.map(|at| Moment { at, now: frame.now }), absent);
    let row = |one: &SystemStatus| {
        let seen = hub.engine.seen_so_far(&one.system);
        let state = match (seen, one.in_part) {
            (Some(seen), _) => Badge::new(Tone::Calm, format!("comparing: {seen} so far")),
            (None, true) => Badge::new(Tone::Warn, "seen in part"),
            (None, false) if one.reconciled.is_none() => Badge::new(Tone::Warn, "never compared"),
            (None, false) => Badge::new(Tone::Good, "compared"),
        };
        vec![
            Cell::link(one.system.as_str(), format!("/systems/{}", one.system)),
            Cell::Badge(state),
            at(one.reconciled, "never"),
            at(one.reconcile_next, "when asked"),
            at(one.probed, "never"),
            at(one.drilled, "never"),
        ]
    };
    let rows = schedule.iter().map(row).collect();
    let empty =
        ("No systems yet.", "Declare one, and the integration that reaches it: `bailiwick apply DIR`.");
    let table =
        Table::new(&["system", "state", "compared", "next", "probed", "drilled"], rows, None, &view, empty);
    let lead = "Where access is held. Each is compared with what is known of it, probed for how it really behaves, and drilled \
                with a canary that leaves.";
    List { frame, title: "Systems", lead, states: &[], table, live: true }.answer(&view, "systems")
}

#[derive(Template)]
#[template(path = "system.html")]
struct Shown {
    frame: Frame,
    system: System,
    comparing: Option<u64>,
    accounts: String,
    every: String,
    drill: Option<Drill>,
    drilled: Table,
    profile: Table,
    probed: Option<Probed>,
    compared: Option<Compared>,
    /// Whether who looks may probe and drill.
    may: bool,
}

/// When it was probed, and by whom.
struct Probed {
    at: Moment,
    by: String,
    /// Whether it is configured as it was then.
    current: bool,
}

/// What a comparison that was just made found.
struct Compared {
    summary: String,
    differences: Table,
    held: Option<String>,
    partial: Option<String>,
}

/// `GET /systems/{system}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<SystemName>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, &name, view.notice()).await?)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    name: &SystemName,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let frame = Frame::of(hub, signed_in, Place::Systems).await?.say(notice);
    let mut tx = hub.read().await?;
    let system: System = hub.find(&mut *tx, "system", name.as_str()).await?;
    let of = Filter::Is("system", name.as_str().into());
    let accounts = hub.count(&mut *tx, bailiwick_store::Table::Accounts, Some(of)).await?;
    drop(tx);
    let drill = hub.engine.last_drill(name).await?.filter(|drill| !drill.drilled.is_empty());
    let drilled = drill.iter().flat_map(|drill| &drill.drilled).map(|drilled| {
        let (tone, words) = match drilled.finding() {
            Finding::Proven => (Tone::Good, "proven: it worked before, and was rejected after"),
            Finding::Read => (Tone::Good, "read back as gone; nothing could be tried"),
            Finding::Unseen => (Tone::Warn, "can neither be read nor tried"),
            Finding::Alive => (Tone::Bad, "still there"),
            Finding::Untrusted => (Tone::Bad, "got in behind a clean read: readings of it are not believed"),
        };
        let untried = match &drilled.tried {
            Tried::Not { why } => why.clone(),
            Tried::TurnedAway | Tried::LetIn => String::new(),
        };
        vec![
            Cell::text(drilled.class.to_string()),
            Cell::Badge(Badge::verdict(&drilled.read)),
            Cell::Badge(Badge::new(tone, words)),
            Cell::text(untried),
        ]
    });
    let learned = hub.engine.profile(name).await?;
    Ok(Shown {
        comparing: hub.engine.seen_so_far(name),
        accounts: counted(accounts as usize, "account", "accounts"),
        every: span::show(system.reconcile_every_ms),
        drilled: Table::plain(
            &["class", "read back", "what became of the credential", "why it was not tried"],
            drilled.collect(),
            ("", ""),
        ),
        profile: profile(learned.as_ref().map(|(profile, _)| profile)),
        probed: learned.map(|(profile, current)| Probed {
            at: frame.at(&profile.at),
            by: profile.by,
            current,
        }),
        may: signed_in.caller.may(Right::Govern).is_ok(),
        compared: None,
        drill,
        frame,
        system,
    })
}

/// What a probe learned, line by line.
fn profile(learned: Option<&Profile>) -> Table {
    let of_way = |way: &Way| match &way.effect {
        WayEffect::Blocks if way.turned_away.is_empty() => {
            Badge::new(Tone::Good, "blocks, as far as reading shows")
        }
        WayEffect::Blocks => Badge::new(Tone::Good, "blocks, and what was tried is turned away"),
        WayEffect::LetsIn { .. } => Badge::new(Tone::Bad, "reads as blocked, and lets in"),
        WayEffect::Nothing => Badge::new(Tone::Bad, "is accepted, and does nothing"),
        WayEffect::Refused { code } => Badge::new(Tone::Warn, format!("is refused: {code}")),
    };
    let mut rows = Vec::new();
    if let Some(profile) = learned {
        let mut row = |what: String, badge| rows.push(vec![Cell::Text(what), Cell::Badge(badge)]);
        profile.ways.iter().for_each(|way| row(format!("disable by {}", way.name), of_way(way)));
        profile.forms.iter().for_each(|form| row(format!("change by {}", form.name), told(does(form))));
        row("delete".to_owned(), told(deletes(&profile.deletes)));
        for (attribute, honoured) in &profile.honours {
            let badge = match honoured {
                true => Badge::new(Tone::Good, "is changed"),
                false => Badge::new(Tone::Warn, "is not changed, whatever is answered"),
            };
            row(format!("attribute {attribute}"), badge);
        }
        if !profile.keeps.is_empty() {
            let kept: Vec<&str> = profile.keeps.iter().map(|class| class.as_str()).collect();
            row("a disabled account keeps".to_owned(), Badge::new(Tone::Warn, kept.join(", ")));
        }
    }
    let empty =
        ("It was never probed.", "On a canary is learned how it really disables, changes and deletes.");
    Table::plain(&["what", "what it does"], rows, empty)
}

/// What the command line says, with its tone.
fn told((tone, words): (render::Tone, String)) -> Badge {
    let tone = match tone {
        render::Tone::Good => Tone::Good,
        render::Tone::Warn => Tone::Warn,
        render::Tone::Bad => Tone::Bad,
        render::Tone::Plain | render::Tone::Dim => Tone::Calm,
    };
    Badge::new(tone, words)
}

/// What is to be done.
#[derive(Deserialize)]
pub struct How {
    #[serde(default)]
    full: bool,
    #[serde(default)]
    release: bool,
}

/// `POST /systems/{system}/compare`: compares it, and shows what differs.
pub async fn compare(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<SystemName>,
    Posted(How { full, release }): Posted<How>,
) -> Result<Response, Trouble> {
    let extent = systems::Extent { full, release };
    let (segment, wait) = (Segment(name.clone()), Params(Wait::default()));
    let caller = signed_in.caller.clone();
    match systems::reconcile(State(hub.clone()), caller, segment, Params(extent), wait).await {
        Ok(found) => {
            let mut shown = shown(&hub, &signed_in, &name, Some(Notice::done(done("compared")))).await?;
            shown.compared = Some(compared(&found.0));
            page(&shown)
        }
        Err(error) => refused(error, |notice| shown(&hub, &signed_in, &name, notice)).await,
    }
}

fn compared(found: &ReconciledView) -> Compared {
    let rows = found.differences.iter().map(|one| {
        let who = match &one.who {
            Some(who) => Cell::link(&who.name, format!("/identities/{}", who.id)),
            None => Cell::text("nobody known"),
        };
        vec![
            Cell::text(&one.differs.username),
            who,
            Cell::Badge(Badge::new(
                tone(one.differs.difference.class),
                one.differs.difference.class.to_string(),
            )),
            Cell::text(one.differs.difference.aspect.to_string()),
            Cell::text(if one.differs.held { "held" } else { answer(one.differs.answer) }),
        ]
    });
    let empty = ("Nothing differs.", "What is there is what should be there.");
    Compared {
        summary: format!(
            "{} seen, {} as they were, {} differ, {} not there any more",
            counted(found.accounts as usize, "account", "accounts"),
            found.unchanged,
            found.changed,
            found.gone
        ),
        differences: Table::plain(&["account", "whose", "class", "what", "answer"], rows.collect(), empty),
        held: found.held.as_ref().map(|over| {
            format!("It would change too much at once: {} were filed, {} are held.", over.filed, over.held)
        }),
        partial: found.partial.clone(),
    }
}

const fn tone(class: Class) -> Tone {
    match class {
        Class::Ghost | Class::Rogue => Tone::Bad,
        Class::Missing | Class::Drifted | Class::Unmanaged => Tone::Warn,
        Class::Shared | Class::OutOfBand => Tone::Calm,
    }
}

const fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Revert => "is put back",
        Answer::Adopt | Answer::Except { .. } => "somebody is asked whether to leave it",
        Answer::Tell => "told",
    }
}

/// `POST /systems/{system}/drill`: a canary with real credentials leaves, and each is tried.
pub async fn drill(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<SystemName>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    let drilled = systems::drill(State(hub.clone()), signed_in.caller.clone(), Segment(name.clone())).await;
    let to = |_| format!("/systems/{name}?done=drilled#drill");
    acted(drilled, to, |notice| shown(&hub, &signed_in, &name, notice)).await
}

/// `POST /systems/{system}/probe`: learns on a canary how it really behaves.
pub async fn probe(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<SystemName>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    let probed = systems::probe(State(hub.clone()), signed_in.caller.clone(), Segment(name.clone())).await;
    let to = |_| format!("/systems/{name}?done=probed#learned");
    acted(probed, to, |notice| shown(&hub, &signed_in, &name, notice)).await
}

//! Systems: where access is held; comparing them with what is known, and drilling them.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use bailiwick_core::{
    difference::{Answer, Class},
    drill::{Drill, Finding},
    id::SystemName,
    profile::WayEffect,
    system::System,
};
use bailiwick_store::Filter;
use serde::Deserialize;

use super::{
    assets,
    frame::{Frame, Notice, Place, page, refused},
    list::{List, done},
    show::{Badge, Moment, Tone, counted},
    signed_in::{Nothing, Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        ApiError, Hub, ReconciledView, SystemStatus,
        answer::{Params, Segment},
        status, systems,
        wait::Wait,
    },
    span,
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
    compared: Option<Compared>,
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
    let notice = view.notice();
    Ok(page(&shown(&hub, &signed_in, &name, notice).await?)?.into_response())
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
        vec![
            Cell::text(drilled.class.to_string()),
            Cell::Badge(Badge::verdict(&drilled.read)),
            Cell::Badge(Badge::new(tone, words)),
        ]
    });
    let learned = hub.engine.profile(name).await?;
    let profile = learned.iter().flat_map(|(profile, _)| &profile.ways).map(|way| {
        let (tone, words) = match &way.effect {
            WayEffect::Blocks if way.turned_away.is_empty() => {
                (Tone::Good, "blocks, as far as reading shows".into())
            }
            WayEffect::Blocks => (Tone::Good, "blocks, and what was tried is turned away".into()),
            WayEffect::LetsIn { .. } => (Tone::Bad, "reads as blocked, and lets in".into()),
            WayEffect::Nothing => (Tone::Bad, "is accepted, and does nothing".into()),
            WayEffect::Refused { code } => (Tone::Warn, format!("is refused: {code}")),
        };
        vec![Cell::text(&way.name), Cell::Badge(Badge::new(tone, words))]
    });
    Ok(Shown {
        comparing: hub.engine.seen_so_far(name),
        accounts: counted(accounts as usize, "account", "accounts"),
        every: span::show(system.reconcile_every_ms),
        drilled: Table::plain(
            &["class", "read back", "what became of the credential"],
            drilled.collect(),
            ("", ""),
        ),
        profile: Table::plain(
            &["disabling by", "what it does"],
            profile.collect(),
            ("Never probed.", "`bailiwick probe` learns on a canary how it really behaves."),
        ),
        compared: None,
        drill,
        frame,
        system,
    })
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
            Ok(page(&shown)?.into_response())
        }
        Err(error) => again(&hub, &signed_in, &name, error).await,
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
        Answer::Adopt | Answer::Except { .. } => "somebody is asked whether it stays",
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
    match systems::drill(State(hub.clone()), signed_in.caller.clone(), Segment(name.clone())).await {
        Ok(_) => Ok(Redirect::to(&format!("/systems/{name}?done=drilled")).into_response()),
        Err(error) => again(&hub, &signed_in, &name, error).await,
    }
}

async fn again(
    hub: &Hub,
    signed_in: &SignedIn,
    name: &SystemName,
    error: ApiError,
) -> Result<Response, Trouble> {
    refused(error, |notice| shown(hub, signed_in, name, notice)).await
}

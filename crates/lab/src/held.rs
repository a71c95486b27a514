//! Things: access of every class that has no words of its own, in one shape.
//!
//! A bot, a lease, a consent, a right on a mailbox, a live session behind a bastion: each is of a class, was made by
//! somebody, acts for somebody, may give a right on what is somebody's, works while it is there, and may end by
//! itself. They are listed from each side, also when the user is gone, because that is where they are found then; and
//! below `users/{id}/held`, which is gone with its user. What outlives whom is said in `lifecycle`.

use std::str::FromStr;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Behaviour,
    clock::rfc3339,
    exchange::Call,
    mint::Secret,
    refusal::Refusal,
    reply::Reply,
    system::System,
    vendor::found_active,
    world::{Change, World},
};

/// What runs by itself.
pub(crate) const AUTOMATIONS: &str = "automations";
/// What has an owner.
pub(crate) const OWNED: &str = "owned-nhis";
/// What is shown instead of a password.
pub(crate) const TICKETS: &str = "device-trust";

/// Something of a class that has no words of its own: a bot, a lease, a consent, a right on a mailbox. While it is
/// there it works.
#[derive(Clone)]
pub(crate) struct Thing {
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    /// When it ends by itself.
    pub(crate) ends_at_ms: Option<i64>,
    /// Id of the user who made it; it stays so when the thing passes to somebody else.
    pub(crate) maker: String,
    /// Whom it lets in or acts for: the id of a user, or whoever else it may be.
    pub(crate) holder: String,
    /// Id of the user on whose things it gives a right.
    pub(crate) on: Option<String>,
    pub(crate) secret: Secret,
}

impl Thing {
    /// Whether it ends with this user on a faithful system.
    pub(crate) fn touches(&self, user: &str) -> bool {
        self.maker == user || self.holder == user || self.on.as_deref() == Some(user)
    }
}

/// Whom a secret lets in, and by what.
pub(crate) struct Entered<'a> {
    /// Id of the user, or who else it is.
    pub(crate) who: &'a str,
    /// What it is: `token`, `session`, or the class of a thing.
    pub(crate) kind: &'a str,
    /// Its id.
    pub(crate) credential: &'a str,
}

/// From which side things are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those that let the user in or act for the user.
    For,
    /// Those that the user made.
    By,
    /// Those that give a right on what is the user's.
    On,
}

impl FromStr for Side {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "for" => Ok(Self::For),
            "by" => Ok(Self::By),
            "on" => Ok(Self::On),
            _ => Err(()),
        }
    }
}

impl Side {
    fn is(self, thing: &Thing, user: &str) -> bool {
        match self {
            Self::For => thing.holder == user,
            Self::By => thing.maker == user,
            Self::On => thing.on.as_deref() == Some(user),
        }
    }
}

/// Answers a request about things of a class, as seen from a user's side; `rest` is what follows.
pub(crate) fn route(
    system: &mut System,
    call: &Call,
    class: &str,
    side: Side,
    user: &str,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let theirs = system.shown().things_of(class).filter(|thing| side.is(thing, user));
            let things: Vec<Value> = theirs.map(object).collect();
            Ok(Reply::json(StatusCode::OK, json!({"user": user, "held": things})))
        }
        ("POST", []) if side == Side::For => make(system, call, class, user),
        ("DELETE", [thing]) => end(system, call, class, (side, user), thing),
        ("POST", [thing, "pass"]) => pass(system, call, class, (side, user), thing),
        (_, [] | [_] | [_, "pass"]) => Err(call.not_allowed()),
        _ => Err(call.not_found()),
    }
}

fn object(thing: &Thing) -> Value {
    let mut object = json!({
        "id": thing.id,
        "name": thing.name,
        "created": rfc3339(thing.created_ms),
        "maker": thing.maker,
        "holder": thing.holder,
        "on": thing.on,
    });
    if let Some(end) = thing.ends_at_ms {
        object["ends_at"] = rfc3339(end).into();
    }
    object
}

/// Id and holder of a thing that is seen from this side.
fn found(
    world: &World,
    call: &Call,
    class: &str,
    (side, user): (Side, &str),
    id: &str,
) -> Result<(String, String), Refusal> {
    let mut theirs = world.things_of(class).filter(|thing| side.is(thing, user));
    let thing = theirs.find(|thing| thing.id == id).ok_or_else(|| call.not_found())?;
    Ok((thing.id.clone(), thing.holder.clone()))
}

/// Ending what is gone already is 404.
fn end(
    system: &mut System,
    call: &Call,
    class: &str,
    whose: (Side, &str),
    id: &str,
) -> Result<Reply, Refusal> {
    let (thing, holder) = found(&system.truth, call, class, whose, id)?;
    if class == TICKETS && system.is(Behaviour::Ad) {
        return Err(Refusal::NotImplemented("recalling a ticket"));
    }
    system.commit(&call.cause, Change::ThingEnded { thing, holder }, call.now);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Gives a thing to the holder's heir, with a new secret: whoever knew the old one does not get in any more.
fn pass(
    system: &mut System,
    call: &Call,
    class: &str,
    whose: (Side, &str),
    id: &str,
) -> Result<Reply, Refusal> {
    let (thing, from) = found(&system.truth, call, class, whose, id)?;
    let to = system.heir(&from).ok_or_else(|| Refusal::NoTarget("nobody is there to get it".into()))?;
    let secret = Some(system.mint.secret());
    system.commit(&call.cause, Change::ThingPassed { thing, from, to, secret }, call.now);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    on: Option<String>,
    minutes: Option<i64>,
}

fn make(system: &mut System, call: &Call, class: &str, user: &str) -> Result<Reply, Refusal> {
    found_active(&system.truth, user)?;
    let asked = "the body must be `{\"name\": text}`, with `on` and `minutes` if wanted";
    let Asked { name, on, minutes } =
        serde_json::from_slice(call.body).map_err(|_| Refusal::InvalidSyntax(asked.into()))?;
    let asked = NewThing { name, on, minutes, class };
    let thing = new_thing(system, asked, user.to_owned(), user.to_owned(), call.now);
    let mut made = object(&thing);
    made["secret"] = thing.secret.expose().into();
    system.commit(&call.cause, Change::ThingMade { thing }, call.now);
    Ok(Reply::json(StatusCode::CREATED, made))
}

/// What is said of a thing that is to be made.
pub(crate) struct NewThing<'a> {
    pub(crate) class: &'a str,
    pub(crate) name: String,
    pub(crate) on: Option<String>,
    /// After how many minutes it ends by itself.
    pub(crate) minutes: Option<i64>,
}

pub(crate) fn new_thing(
    system: &mut System,
    asked: NewThing<'_>,
    maker: String,
    holder: String,
    now: i64,
) -> Thing {
    Thing {
        id: system.mint.id(),
        class: asked.class.to_owned(),
        name: asked.name,
        created_ms: now,
        ends_at_ms: asked.minutes.map(|minutes| now + minutes * 60_000),
        maker,
        holder,
        on: asked.on,
        secret: system.mint.secret(),
    }
}

//! One system, Ann who has something of every class there, and what truth says against what the case says.

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;

use axum::http::Request;
use bailiwick_core::{
    access::AccessClass, case::Cell, id::SystemName, profile::Profile, record::Actor, verify::Verdict,
};
use bailiwick_engine::Configuration;
use bailiwick_lab::{Behaviour, Seed, SeedThing, Truth};
use serde_json::json;
use tower::ServiceExt as _;

use super::world::{Passing, World};

pub const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
pub const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
pub const LEFT: &str = "1,Ann Archer,ann@x.test,Engineering,2026-01-01,left";

pub fn app() -> SystemName {
    SystemName::new("app").unwrap()
}

/// A further class of access: how it is seen, and what Ann has of it.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    class: &'static str,
    /// What the system calls it.
    thing: &'static str,
    /// Where it is listed.
    list: &'static str,
    revoke: Option<&'static str>,
    minutes: Option<i64>,
}

impl Held {
    const fn new(class: &'static str, thing: &'static str, list: &'static str) -> Self {
        Self { class, thing, list, revoke: Some(""), minutes: None }
    }

    /// Listed by who made it, there or not.
    pub const fn by(class: &'static str) -> Self {
        Self::new(class, class, "/api/held/THING/by/{id}")
    }

    /// Listed at the user, as long as there is the user.
    pub const fn of(class: &'static str) -> Self {
        Self::new(class, class, "/api/users/{id}/held/THING")
    }

    /// Rights on other people's mailboxes.
    pub const fn reaching(class: &'static str) -> Self {
        Self::new(class, "mailbox-rights", "/api/held/THING/for/{id}")
    }

    /// Other people's rights on the user's mailbox.
    pub const fn given(class: &'static str) -> Self {
        Self::new(class, "mailbox-rights", "/api/held/THING/on/{id}")
    }

    /// The vendor ends none of it.
    pub const fn kept(self) -> Self {
        Self { revoke: None, ..self }
    }

    /// It is given to somebody else instead of being ended.
    pub const fn passed(self) -> Self {
        Self { revoke: Some("/pass"), ..self }
    }

    /// It ends by itself.
    pub const fn minutes(self, minutes: i64) -> Self {
        Self { minutes: Some(minutes), ..self }
    }

    fn configure(&self, configuration: &mut Configuration) {
        configuration.systems[0].classes.insert(self.class.parse().unwrap());
        let list = self.list.replace("THING", self.thing);
        let mut setting = json!({ "list": list, "name": "name" });
        let mut rules = vec![format!("list GET {list}")];
        if let Some(rest) = self.revoke {
            let method = if rest.is_empty() { "DELETE" } else { "POST" };
            setting["revoke"] = format!("{method} {list}/{{item}}{rest}").into();
            rules.push(format!("revoke {method} {list}/{{item}}{rest}"));
        }
        let app = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "app").unwrap();
        app.settings["held"][self.class] = setting;
        app.scope.rules.extend(rules.iter().map(|rule| rule.parse().unwrap()));
    }

    fn seed(&self) -> SeedThing {
        let given = self.class == "mailbox-rights-given";
        let (holder, other) = if given { ("bob@x.test", "ann@x.test") } else { ("ann@x.test", "bob@x.test") };
        SeedThing {
            class: self.thing.into(),
            holder: holder.into(),
            name: self.class.into(),
            maker: Some("ann@x.test".into()).filter(|_| !given),
            on: (self.thing == "mailbox-rights").then(|| other.into()),
            minutes: self.minutes,
        }
    }
}

/// The vendor has no call that takes things of the class.
pub fn cannot_revoke(configuration: &mut Configuration, class: &str) {
    let app = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "app").unwrap();
    app.settings["held"][class].as_object_mut().unwrap().remove("revoke");
}

/// A canary is given API tokens, and they are tried.
pub fn tries_tokens(configuration: &mut Configuration) {
    let app = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "app").unwrap();
    let tokens = &mut app.settings["held"]["api-tokens"];
    tokens["issue"] = json!({
        "make": "POST /api/users/{id}/tokens", "body": { "name": "canary" }, "given": "secret"
    });
    tokens["try"] = "/api/whoami".into();
    let rules = ["issue POST /api/users/{id}/tokens", "try GET /api/whoami"];
    app.scope.rules.extend(rules.iter().map(|rule| rule.parse().unwrap()));
}

/// The scene.
pub struct Scene {
    pub world: World,
    ann: String,
    /// What lets somebody in as Ann, or by what she left behind, and what it is called.
    secrets: Vec<(&'static str, String)>,
    /// The name of each further class, and what it is on the system.
    things: Vec<(&'static str, String)>,
}

impl Scene {
    pub async fn new(behaviours: &[Behaviour], held: &[Held]) -> Self {
        Self::with(behaviours, held, |_| {}).await
    }

    pub async fn with(
        behaviours: &[Behaviour],
        held: &[Held],
        change: impl FnOnce(&mut Configuration),
    ) -> Self {
        let mut world = World::new(71, &[("app", behaviours)]).await;
        world
            .configure_with(|configuration| {
                held.iter().for_each(|held| held.configure(configuration));
                change(configuration);
            })
            .await;
        world.quiet().await;
        world.deliver(&[ANN, BOB]).await.unwrap();
        world.quiet().await;
        let seed = json!({
            "groups": [{ "name": "Engineering", "members": ["ann@x.test"] }],
            "licences": [{ "user": "ann@x.test", "sku": "pro" }],
            "tokens": [{ "user": "ann@x.test", "name": "ci" }], "sessions": ["ann@x.test"],
        });
        let seed: Seed = serde_json::from_value(seed).unwrap();
        let seed = Seed { held: held.iter().map(Held::seed).collect(), ..seed };
        let seeded = world.lab.seed("app", &seed).unwrap();
        let ann = world.lab.truth("app").unwrap().user("ann@x.test").unwrap().id.clone();
        let things: Vec<(&str, String)> =
            held.iter().zip(&seeded.held).map(|(held, made)| (held.class, made.id.clone())).collect();
        let mut secrets =
            vec![("token", seeded.tokens[0].secret.clone()), ("session", seeded.sessions[0].secret.clone())];
        secrets.extend(held.iter().zip(seeded.held).map(|(held, made)| (held.class, made.secret)));
        Self { world, ann, secrets, things }
    }

    /// Delivers what is said of Ann.
    pub async fn deliver(&mut self, ann: &str) {
        self.world.deliver(&[ann, BOB]).await.unwrap();
    }

    /// Ann leaves.
    pub async fn leave(&mut self) {
        self.deliver(LEFT).await;
        self.world.quiet().await;
    }

    pub async fn probe(&self) -> Profile {
        let by = Actor::Operator("ann".into());
        self.world.engine.probe(&app(), by, &Passing(self.world.hands.clone())).await.unwrap()
    }

    /// Drills the system; gives the classes of which what is read is not so.
    pub async fn drill(&self) -> BTreeSet<AccessClass> {
        let by = Actor::Operator("ann".into());
        self.world.engine.drill(&app(), by, &Passing(self.world.hands.clone())).await.unwrap().untrusted()
    }

    /// A person approves the plan that is left when nothing else worked.
    pub async fn approve_deletion(&mut self) {
        let plans = self.world.drafted().await;
        assert_eq!(plans.len(), 1, "one plan waits for a person");
        let approver = self.world.operator("approver", None).await;
        self.world.engine.approve(plans[0].plan.id, plans[0].digest, &approver).await.unwrap();
        self.world.quiet().await;
    }

    /// Somebody at the vendor does something with what Ann has.
    pub async fn by_hand(&self, method: &str, what: &str) {
        assert_eq!(self.asked(method, what).await, 204);
    }

    /// Ann gets a new password at the vendor, which ends her sessions.
    pub async fn end_sessions(&self) {
        assert_eq!(self.asked("DELETE", "sessions").await, 200);
    }

    async fn asked(&self, method: &str, what: &str) -> u16 {
        let uri = format!("/app/api/users/{}/{what}", self.ann);
        let request = Request::builder().method(method).uri(uri).header("authorization", "Bearer app-write");
        let request = request.body(axum::body::Body::empty()).unwrap();
        self.world.lab.router().oneshot(request).await.unwrap().status().as_u16()
    }

    /// The system's id of a thing of a further class.
    pub fn id(&self, class: &str) -> &str {
        &self.things.iter().find(|(known, _)| *known == class).unwrap().1
    }

    /// Whether what Ann had lets somebody in, tried from outside.
    pub fn works(&self, name: &str) -> bool {
        let secret = &self.secrets.iter().find(|(known, _)| *known == name).unwrap().1;
        self.world.lab.works("app", secret).unwrap()
    }

    fn truth(&self) -> Truth {
        self.world.lab.truth("app").unwrap()
    }

    /// What is really left of Ann and works.
    pub fn alive(&self) -> Vec<&str> {
        let truth = self.truth();
        let mut alive: BTreeSet<&str> = BTreeSet::new();
        if let Some(user) = truth.users.iter().find(|user| user.id == self.ann) {
            alive.extend(user.active.then_some("account"));
            alive.extend((!user.effective_groups.is_empty()).then_some("groups"));
            alive.extend((!user.licences.is_empty()).then_some("licence"));
        }
        alive.extend(self.secrets.iter().map(|(name, _)| *name).filter(|name| self.works(name)));
        alive.into_iter().collect()
    }

    pub async fn cell(&self, class: &str) -> Cell {
        let cells = self.world.all_cells().await;
        cells.into_iter().find(|cell| cell.class.as_str() == class).unwrap()
    }

    /// What the case says of a class.
    pub async fn verdict(&self, class: &str) -> String {
        self.cell(class).await.verdict.name().to_owned()
    }

    /// How many cases are open.
    pub async fn open(&self) -> usize {
        self.world.open_cases().await
    }

    /// The codes of the open findings.
    pub async fn findings(&self) -> Vec<String> {
        self.world.engine.open_findings().await.unwrap().into_iter().map(|finding| finding.code).collect()
    }

    /// The classes of which the case claims what is not true. It claims nothing of what it says is pending or cannot be
    /// seen; but it may only be closed when it claims of everything, or somebody answers for it.
    pub async fn disagreements(&self) -> Vec<String> {
        let mut out = Vec::new();
        let now = self.world.clock();
        let cells = self.world.all_cells().await;
        for cell in &cells {
            let (works, rests) = self.left(cell.class.as_str());
            let true_so = match &cell.verdict {
                Verdict::Removed => !works && !rests,
                Verdict::Blocked { .. } => !works && rests,
                Verdict::Residual { .. } => works,
                Verdict::Pending { .. } | Verdict::Unobservable { .. } => true,
            };
            if !true_so {
                out.push(cell.class.to_string());
            }
        }
        let closes = cells.iter().all(|cell| cell.verdict.closes(now));
        assert_eq!(self.open().await == 0, closes, "{cells:?}");
        out
    }

    /// Whether something of a class works, and whether something is there that does not.
    fn left(&self, class: &str) -> (bool, bool) {
        let truth = self.truth();
        let user = truth.users.iter().find(|user| user.id == self.ann);
        match class {
            "primary-account" => {
                let shown = user.filter(|user| !user.hidden);
                (shown.is_some_and(|user| user.active), shown.is_some_and(|user| !user.active))
            }
            "direct-groups" => (user.is_some_and(|user| !user.groups.is_empty()), false),
            "nested-groups" => {
                (user.is_some_and(|user| user.effective_groups.len() > user.groups.len()), false)
            }
            "licences" => (user.is_some_and(|user| !user.licences.is_empty()), false),
            "sessions" => (self.works("session"), false),
            "api-tokens" => {
                let tokens = || user.into_iter().flat_map(|user| &user.tokens);
                let rests = tokens().any(|t| t.status == bailiwick_lab::TokenStatus::Suspended);
                (tokens().any(|token| token.works), rests)
            }
            other => {
                let id = self.id(other);
                // Who was given a thing by a transfer has it; what Ann knew of it is dead.
                let theirs = |thing: &bailiwick_lab::TrueThing| {
                    thing.id == id && (thing.class != "owned-nhis" || self.works(other))
                };
                (truth.held.iter().any(theirs), false)
            }
        }
    }
}

//! Reviews of integrations and transfers of who answers for them; the clock is moved, nothing sleeps.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeSet;

use bailiwick_connector::seal::{Credential, Secret};
use bailiwick_core::{
    access::AccessClass,
    id::IntegrationName,
    integration::Purpose,
    record::Actor,
    review::{Decision, LastDrill, Resolves, Review, Whereabouts},
    time::{SignedDuration, Timestamp},
    transfer::Post,
    verify::Verdict,
};
use bailiwick_engine::{ConfigChange, Configuration, EngineError, Swept, Waiting};
use bailiwick_store::entities::{Operator, PlanRow};
use serde_json::json;
use world::{Passing, Phone, World};

const PEOPLE: [&str; 6] = [
    "1,Ann,ann@x.test,Engineering,,active",
    "2,Bo,bo@x.test,Finance,,active",
    "3,Cy,cy@x.test,Finance,,active",
    "4,Di,di@x.test,Finance,,active",
    "5,Ed,ed@x.test,Finance,,active",
    "6,Fi,fi@x.test,Finance,,active",
];

fn chat() -> IntegrationName {
    IntegrationName::new("chat").unwrap()
}

/// The feed is answered for by others, so that it stays when nobody answers for `chat`.
fn feed_is_others(configuration: &mut Configuration) {
    for integration in configuration.integrations.iter_mut().filter(|i| i.name.as_str() == "hr") {
        (integration.owner, integration.backup) = ("hr/3".into(), "hr/6".into());
    }
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// A hub with `chat` connected, and people for everything. `hr/1` owns, `hr/2` is the backup.
struct Scene {
    world: World,
    admin: Operator,
    architect: Operator,
    governor: Operator,
    owner: Operator,
    backup: Operator,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        world.people = ("hr/1", "hr/2");
        world.configure_with(feed_is_others).await;
        world.deliver(&PEOPLE).await.unwrap();
        world.pass(SignedDuration::from_mins(20));
        world.quiet().await;
        let admin = world.operator_with("admin", &["admin"], Some("hr/3"), 3650).await;
        world.operator_with("second", &["admin"], Some("hr/5"), 3650).await;
        let architect = world.operator_with("architect", &["integration-approver"], Some("hr/4"), 3650).await;
        let governor = world.operator_with("governor", &["identity-approver"], Some("hr/5"), 3650).await;
        let owner =
            world.operator_with("owner", &["operator", "identity-approver"], Some("hr/1"), 3650).await;
        let backup = world.operator_with("backup", &["operator"], Some("hr/2"), 3650).await;
        world.quiet_before(SignedDuration::from_mins(2)).await;
        let scene = Self { world, admin, architect, governor, owner, backup };
        assert_eq!(scene.writes_shut().await, None);
        scene
    }

    async fn ask(&self, change: impl FnOnce(&mut Configuration)) -> ConfigChange {
        let mut configuration = self.world.configuration();
        feed_is_others(&mut configuration);
        change(&mut configuration);
        let change = self.world.engine.configuration_change(&configuration).await.unwrap();
        self.world.engine.configure(&configuration, change.digest, &self.admin).await.unwrap()
    }

    async fn approve(&self, waiting: &Waiting, by: &Operator) -> Result<(), &'static str> {
        let row: PlanRow =
            self.world.plans().await.into_iter().find(|row| row.plan.id == waiting.plan).unwrap();
        let outcome = self.world.engine.approve(row.plan.id, row.digest, by).await;
        outcome.map(drop).map_err(|error| error.code())
    }

    async fn writes_shut(&self) -> Option<&'static str> {
        let mut tx = self.world.store.read().await.unwrap();
        let permit = self.world.engine.catalogue(&mut *tx).await.unwrap().permit(&chat());
        permit.writes.err().map(|shut| shut.code())
    }

    async fn owner_is(&self) -> (String, String) {
        let mut tx = self.world.store.read().await.unwrap();
        let catalogue = self.world.engine.catalogue(&mut *tx).await.unwrap();
        let chat = &catalogue.integrations[&chat()];
        (chat.owner.clone(), chat.backup.clone())
    }

    async fn has(&self, code: &str) -> bool {
        let open = self.world.engine.open_findings().await.unwrap();
        open.iter().any(|f| f.code == code && f.subject.split('/').next() == Some("chat"))
    }

    async fn pass(&mut self, by: SignedDuration) {
        self.world.pass(by);
        self.world.quiet_before(SignedDuration::from_mins(2)).await;
    }

    async fn decide(&self, decision: Decision, reason: &str, by: &Operator) -> Result<Review, EngineError> {
        let shown = self.world.engine.review_shown(&chat()).await.unwrap();
        self.world.engine.review(&chat(), decision, reason, shown.digest(), by, None).await
    }

    async fn refused(&self, decision: Decision, reason: &str, by: &Operator) -> &'static str {
        self.decide(decision, reason, by).await.unwrap_err().code()
    }

    /// The vendor issues other tokens, ends those of before, and the hub gets them.
    async fn rotate(&self, purposes: &[Purpose]) {
        for purpose in purposes {
            let old = if *purpose == Purpose::Write { "write" } else { "read" };
            let (name, token) = (format!("{old}-again"), format!("chat-{old}-again"));
            self.world.behind("chat", json!({ "grants": [[name, token]] }));
            assert_eq!(self.seal(*purpose, &token).await, None, "it is new");
        }
    }

    /// Seals a secret; gives since when the hub has had it.
    async fn seal(&self, purpose: Purpose, token: &str) -> Option<Timestamp> {
        let (secret, by) = (Credential::bearer(Secret::new(token)), Actor::Operator("admin".into()));
        self.world.engine.seal_credential(&chat(), purpose, secret, by).await.unwrap()
    }

    fn written(&self) -> u64 {
        self.world.effects().values().sum()
    }
}

#[tokio::test]
async fn a_review_that_nobody_does_bars_after_a_day_pauses_after_eight_and_lifts_when_done() {
    let mut scene = Scene::new(1).await;
    let at = |scene: &Scene| scene.world.engine.now();
    let begun = at(&scene);
    let shown = scene.world.engine.review_shown(&chat()).await.unwrap();
    let cadence = bailiwick_core::review::cadence(shown.class);
    scene.pass(days(cadence) - SignedDuration::from_mins(60)).await;
    assert!(!scene.has("review-due").await);
    scene.pass(SignedDuration::from_mins(120)).await;
    assert!(scene.has("review-due").await, "{begun}");
    assert!(!scene.has("review-overdue").await);

    let hr = IntegrationName::new("hr").unwrap();
    let feed = scene.world.engine.review_shown(&hr).await.unwrap().digest();
    let keep = |code: Option<String>| {
        let (engine, by, hr) = (scene.world.engine.clone(), scene.governor.clone(), hr.clone());
        async move {
            let kept = engine.review(&hr, Decision::Keep, "people come from it", feed, &by, code.as_deref());
            kept.await.map(drop).map_err(|error| error.code())
        }
    };
    // What decides who exists takes a code of the moment.
    assert_eq!(keep(None).await, Err("step-up-not-enrolled"));
    let address = scene.world.engine.enrol("governor", &scene.governor, None).await.unwrap();
    let phone = Phone::reads(address.address());
    assert_eq!(keep(None).await, Err("step-up-needed"));
    keep(Some(phone.code(scene.world.engine.now()))).await.unwrap();

    // A widening that was asked for before cannot be approved a day later.
    let widen = |c: &mut Configuration| {
        for integration in c.integrations.iter_mut().filter(|i| i.name == chat()) {
            integration.scope.rules.push("get GET /scim/v2/Me".parse().unwrap());
        }
    };
    let wider = scene.ask(widen).await;
    scene.pass(days(1)).await;
    assert!(scene.has("review-overdue").await);
    assert_eq!(scene.writes_shut().await, None);
    assert_eq!(scene.approve(&wider.waiting[0], &scene.architect).await, Err("review-overdue"));

    scene.pass(days(7)).await;
    assert_eq!(scene.writes_shut().await, Some("review-overdue"));
    let before = scene.written();
    let mut people = PEOPLE.to_vec();
    people.push("7,Gi,gi@x.test,Engineering,,active");
    scene.world.deliver(&people).await.unwrap();
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(scene.written(), before, "{:?}", scene.world.effects());
    // Lifting a quarantine lifts nothing of this.
    scene.world.engine.release(&chat(), Actor::Operator("admin".into())).await.unwrap();
    assert_eq!(scene.writes_shut().await, Some("review-overdue"));

    assert_eq!(scene.refused(Decision::Keep, "still needed", &scene.owner).await, "approval-by-owner");
    assert_eq!(scene.refused(Decision::Keep, "still needed", &scene.architect).await, "approval-not-allowed");
    assert_eq!(scene.refused(Decision::Keep, "  ", &scene.governor).await, "review-reason-missing");
    let done =
        scene.decide(Decision::Keep, "Sales writes to customers with it", &scene.governor).await.unwrap();
    assert_eq!(done.outcome.unwrap().person, "hr/5");
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(scene.writes_shut().await, None);
    assert!(!scene.has("review-due").await && !scene.has("review-overdue").await);
    scene.world.pass(SignedDuration::from_mins(30));
    scene.world.quiet().await;
    assert!(scene.world.truth().contains_key("chat/gi@x.test"), "{:?}", scene.world.truth());
    // The next one is a whole cadence later.
    scene.pass(days(cadence - 1)).await;
    assert!(!scene.has("review-due").await);
    scene.pass(days(2)).await;
    assert!(scene.has("review-due").await);
}

#[tokio::test]
async fn narrowing_keeps_what_was_used_and_revoking_shuts_both_gates() {
    let mut scene = Scene::new(2).await;
    let shown = scene.world.engine.review_shown(&chat()).await.unwrap();
    let used: BTreeSet<String> = shown.rules.iter().filter(|r| r.used).map(|r| r.rule.clone()).collect();
    assert!(used.contains("create POST /scim/v2/Users"), "{shown:?}");
    assert!(!used.contains("delete DELETE /scim/v2/Users/{id}"), "{shown:?}");
    assert_eq!(scene.refused(Decision::Narrow, "", &scene.owner).await, "approval-by-owner");
    scene.decide(Decision::Narrow, "", &scene.governor).await.unwrap();
    let left = |scene: &Scene| {
        let (engine, store) = (scene.world.engine.clone(), scene.world.store.clone());
        async move {
            let mut tx = store.read().await.unwrap();
            let catalogue = engine.catalogue(&mut *tx).await.unwrap();
            catalogue.integrations[&chat()]
                .scope
                .rules
                .iter()
                .map(ToString::to_string)
                .collect::<BTreeSet<_>>()
        }
    };
    assert_eq!(left(&scene).await, used);
    assert_eq!(scene.writes_shut().await, None);
    // What was seen stands for what is decided: an older look is refused.
    let digest = shown.digest();
    let late =
        scene.world.engine.review(&chat(), Decision::Keep, "needed", digest, &scene.governor, None).await;
    assert_eq!(late.unwrap_err().code(), "review-changed");
    // What was kept for nobody has used it since is nothing.
    scene.pass(SignedDuration::from_mins(20)).await;
    scene.decide(Decision::Revoke, "", &scene.governor).await.unwrap();
    assert_eq!(scene.writes_shut().await, Some("integration-approval-missing"));
}

#[tokio::test]
async fn what_changes_the_authority_and_what_happens_at_a_vendor_opens_a_review() {
    let mut scene = Scene::new(3).await;
    assert!(!scene.has("review-due").await);
    assert_eq!(
        scene.world.engine.sweep("somebody", false, &scene.admin).await.unwrap_err().code(),
        "not-found"
    );
    let theirs = scene.world.engine.sweep("nobody", false, &scene.admin).await.unwrap();
    assert!(theirs.integrations.contains(&(chat(), Swept::Unrotated)), "{theirs:?}");
    assert!(scene.has("review-due").await);
    scene.decide(Decision::Keep, "not touched by it", &scene.governor).await.unwrap();
    assert!(!scene.has("review-due").await);
    scene.pass(SignedDuration::from_mins(5)).await;
    let drill = LastDrill { at: scene.world.clock(), passed: false, tried: Vec::new() };
    scene.world.engine.note_drill(&chat(), drill, Actor::Operator("admin".into())).await.unwrap();
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert!(scene.has("review-due").await);
    scene.pass(days(1)).await;
    scene.decide(Decision::Keep, "the drill was mended", &scene.governor).await.unwrap();
    scene.pass(days(1)).await;
    assert!(!scene.has("review-due").await);
    // More scope is looked at once more, less is not.
    let wider = scene
        .ask(|c| {
            for integration in c.integrations.iter_mut().filter(|i| i.name == chat()) {
                integration.scope.rules.push("get GET /scim/v2/Me".parse().unwrap());
            }
        })
        .await;
    let [first, second] = &wider.waiting[..] else { panic!("{:?}", wider.waiting) };
    scene.approve(first, &scene.architect).await.unwrap();
    let (by, pause) = (Actor::Operator("admin".into()), Passing(scene.world.hands.clone()));
    assert!(scene.world.engine.test_scope(&chat(), by, &pause).await.unwrap().passed());
    scene.approve(second, &scene.governor).await.unwrap();
    assert!(scene.has("review-due").await);
    scene.decide(Decision::Keep, "tried", &scene.governor).await.unwrap();
    scene.ask(|_| {}).await;
    assert!(!scene.has("review-due").await);
}

#[tokio::test]
async fn a_leaving_owner_is_followed_by_who_accepts_and_changes_the_credentials() {
    let mut scene = Scene::new(4).await;
    let gone = "1,Ann,ann@x.test,Engineering,,left";
    let rest = &PEOPLE[1..];
    scene.world.deliver(&[&[gone], rest].concat()).await.unwrap();
    let open = scene.world.engine.open_findings().await.unwrap();
    let finding = open.iter().find(|f| f.code == "transfer-open" && f.subject == "chat/owner").unwrap();
    assert_eq!(finding.owner, "hr/2", "the backup is told");
    let sub_cases = async |world: &World| {
        let cells = world.cells().await;
        let of = |class: &str| cells.get(&format!("bailiwick/{class}")).cloned().unwrap_or_default();
        ([of("owned-nhis"), of("known-secrets")], world.open_cases().await)
    };
    let residual = || ["residual", "residual"].map(str::to_owned);
    assert_eq!(sub_cases(&scene.world).await, (residual(), 1), "what they own and know is in their case");
    assert_eq!(finding.deadline, bailiwick_core::time::working_days_after(scene.world.engine.now(), 5));

    // Nobody else accepts, and the backup must leave somebody behind.
    let accept = |backup: Option<&'static str>, by: &Operator| {
        let (engine, by) = (scene.world.engine.clone(), by.clone());
        async move { engine.accept_transfer(&chat(), backup, &by).await.map_err(|e| e.code()) }
    };
    assert_eq!(accept(None, &scene.admin).await, Err("transfer-not-proposed"));
    assert_eq!(accept(None, &scene.owner).await, Err("approver-unknown"));
    assert_eq!(accept(None, &scene.backup).await, Err("transfer-backup-missing"));
    let waiting = accept(Some("hr/6"), &scene.backup).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!(scene.owner_is().await, ("hr/1".into(), "hr/2".into()), "nothing is in force by itself");
    // The new backup has not accepted either.
    assert_eq!(scene.approve(&waiting[0], &scene.architect).await, Err("owner-not-accepted"));
    let sixth = scene.world.operator_with("sixth", &["operator"], Some("hr/6"), 3650).await;
    let again = scene.world.engine.accept_transfer(&chat(), None, &sixth).await.unwrap();
    assert_eq!(
        again.iter().map(|w| w.plan).collect::<Vec<_>>(),
        waiting.iter().map(|w| w.plan).collect::<Vec<_>>()
    );
    scene.approve(&waiting[0], &scene.architect).await.unwrap();
    scene.approve(&waiting[1], &scene.governor).await.unwrap();
    assert_eq!(scene.owner_is().await, ("hr/2".into(), "hr/6".into()));
    assert_eq!(scene.writes_shut().await, None);

    // The old file would undo it: that shows, and the old owner cannot accept.
    let change = scene.world.engine.configuration_change(&scene.world.configuration()).await.unwrap();
    assert!(change.lines.iter().any(|l| l.detail.iter().any(|d| d == "owner: hr/2 → hr/1")), "{change:?}");

    // The same secret once more is no other one: who has left knows it.
    scene.pass(days(1)).await;
    for (purpose, token) in [(Purpose::Write, "chat-write"), (Purpose::Verify, "chat-read")] {
        assert!(scene.seal(purpose, token).await.is_some());
    }
    assert_eq!(sub_cases(&scene.world).await, (residual(), 1));
    // One credential is not all of them.
    scene.rotate(&[Purpose::Write]).await;
    scene.pass(days(7)).await;
    assert_eq!(scene.writes_shut().await, Some("rotation-overdue"));
    assert!(scene.has("rotation-overdue").await);
    let known = scene.world.all_cells().await.into_iter().find(|c| c.class == AccessClass::KnownSecrets);
    let what = vec!["chat verify".to_owned()];
    assert_eq!(known.unwrap().verdict, Verdict::Residual { what }, "the other one is still what they knew");
    assert_eq!(sub_cases(&scene.world).await, (residual(), 1));
    scene.rotate(&[Purpose::Verify]).await;
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(sub_cases(&scene.world).await, (["removed", "removed"].map(str::to_owned), 0));
    assert!(!scene.has("rotation-overdue").await);
    assert_ne!(scene.writes_shut().await, Some("rotation-overdue"));
}

#[tokio::test]
async fn nobody_accepts_and_the_writes_end_on_the_fifth_working_day() {
    let mut scene = Scene::new(5).await;
    let moved = "1,Ann,ann@x.test,Finance,,active";
    scene.world.deliver(&[&[moved], &PEOPLE[1..]].concat()).await.unwrap();
    assert!(scene.has("transfer-open").await, "a move is enough");
    let deadline = bailiwick_core::time::working_days_after(scene.world.engine.now(), 5);
    let left = deadline.duration_since(scene.world.engine.now());
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    scene.pass(left - SignedDuration::from_mins(30)).await;
    assert_eq!(scene.writes_shut().await, None);
    scene.pass(SignedDuration::from_mins(40)).await;
    assert_eq!(scene.writes_shut().await, Some("owner-missing"));
    assert!(scene.has("owner-missing").await);
    let before = scene.written();
    let mut people = PEOPLE.to_vec();
    people[0] = moved;
    people.push("7,Gi,gi@x.test,Engineering,,active");
    scene.world.deliver(&people).await.unwrap();
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(scene.written(), before);

    // The one who moved may say that they still answer for it.
    let by = &scene.admin;
    scene.world.engine.propose_transfer(&chat(), Post::Owner, "hr/1", by).await.unwrap();
    scene.world.engine.accept_transfer(&chat(), None, &scene.owner).await.unwrap();
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(scene.writes_shut().await, None);
    scene.rotate(&[Purpose::Write, Purpose::Verify]).await;
    scene.pass(days(8)).await;
    assert_eq!(scene.writes_shut().await, None);
}

#[tokio::test]
async fn a_file_with_another_owner_is_a_request_that_they_must_accept() {
    let scene = Scene::new(6).await;
    let to_six = |c: &mut Configuration| {
        for integration in c.integrations.iter_mut().filter(|i| i.name == chat()) {
            integration.owner = "hr/6".into();
        }
    };
    let change = scene.ask(to_six).await;
    assert_eq!(change.waiting.len(), 2);
    assert_eq!(scene.approve(&change.waiting[0], &scene.architect).await, Err("owner-not-accepted"));
    assert_eq!(scene.owner_is().await.0, "hr/1");
    let sixth = scene.world.operator_with("sixth", &["operator"], Some("hr/6"), 3650).await;
    scene.world.engine.accept_transfer(&chat(), None, &sixth).await.unwrap();
    scene.approve(&change.waiting[0], &scene.architect).await.unwrap();
    scene.approve(&change.waiting[1], &scene.governor).await.unwrap();
    assert_eq!(scene.owner_is().await.0, "hr/6");
}

#[tokio::test]
async fn a_reviewer_sees_that_a_callback_leads_elsewhere_than_when_it_was_certified() {
    let mut scene = Scene::new(7).await;
    let address = "https://hooks.example/chat";
    let leads = |scene: &Scene, host: &str| {
        let place = Whereabouts::Found { hosts: BTreeSet::from([host.to_owned()]), certificate: None };
        scene.world.places.0.lock().unwrap().insert(address.into(), place);
    };
    leads(&scene, "198.51.100.1");
    let change = scene
        .ask(|c| {
            for integration in c.integrations.iter_mut().filter(|i| i.name == chat()) {
                integration.register.callbacks.push(address.into());
            }
        })
        .await;
    for (waiting, by) in change.waiting.iter().zip([&scene.architect, &scene.governor]) {
        scene.approve(waiting, by).await.unwrap();
    }
    assert!(scene.has("review-due").await, "another callback is a reason to look");
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    let resolves =
        async |scene: &Scene| scene.world.engine.review_shown(&chat()).await.unwrap().callbacks[0].resolves;
    assert_eq!(resolves(&scene).await, Resolves::Same);
    let seen = scene.world.engine.review_shown(&chat()).await.unwrap().digest();
    leads(&scene, "203.0.113.9");
    assert_eq!(resolves(&scene).await, Resolves::Elsewhere);
    // What was seen before it led elsewhere is no ground for a decision.
    let late =
        scene.world.engine.review(&chat(), Decision::Keep, "needed", seen, &scene.governor, None).await;
    assert_eq!(late.unwrap_err().code(), "review-changed");
    scene.pass(SignedDuration::from_mins(5)).await;
    scene.decide(Decision::Keep, "the vendor moved, and said so", &scene.governor).await.unwrap();
    scene.pass(SignedDuration::from_mins(5)).await;
    assert_eq!(resolves(&scene).await, Resolves::Same, "certified anew is pinned anew");
}

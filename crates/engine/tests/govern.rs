//! Integrations are governed identities: two gates, approvals that hold, and what attackers try.
//!
//! Judged by the truth of the simulated system: what was done there, not what the hub says.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "world/mod.rs"]
mod world;

use std::collections::BTreeSet;

use bailiwick_core::{
    approval::{Approval, Approver},
    digest::Digest,
    gate::Gate,
    id::{ApprovalId, IntegrationName, OperatorId, PlanId, Tenant},
    person::Ties,
    plan::Question,
    policy::{PolicyFile, PolicyId},
    record::Actor,
    scope_test::{ScopeTest, Shown, Tried},
    time::SignedDuration,
};
use bailiwick_engine::{ConfigChange, Configuration, EngineError, Waiting};
use bailiwick_store::{
    Entity, Update,
    entities::{Operator, PlanRow, PlanState},
};
use world::{Passing, Phone, World};

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,active";
const CY: &str = "3,Cy,cy@x.test,Finance,,active";
const DI: &str = "4,Di,di@x.test,Finance,,active";
const ED: &str = "5,Ed,ed@x.test,Finance,,active";

/// A hub that was set up by one administrator, with people in it, and now has several.
struct Scene {
    world: World,
    admin: Operator,
    second: Operator,
    architect: Operator,
    governor: Operator,
    /// The device of `second`.
    phone: Phone,
}

fn chat() -> IntegrationName {
    IntegrationName::new("chat").unwrap()
}

impl Scene {
    /// The feed is set up, the system `chat` is not.
    async fn new(seed: u64) -> Self {
        Self::of(World::new(seed, &[("chat", &[])]).await).await
    }

    async fn of(mut world: World) -> Self {
        world.people = ("hr/1", "hr/2");
        world.configure_with(|c| c.integrations.retain(|i| i.name.as_str() != "chat")).await;
        world.quiet_before(SignedDuration::from_mins(2)).await;
        world.deliver(&[ANN, BO, CY, DI, ED]).await.unwrap();
        let admin = world
            .operator_with(
                "admin",
                &["admin", "integration-approver", "identity-approver"],
                Some("hr/3"),
                365,
            )
            .await;
        let second = world.operator_with("second", &["admin"], Some("hr/5"), 365).await;
        let architect = world
            .operator_with("architect", &["integration-approver", "identity-approver"], Some("hr/4"), 365)
            .await;
        let governor = world
            .operator_with("governor", &["identity-approver", "integration-approver"], Some("hr/5"), 365)
            .await;
        let address = world.engine.enrol("second", &second, None).await.unwrap();
        let phone = Phone::reads(address.address());
        Self { world, admin, second, architect, governor, phone }
    }

    async fn ask(&self, change: impl FnOnce(&mut Configuration)) -> ConfigChange {
        let mut configuration = self.world.configuration();
        change(&mut configuration);
        let change = self.world.engine.configuration_change(&configuration).await.unwrap();
        self.world.engine.configure(&configuration, change.digest, &self.admin).await.unwrap()
    }

    async fn approve(&self, waiting: &Waiting, by: &Operator) -> Result<(), &'static str> {
        let plan = self.row(waiting.plan).await;
        // Each code counts once.
        self.world.pass(SignedDuration::from_secs(30));
        let code = (by.id == self.second.id).then(|| self.phone.code(self.world.engine.now()));
        let outcome = self.world.engine.approve_with(plan.plan.id, plan.digest, by, code.as_deref()).await;
        outcome.map(|_| ()).map_err(|error| error.code())
    }

    async fn row(&self, plan: PlanId) -> PlanRow {
        self.world.plans().await.into_iter().find(|row| row.plan.id == plan).unwrap()
    }

    async fn seal(&self) {
        use bailiwick_connector::seal::{Credential, Secret};
        use bailiwick_core::integration::Purpose;
        for (purpose, token) in [(Purpose::Write, "chat-write"), (Purpose::Verify, "chat-read")] {
            let secret = Credential::bearer(Secret::new(token));
            let by = Actor::Operator("admin".into());
            self.world.engine.seal_credential(&chat(), purpose, secret, by).await.unwrap();
        }
    }

    /// The codes of what the integration may not read and not write.
    async fn shut(&self) -> (Option<&'static str>, Option<&'static str>) {
        let mut tx = self.world.store.read().await.unwrap();
        let permit = self.world.engine.catalogue(&mut *tx).await.unwrap().permit(&chat());
        (permit.reads.err().map(|s| s.code()), permit.writes.err().map(|s| s.code()))
    }

    async fn codes(&self) -> BTreeSet<String> {
        self.world.engine.open_findings().await.unwrap().into_iter().map(|f| f.code).collect()
    }

    fn written(&self) -> usize {
        self.world.effects().values().map(|n| *n as usize).sum()
    }

    async fn test(&self) -> Result<ScopeTest, &'static str> {
        let by = Actor::Operator("admin".into());
        let pause = Passing(self.world.hands.clone());
        self.world.engine.test_scope(&chat(), by, &pause).await.map_err(|error| error.code())
    }

    /// Both gates of `chat` are open.
    async fn connected(seed: u64) -> Self {
        let mut scene = Self::new(seed).await;
        let change = scene.ask(|_| {}).await;
        let [first, second] = &change.waiting[..] else { panic!("{:?}", change.waiting) };
        scene.approve(first, &scene.architect).await.unwrap();
        scene.approve(second, &scene.governor).await.unwrap();
        scene.seal().await;
        scene.world.pass(SignedDuration::from_mins(20));
        scene.world.quiet().await;
        assert_eq!(scene.shut().await, (None, None));
        scene
    }
}

#[tokio::test]
async fn reads_take_the_first_gate_and_writes_take_both() {
    let mut scene = Scene::new(1).await;
    let change = scene.ask(|_| {}).await;
    let asked: Vec<Question> = change.waiting.iter().map(|w| w.question).collect();
    assert_eq!(asked, [Question::IntegrationApproved, Question::IdentityAuthorityApproved]);
    assert_eq!(
        scene.shut().await,
        (Some("integration-approval-missing"), Some("integration-approval-missing"))
    );

    scene.approve(&change.waiting[0], &scene.architect).await.unwrap();
    scene.seal().await;
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(scene.shut().await, (None, Some("identity-authority-missing")));
    assert_eq!(scene.written(), 0, "{:?}", scene.world.effects());
    assert!(scene.codes().await.contains("identity-authority-missing"));
    let system = bailiwick_core::id::SystemName::new("chat").unwrap();
    scene.world.engine.reconcile(&system, false).await.unwrap();

    // What waited goes out at once, however long it was put off.
    scene.approve(&change.waiting[1], &scene.governor).await.unwrap();
    scene.world.quiet_before(SignedDuration::from_secs(6)).await;
    assert!(scene.world.truth()["chat/ann@x.test"].contains("Engineering"), "{:?}", scene.world.truth());

    // Taken back alone: nothing is written any more, and it still reads.
    scene.world.engine.withdraw(&chat(), &[Gate::IdentityAuthorityApproved], &scene.second).await.unwrap();
    let before = scene.written();
    scene.world.deliver(&[ANN, BO, CY, DI, ED, "6,Fi,fi@x.test,Finance,,active"]).await.unwrap();
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!((scene.written(), scene.shut().await), (before, (None, Some("identity-authority-missing"))));
    scene.world.engine.reconcile(&system, false).await.unwrap();
}

#[tokio::test]
async fn a_gate_that_was_taken_alone_is_asked_for_alone_and_opens_again() {
    for gate in Gate::ALL {
        let scene = Scene::connected(13).await;
        scene.world.engine.withdraw(&chat(), &[gate], &scene.second).await.unwrap();
        let shut = scene.shut().await;
        assert_eq!(shut.0.is_some(), gate == Gate::IntegrationApproved, "{shut:?}");
        let waiting = scene.world.engine.recertify(&chat(), &scene.admin).await.unwrap();
        let asked: Vec<Question> = waiting.iter().map(|w| w.question).collect();
        let expect = match gate {
            Gate::IntegrationApproved => Question::IntegrationApproved,
            Gate::IdentityAuthorityApproved => Question::IdentityAuthorityApproved,
        };
        assert_eq!(asked, [expect], "what was not taken is not asked for again");
        let by = match gate {
            Gate::IntegrationApproved => &scene.architect,
            Gate::IdentityAuthorityApproved => &scene.governor,
        };
        scene.approve(&waiting[0], by).await.unwrap();
        assert_eq!(scene.shut().await, (None, None));
    }
}

#[tokio::test]
async fn nobody_approves_what_is_theirs_and_no_one_person_opens_both_gates() {
    let scene = Scene::new(2).await;
    let ties = |person: &str, also: &[&str], delegates: &[&str]| Ties {
        person: person.into(),
        also: also.iter().map(ToString::to_string).collect(),
        delegates: delegates.iter().map(ToString::to_string).collect(),
    };
    let tied = scene
        .ask(|c| {
            c.integrations.retain(|i| i.name.as_str() != "chat");
            c.ties = vec![ties("hr/1", &["hr/91"], &["hr/92"])];
        })
        .await;
    scene.approve(&tied.waiting[0], &scene.second).await.unwrap();
    let change = scene.ask(|c| c.ties = vec![ties("hr/1", &["hr/91"], &["hr/92"])]).await;
    let [first, second] = &change.waiting[..] else { panic!("{:?}", change.waiting) };

    let both = ["integration-approver", "identity-approver"];
    for (name, roles, person, expect) in [
        ("requester-again", &both[..], "hr/3", "approval-by-requester"),
        ("owner", &both[..], "hr/1", "approval-by-owner"),
        ("backup", &both[..], "hr/2", "approval-by-owner"),
        ("second-account", &both[..], "hr/91", "approval-by-owner"),
        ("delegate", &both[..], "hr/92", "approval-by-delegate"),
        ("robot", &both[..], "bailiwick/chat", "approval-by-beneficiary"),
        ("other-gate-only", &["identity-approver"][..], "hr/4", "approval-not-allowed"),
        ("nobody-in-particular", &["approver", "admin"][..], "hr/4", "approval-not-allowed"),
    ] {
        let by = scene.world.operator_with(name, roles, Some(person), 365).await;
        assert_eq!(scene.approve(first, &by).await, Err(expect), "{name}");
    }
    let by = scene.world.engine.add_operator(
        "unknown",
        both.map(str::to_owned).into(),
        None,
        1,
        Actor::Hub("test".into()),
    );
    assert_eq!(scene.approve(first, &by.await.unwrap().0).await, Err("approver-unknown"));

    scene.approve(first, &scene.architect).await.unwrap();
    assert_eq!(scene.approve(second, &scene.architect).await, Err("approval-by-same-person"));
    let again = scene.world.operator_with("architect-again", &both, Some("hr/4"), 365).await;
    assert_eq!(scene.approve(second, &again).await, Err("approval-by-same-person"));
    scene.approve(second, &scene.governor).await.unwrap();
    assert_eq!(scene.shut().await, (None, None));
}

/// Of two approvals at the same moment on two nodes neither is there yet for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_one_person_opens_both_gates_at_the_same_moment() {
    let Some(address) = bailiwick_store::testkit::postgres::database().await else { return };
    let store = bailiwick_store::open(&address).await.unwrap();
    let scene = Scene::of(World::on(store, 8, &[("chat", &[])]).await).await;
    let change = scene.ask(|_| {}).await;
    let [first, second] = &change.waiting[..] else { panic!("{:?}", change.waiting) };
    let (reached, open) = scene.world.faults.before_turn("govern");
    let other = async {
        reached.acquire().await.unwrap().forget();
        let approved = scene.approve(second, &scene.architect).await;
        open.close();
        approved
    };
    let both = tokio::join!(scene.approve(first, &scene.architect), other);
    assert_eq!(both, (Err("approval-by-same-person"), Ok(())));
}

#[tokio::test]
async fn an_approval_is_for_one_plan_once_and_in_time() {
    let scene = Scene::new(3).await;
    let change = scene.ask(|_| {}).await;
    let [first, second] = &change.waiting[..] else { panic!("{:?}", change.waiting) };
    let digest = scene.row(second.plan).await.digest;
    let approve = |plan, digest| async move {
        let by = &scene.architect;
        (scene.world.engine.approve(plan, digest, by).await.map(|_| ()).map_err(|e| e.code()), scene)
    };
    let (outcome, scene) = approve(first.plan, digest).await;
    assert_eq!(outcome, Err("approval-digest-mismatch"));
    scene.approve(first, &scene.architect).await.unwrap();
    assert_eq!(scene.approve(first, &scene.governor).await, Err("approval-used"));
    // A newer request takes the place of an older one.
    let wider = |c: &mut Configuration| c.integrations.iter_mut().for_each(|i| i.purpose = "more".into());
    scene.ask(wider).await;
    assert_eq!(scene.approve(second, &scene.governor).await, Err("plan-superseded"));
}

/// Writes what an attacker with the database's password writes, without the hub's key.
fn record(scene: &Scene) -> bailiwick_core::record::Record {
    use bailiwick_core::record::{Record, RecordKind};
    let now = scene.world.engine.now();
    Record::new(RecordKind::Approved, now, Actor::Operator("kim".into()), &*scene.world.dice)
}

fn forged(scene: &Scene, row: &PlanRow) -> Approval {
    let now = scene.world.engine.now();
    let operator =
        Approver::Operator { id: OperatorId::from_bytes([9; 16]), name: "kim".into(), person: None };
    Approval {
        id: ApprovalId::new(now, &*scene.world.dice),
        plan: row.plan.id,
        digest: row.plan.digest(),
        by: operator,
        policies: vec![PolicyId::new("hub-integration-gate")],
        covers: row.plan.opens().into_iter().map(|(_, covers)| covers).collect(),
        at: now,
        expires: now.saturating_add(SignedDuration::from_hours(8)).unwrap(),
        used: None,
        seal: Digest::of(b"no key").to_string(),
    }
}

#[tokio::test]
async fn an_approval_put_into_the_database_by_hand_is_found_and_does_not_count() {
    let mut scene = Scene::new(4).await;
    let change = scene.ask(|c| c.systems[0].title = "Chat".into()).await;
    let (configuration, gates): (Vec<_>, Vec<_>) =
        change.waiting.iter().partition(|w| w.question == Question::Configuration);
    assert_eq!(gates.len(), 2, "{:?}", change.waiting);
    for waiting in gates {
        let row = scene.row(waiting.plan).await;
        let approval = forged(&scene, &row);
        let changed = PlanRow { state: PlanState::Waiting { approval: approval.id }, ..row };
        let update = Update::new(record(&scene)).insert(&approval, &*scene.world.dice);
        scene.world.tamper(update.replace(&changed, 1, &*scene.world.dice)).await;
    }
    // The next thing that is approved looks at all that waits.
    scene.approve(configuration[0], &scene.second).await.unwrap();
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(scene.shut().await.1, Some("integration-approval-missing"));
    assert_eq!(scene.written(), 0);
    assert!(scene.codes().await.contains("approval-forged"), "{:?}", scene.codes().await);
}

#[tokio::test]
async fn a_scope_widened_in_the_database_shuts_the_integration() {
    let scene = Scene::connected(5).await;
    let mut tx = scene.world.store.read().await.unwrap();
    let table = bailiwick_store::Select::from(bailiwick_store::Table::Integrations);
    let tenant = Tenant::single();
    let found = bailiwick_store::select::<bailiwick_core::integration::Integration>(&mut *tx, &tenant, table);
    let stored = found.await.unwrap().into_iter().find(|s| s.value.name == chat()).unwrap();
    drop(tx);
    let mut wider = stored.value.clone();
    wider.scope.rules.push("grant PUT /api/admins/{id}".parse().unwrap());
    scene
        .world
        .tamper(Update::new(record(&scene)).replace(&wider, stored.revision, &*scene.world.dice))
        .await;
    assert_eq!(scene.shut().await.0, Some("integration-approval-missing"));
}

#[tokio::test]
async fn a_plan_altered_after_its_approval_is_not_carried_out() {
    let mut scene = Scene::connected(6).await;
    // A plan of somebody's access, approved by a rule, waits because its integration is stopped for now.
    scene.world.engine.withdraw(&chat(), &[Gate::IdentityAuthorityApproved], &scene.second).await.unwrap();
    scene.world.deliver(&[ANN, BO, CY, DI, ED, "6,Fi,fi@x.test,Finance,,active"]).await.unwrap();
    let row = scene.world.plans().await.into_iter().rfind(|row| row.state.name() == "approved").unwrap();
    let mut altered = row.clone();
    for change in &mut altered.plan.changes {
        if let bailiwick_core::plan::Op::CreateAccount { attributes, .. } = &mut change.op {
            attributes.insert("userName".into(), "mallory@x.test".into());
        }
    }
    assert_ne!(altered.plan, row.plan);
    altered.digest = altered.plan.digest();
    let mut tx = scene.world.store.read().await.unwrap();
    let stored =
        bailiwick_store::get::<PlanRow>(&mut *tx, &Tenant::single(), &row.key()).await.unwrap().unwrap();
    drop(tx);
    scene
        .world
        .tamper(Update::new(record(&scene)).replace(&altered, stored.revision, &*scene.world.dice))
        .await;
    scene.world.pass(SignedDuration::from_mins(20));
    scene.world.quiet_before(SignedDuration::from_mins(2)).await;
    assert!(!scene.world.truth().keys().any(|who| who.contains("mallory")), "{:?}", scene.world.truth());
    assert!(scene.codes().await.contains("approval-digest-mismatch"), "{:?}", scene.codes().await);
}

#[tokio::test]
async fn less_takes_one_person_and_is_in_force_at_once_while_more_takes_two() {
    let scene = Scene::connected(7).await;
    let less = |c: &mut Configuration| {
        for integration in c.integrations.iter_mut().filter(|i| i.name.as_str() == "chat") {
            integration.scope.rules.retain(|rule| !rule.to_string().starts_with("delete"));
        }
    };
    let change = scene.ask(less).await;
    assert_eq!(change.waiting, []);
    assert_eq!(scene.shut().await, (None, None));
    let rules = |name: IntegrationName| {
        let engine = scene.world.engine.clone();
        let store = scene.world.store.clone();
        async move {
            let mut tx = store.read().await.unwrap();
            let catalogue = engine.catalogue(&mut *tx).await.unwrap();
            catalogue.integrations[&name].scope.rules.iter().map(ToString::to_string).collect::<Vec<_>>()
        }
    };
    assert!(!rules(chat()).await.iter().any(|rule| rule.starts_with("delete")));

    // Back to what it was: that is more, and what is certified stays in force until both have approved.
    let change = scene.ask(|_| {}).await;
    assert_eq!(change.waiting.len(), 2, "{:?}", change.waiting);
    let [first, second] = &change.waiting[..] else { panic!() };
    assert_eq!(scene.approve(second, &scene.governor).await, Err("scope-untested"));
    assert_eq!(scene.test().await.map(drop), Err("scope-test-not-due"));
    scene.approve(first, &scene.architect).await.unwrap();
    assert_eq!(scene.shut().await, (None, None));
    assert_eq!(scene.approve(second, &scene.governor).await, Err("scope-untested"));
    let people = scene.world.truth();
    let trial = scene.test().await.unwrap();
    assert!(trial.passed(), "{trial:?}");
    let shown: Vec<&str> = trial.tried.iter().map(|t| t.what.as_str()).collect();
    assert!(shown.contains(&"delete an account"), "{trial:?}");
    assert_eq!(scene.world.truth(), people, "the canary is gone, and nobody was touched");
    assert!(!rules(chat()).await.iter().any(|rule| rule.starts_with("delete")));
    scene.approve(second, &scene.governor).await.unwrap();
    assert_eq!(scene.shut().await, (None, None));
    assert!(rules(chat()).await.iter().any(|rule| rule.starts_with("delete")));
}

#[tokio::test]
async fn a_single_administrator_changes_nothing_alone_once_a_second_one_exists() {
    let world = World::new(8, &[("chat", &[])]).await;
    let first = world.operator_with("first", &["admin"], Some("hr/3"), 365).await;
    let findings = world.engine.open_findings().await.unwrap();
    assert!(findings.iter().any(|f| f.code == "hub-bootstrap" && f.owner == "first"), "{findings:?}");
    let ask = |configuration: Configuration| {
        let (engine, first) = (world.engine.clone(), first.clone());
        async move {
            let change = engine.configuration_change(&configuration).await.unwrap();
            engine.configure(&configuration, change.digest, &first).await.unwrap().waiting
        }
    };
    assert_eq!(ask(world.configuration()).await, []);
    world.operator_with("second", &["admin"], Some("hr/4"), 365).await;
    assert!(!world.engine.open_findings().await.unwrap().iter().any(|f| f.code == "hub-bootstrap"));
    let mut other = world.configuration();
    other.policies.push(PolicyFile {
        path: "mine.cedar".into(),
        text: r#"@id("mine") permit(principal, action == Action::"hold", resource == Entitlement::"chat/admins");"#.into(),
    });
    let waiting = ask(other).await;
    assert_eq!(waiting.iter().map(|w| w.question).collect::<Vec<_>>(), [Question::Configuration]);
    let row = world.plans().await.into_iter().find(|row| row.plan.id == waiting[0].plan).unwrap();
    let outcome = world.engine.approve(row.plan.id, row.digest, &first).await;
    assert!(
        matches!(&outcome, Err(EngineError::Refused(r)) if r.code() == "approval-by-requester"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_bootstrap_ends_at_its_deadline() {
    let world = World::new(9, &[("chat", &[])]).await;
    let first = world.operator_with("first", &["admin"], Some("hr/3"), 365).await;
    world.pass(SignedDuration::from_hours(15 * 24));
    let configuration = world.configuration();
    let change = world.engine.configuration_change(&configuration).await.unwrap();
    let waiting = world.engine.configure(&configuration, change.digest, &first).await.unwrap().waiting;
    assert!(!waiting.is_empty());
}

#[tokio::test]
async fn a_test_is_of_exactly_what_is_declared_and_a_forged_one_does_not_count() {
    let scene = Scene::connected(10).await;
    let wider = |purpose: &'static str| {
        move |c: &mut Configuration| {
            for integration in c.integrations.iter_mut().filter(|i| i.name.as_str() == "chat") {
                integration.scope.rules.push("grant PUT /api/users/{id}/extras/{sku}".parse().unwrap());
                integration.purpose = purpose.into();
            }
        }
    };
    let change = scene.ask(wider("one")).await;
    scene.approve(&change.waiting[0], &scene.architect).await.unwrap();
    let trial = scene.test().await.unwrap();
    assert!(trial.passed(), "{trial:?}");
    // What is declared then is something else.
    let change = scene.ask(wider("two")).await;
    let [first, second] = &change.waiting[..] else { panic!("{:?}", change.waiting) };
    scene.approve(first, &scene.architect).await.unwrap();
    assert_eq!(scene.approve(second, &scene.governor).await, Err("scope-untested"));

    let declared = {
        let mut configuration = scene.world.configuration();
        wider("two")(&mut configuration);
        configuration.integrations.into_iter().find(|i| i.name == chat()).unwrap().declared()
    };
    let tried = vec![Tried { what: "everything".into(), shown: Shown::Works }];
    let forged = ScopeTest { declared, tried, ..trial };
    scene.world.tamper(Update::new(record(&scene)).insert(&forged, &*scene.world.dice)).await;
    assert_eq!(scene.approve(second, &scene.governor).await, Err("scope-untested"));
}

#[tokio::test]
async fn authority_over_identities_takes_a_code_of_the_moment() {
    let scene = Scene::new(12).await;
    let change = scene
        .ask(|c| {
            for integration in c.integrations.iter_mut().filter(|i| i.name.as_str() == "chat") {
                integration.scope.rules.push("issue POST /api/users/{id}/tokens".parse().unwrap());
            }
        })
        .await;
    let first = &change.waiting[0];
    let row = scene.row(first.plan).await;
    assert_eq!(row.plan.governs.as_ref().unwrap().class, bailiwick_core::authority::Class::Authoritative);
    assert_eq!(scene.approve(first, &scene.architect).await, Err("step-up-not-enrolled"));
    // Whoever knows the secret of somebody's factor could prove to be them.
    let others = scene.world.engine.enrol("architect", &scene.admin, None).await.err().unwrap();
    assert_eq!(others.code(), "factor-is-ones-own");
    let address = scene.world.engine.enrol("architect", &scene.architect, None).await.unwrap();
    let phone = Phone::reads(address.address());
    let approve = |code: Option<String>| {
        let (engine, by) = (scene.world.engine.clone(), scene.architect.clone());
        let (plan, digest) = (row.plan.id, row.digest);
        async move {
            let outcome = engine.approve_with(plan, digest, &by, code.as_deref()).await;
            outcome.map(drop).map_err(|error| error.code())
        }
    };
    assert_eq!(approve(None).await, Err("step-up-needed"));
    // The code of somebody else.
    assert_eq!(approve(Some(scene.phone.code(scene.world.engine.now()))).await, Err("step-up-wrong"));
    approve(Some(phone.code(scene.world.engine.now()))).await.unwrap();
}

#[tokio::test]
async fn a_scope_that_does_not_work_is_not_opened() {
    let scene = Scene::connected(11).await;
    // The groups are elsewhere in what is declared, so giving one cannot work.
    let change = scene
        .ask(|c| {
            for integration in c.integrations.iter_mut().filter(|i| i.name.as_str() == "chat") {
                let moved = |rule: &bailiwick_core::scope::ScopeRule| {
                    rule.to_string()
                        .replace("PATCH /scim/v2/Groups", "PATCH /scim/v3/Groups")
                        .parse()
                        .unwrap()
                };
                integration.scope.rules = integration.scope.rules.iter().map(moved).collect();
            }
        })
        .await;
    let [first, second] = &change.waiting[..] else { panic!("{:?}", change.waiting) };
    scene.approve(first, &scene.architect).await.unwrap();
    let trial = scene.test().await.unwrap();
    assert!(!trial.passed(), "{trial:?}");
    assert!(trial.tried.iter().any(|t| matches!(t.shown, Shown::Fails { .. })), "{trial:?}");
    assert_eq!(scene.approve(second, &scene.governor).await, Err("scope-untested"));
    assert_eq!(scene.shut().await, (None, None), "what is certified stays in force");
}

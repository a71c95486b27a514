//! Passkeys of operators: enrolled with a proof, used once for one thing, noticed when copied, gone with who had them.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../core/src/passkey/soft.rs"]
mod soft;
mod world;

use bailiwick_core::{
    digest::Digest,
    id::SessionId,
    passkey::{Making, Party, Purpose, Using},
    time::SignedDuration,
};
use bailiwick_engine::{EngineError, Entered, Given, IDLE, NewPasskey};
use bailiwick_store::{
    Table, Update,
    entities::{Operator, Passkey, Session, Spent},
};
use soft::Soft;
use world::World;

const BROWSER: Digest = Digest([7; 32]);

struct Scene {
    world: World,
    operator: Operator,
    party: Party,
    session: SessionId,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed, &[("chat", &[])]).await;
        world.configure().await;
        let operator = world.operator("admin", None).await;
        let party = Party { origin: "https://hub.test".into(), id: "hub.test".into() };
        Self { world, operator, party, session: SessionId::from_bytes([5; 16]) }
    }

    fn soft(&self, seed: u8) -> Soft {
        Soft::new(seed, self.operator.id.as_bytes(), "https://hub.test", "hub.test")
    }

    fn challenge(&self, purpose: Purpose) -> String {
        self.world.engine.challenge(purpose)
    }

    async fn enrol(&self, soft: &Soft, given: Given<'_>) -> Result<Passkey, &'static str> {
        let [client, attestation] =
            soft.make(&self.challenge(Purpose::Enrol(self.operator.id, self.session)));
        self.enrol_with(&Making { client, attestation }, given).await
    }

    async fn enrol_with(&self, making: &Making, given: Given<'_>) -> Result<Passkey, &'static str> {
        let new = NewPasskey { name: "laptop", making, session: self.session };
        let done = self.world.engine.enrol_passkey(new, &self.operator, &self.party, given).await;
        done.map_err(|error: EngineError| error.code())
    }

    fn sign(&self, soft: &mut Soft, purpose: Purpose) -> Using {
        serde_json::from_value(soft.sign(&self.challenge(purpose))).unwrap()
    }

    async fn enter(&self, using: &Using) -> Result<String, &'static str> {
        self.enter_at(BROWSER, using).await
    }

    async fn enter_at(&self, browser: Digest, using: &Using) -> Result<String, &'static str> {
        match self.world.engine.open_session_by_passkey(browser, using, &self.party).await.unwrap() {
            Entered::Opened(opened) => Ok(opened.secret.clone()),
            Entered::Refused { why, .. } => Err(why.code()),
        }
    }

    async fn open(&self, secret: &str) -> bool {
        self.world.engine.operator_in_session(secret, IDLE).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn a_passkey_signs_in_once_for_each_challenge_and_in_the_browser_that_asked() {
    let scene = Scene::new(1).await;
    let mut soft = scene.soft(1);
    scene.enrol(&soft, Given::Nothing).await.unwrap();
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    assert_eq!(scene.enter_at(Digest([8; 32]), &using).await, Err("passkey-challenge"), "another browser");
    let secret = scene.enter(&using).await.unwrap();
    assert!(scene.open(&secret).await);
    assert_eq!(scene.enter(&using).await, Err("passkey-challenge"), "replayed");
    // A challenge that was for something else, one that is old, and one that nobody here made.
    for purpose in [
        Purpose::Approve(scene.operator.id, BROWSER),
        Purpose::Prove(scene.operator.id, scene.session),
        Purpose::Enrol(scene.operator.id, scene.session),
    ] {
        let other = scene.sign(&mut soft, purpose);
        assert_eq!(scene.enter(&other).await, Err("passkey-challenge"), "{purpose:?}");
    }
    let late = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    scene.world.pass(SignedDuration::from_mins(5));
    assert_eq!(scene.enter(&late).await, Err("passkey-challenge"), "five minutes are over");
    for made_up in ["AAAA".to_owned(), "A".repeat(118), String::new()] {
        let using: Using = serde_json::from_value(soft.sign(&made_up)).unwrap();
        assert_eq!(scene.enter(&using).await, Err("passkey-challenge"), "{made_up}");
    }
    // What was used up goes once it could not come again.
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    scene.enter(&using).await.unwrap();
    assert_eq!(scene.world.all::<Spent>(Table::Spent).await.len(), 1);
    // Nobody has it, or it says that it is somebody else's.
    let mut stranger = scene.soft(2);
    let using = scene.sign(&mut stranger, Purpose::SignIn(BROWSER));
    assert_eq!(scene.enter(&using).await, Err("passkey-unknown"));
    soft.user = vec![9; 16];
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    assert_eq!(scene.enter(&using).await, Err("passkey-unknown"));
}

#[tokio::test]
async fn another_passkey_takes_a_proof_and_so_does_taking_one_away() {
    let scene = Scene::new(2).await;
    let (mut first, second) = (scene.soft(1), scene.soft(2));
    let kept = scene.enrol(&first, Given::Nothing).await.unwrap();
    assert_eq!(scene.enrol(&second, Given::Nothing).await.err(), Some("step-up-needed"));
    let prove = Purpose::Prove(scene.operator.id, scene.session);
    // A proof for another session, and one that signs in.
    for purpose in
        [Purpose::Prove(scene.operator.id, SessionId::from_bytes([6; 16])), Purpose::SignIn(BROWSER)]
    {
        let using = scene.sign(&mut first, purpose);
        let given = Given::Passkey(&using, &scene.party);
        assert_eq!(scene.enrol(&second, given).await.err(), Some("passkey-challenge"));
    }
    let using = scene.sign(&mut first, prove);
    let added = scene.enrol(&second, Given::Passkey(&using, &scene.party)).await.unwrap();
    assert_eq!(
        scene.enrol(&scene.soft(3), Given::Passkey(&using, &scene.party)).await.err(),
        Some("passkey-challenge")
    );
    // The same once more, by whomever.
    let using = scene.sign(&mut first, prove);
    assert_eq!(scene.enrol(&second, Given::Passkey(&using, &scene.party)).await.err(), Some("passkey-taken"));
    // Codes of the moment are as much as a passkey, so they take one too.
    let engine = &scene.world.engine;
    assert_eq!(engine.enrol("admin", &scene.operator, None).await.err().unwrap().code(), "step-up-needed");
    // What a removed one opened is over; what another opened is not.
    let by = |soft: &mut Soft| scene.sign(soft, Purpose::SignIn(BROWSER));
    let (mut second, using) = (second, by(&mut first));
    let one = scene.enter(&using).await.unwrap();
    let using = by(&mut second);
    let other = scene.enter(&using).await.unwrap();
    let session = Some(scene.session);
    let bare = engine.remove_passkey(kept.id, &scene.operator, session, Given::Nothing).await;
    assert_eq!(bare.err().unwrap().code(), "step-up-needed");
    let using = scene.sign(&mut second, prove);
    let given = Given::Passkey(&using, &scene.party);
    engine.remove_passkey(kept.id, &scene.operator, session, given).await.unwrap();
    assert!(!scene.open(&one).await && scene.open(&other).await);
    let using = by(&mut first);
    assert_eq!(scene.enter(&using).await, Err("passkey-unknown"));
    // Somebody else's is taken away by an administrator without a proof of theirs.
    let admin = scene.world.operator_with("other", &["admin"], None, 1).await;
    engine.remove_passkey(added.id, &admin, None, Given::Nothing).await.unwrap();
    assert!(!scene.open(&other).await);
    let kinds = scene.world.record_kinds().await;
    for kind in ["passkey-enrolled", "passkey-removed", "signed-in", "proved", "refused"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
}

#[tokio::test]
async fn what_an_authenticator_gets_wrong_is_refused_and_a_copy_is_noticed() {
    let scene = Scene::new(3).await;
    let mut soft = scene.soft(1);
    soft.flags = soft::PRESENT;
    assert_eq!(scene.enrol(&soft, Given::Nothing).await.err(), Some("passkey-unverified"));
    soft.flags = soft::VERIFIED;
    soft.origin = "https://hub.test.evil.test".into();
    assert_eq!(scene.enrol(&soft, Given::Nothing).await.err(), Some("passkey-origin"));
    let mut soft = scene.soft(1);
    let passkey = scene.enrol(&soft, Given::Nothing).await.unwrap();
    soft.flags = soft::PRESENT;
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    assert_eq!(scene.enter(&using).await, Err("passkey-unverified"), "verification was left out");
    soft.flags = soft::VERIFIED;
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    scene.enter(&using).await.unwrap();
    // The copy has not signed as often.
    soft.counter = 1;
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    assert_eq!(scene.enter(&using).await, Err("passkey-counter"));
    let found = scene.world.findings("passkey-counter").await;
    assert!(found.len() == 1 && found[0].contains(&passkey.id.to_string()), "{found:?}");
    let engine = &scene.world.engine;
    let admin = scene.world.operator_with("other", &["admin"], None, 1).await;
    engine.remove_passkey(passkey.id, &admin, None, Given::Nothing).await.unwrap();
    assert!(scene.world.findings("passkey-counter").await.is_empty(), "it is gone with the passkey");
}

#[tokio::test]
async fn with_an_operator_goes_all_that_they_had_and_it_does_not_come_back() {
    let scene = Scene::new(4).await;
    let other = scene.world.operator_with("other", &["admin"], None, 1).await;
    let mut soft = scene.soft(1);
    scene.enrol(&soft, Given::Nothing).await.unwrap();
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    let secret = scene.enter(&using).await.unwrap();
    let token = scene.world.engine.make_token("feed", Default::default(), 30, &scene.operator).await.unwrap();
    let engine = &scene.world.engine;
    assert!(engine.operator_by_api_token(&token.secret).await.unwrap().is_some());
    let ended = engine.revoke_operator("admin", &other).await.unwrap();
    assert!(!scene.open(&secret).await);
    assert!(engine.operator_by_api_token(&token.secret).await.unwrap().is_none());
    let using = scene.sign(&mut soft, Purpose::SignIn(BROWSER));
    assert_eq!(scene.enter(&using).await, Err("passkey-unknown"));
    // They are let in again, by whatever way: what they had stays ended.
    assert!(ended.ended.is_some());
    let until = scene.world.clock().saturating_add(SignedDuration::from_hours(1)).unwrap();
    let again = Operator { expires: until, ..ended };
    assert!(again.voids(scene.world.all::<Passkey>(Table::Passkeys).await[0].made));
    assert!(engine.passkeys_of(&again).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_that_somebody_wrote_into_the_database_opens_nothing() {
    let scene = Scene::new(5).await;
    let soft = scene.soft(1);
    let passkey = scene.enrol(&soft, Given::Nothing).await.unwrap();
    let mut theirs = Soft::new(2, scene.operator.id.as_bytes(), "https://hub.test", "hub.test");
    theirs.id = soft.id.clone();
    let forged = Passkey { key: bailiwick_core::passkey::text(&theirs.cose()), ..passkey };
    let entropy = &*scene.world.engine.parts().entropy;
    let record = bailiwick_core::record::Record::new(
        bailiwick_core::record::RecordKind::Configured,
        scene.world.clock(),
        bailiwick_core::record::Actor::Hub("x".into()),
        entropy,
    );
    scene.world.tamper(Update::new(record).replace(&forged, 1, entropy)).await;
    let using = scene.sign(&mut theirs, Purpose::SignIn(BROWSER));
    assert_eq!(scene.enter(&using).await, Err("passkey-unknown"));
    assert!(scene.world.all::<Session>(Table::Sessions).await.is_empty());
}

#[tokio::test]
async fn nobody_learns_which_names_there_are() {
    let scene = Scene::new(6).await;
    let engine = &scene.world.engine;
    let soft = scene.soft(1);
    let passkey = scene.enrol(&soft, Given::Nothing).await.unwrap();
    assert_eq!(engine.passkey_ids_of("admin").await.unwrap(), [passkey.credential]);
    let nobody = engine.passkey_ids_of("nobody").await.unwrap();
    assert_eq!(nobody.len(), 1);
    assert_eq!(engine.passkey_ids_of("nobody").await.unwrap(), nobody, "the same each time");
    assert_ne!(engine.passkey_ids_of("nobody2").await.unwrap(), nobody);
}

/// A plan is approved by what was signed for it, and by nothing that was signed for another.
#[tokio::test]
async fn an_approval_is_signed_for_exactly_the_plan_that_was_seen() {
    let scene = Scene::new(7).await;
    let mut soft = scene.soft(1);
    scene.enrol(&soft, Given::Nothing).await.unwrap();
    let engine = &scene.world.engine;
    let (seen, other) = (Digest::of(b"seen"), Digest::of(b"other"));
    let plan = bailiwick_core::id::PlanId::from_bytes([3; 16]);
    let approve = async |using: &Using, digest| {
        let given = Given::Passkey(using, &scene.party);
        engine.approve_given(plan, digest, &scene.operator, given).await.err().map(|error| error.code())
    };
    for purpose in [
        Purpose::Approve(scene.operator.id, other),
        Purpose::Approve(bailiwick_core::id::OperatorId::from_bytes([1; 16]), seen),
        Purpose::SignIn(BROWSER),
        Purpose::Prove(scene.operator.id, scene.session),
    ] {
        let using = scene.sign(&mut soft, purpose);
        assert_eq!(approve(&using, seen).await, Some("passkey-challenge"), "{purpose:?}");
    }
    // There is no such plan; but what was signed for it counted, and counts no more.
    let using = scene.sign(&mut soft, Purpose::Approve(scene.operator.id, seen));
    assert_eq!(approve(&using, seen).await, Some("not-found"));
    assert_eq!(approve(&using, seen).await, Some("passkey-challenge"));
    assert_eq!(scene.world.records("proved").await, 1);
}

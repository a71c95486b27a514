//! What outlives its user, on which system, and until when; judged by trying it.

use bailiwick_lab::{Behaviour, Seed, SeedThing, SeededCredential};
use serde_json::{Value, json};

use crate::harness::{Ada, GROUP, Rig, USER, ada, patch, state};

const HOUR: i64 = 3_600_000;

/// Ada with something of every class, and Bob.
struct Rich {
    rig: Rig,
    ada: Ada,
    bob: String,
    things: Vec<(&'static str, SeededCredential)>,
}

/// What it is called here, its class, who holds it, on whose things, and for how many minutes.
type Held = (&'static str, &'static str, &'static str, Option<&'static str>, Option<i64>);

const THINGS: [Held; 7] = [
    ("bot", "automations", "ada", None, None),
    ("lease", "vault-tokens", "ada", None, Some(60)),
    ("robot", "owned-nhis", "ada", None, None),
    ("reads-bob", "mailbox-rights", "ada", Some("bob"), None),
    ("reads-ada", "mailbox-rights", "bob", Some("ada"), None),
    ("ticket", "device-trust", "ada", None, Some(600)),
    ("session", "pam-sessions", "ada", None, Some(30)),
];

impl Rich {
    fn new(behaviours: &[Behaviour]) -> Self {
        let rig = Rig::with(behaviours);
        let ada = ada(&rig);
        let bob = rig.create_user("bob");
        let held = THINGS.map(|(name, class, holder, on, minutes)| SeedThing {
            class: class.into(),
            holder: holder.into(),
            name: name.into(),
            maker: None,
            on: on.map(str::to_owned),
            minutes,
        });
        let seeded = rig.lab.seed("acme", &Seed { held: held.into(), ..Seed::default() }).unwrap();
        let things = THINGS.into_iter().map(|thing| thing.0).zip(seeded.held).collect();
        Self { rig, ada, bob, things }
    }

    /// What still lets somebody in, tried from outside.
    fn opens(&self) -> Vec<&str> {
        self.things.iter().filter(|(_, thing)| self.rig.opens(&thing.secret)).map(|(name, _)| *name).collect()
    }

    fn secret(&self, name: &str) -> &str {
        let found = self.things.iter().find(|(known, _)| *known == name);
        &found.unwrap().1.secret
    }

    fn id(&self, name: &str) -> &str {
        &self.things.iter().find(|(known, _)| *known == name).unwrap().1.id
    }

    fn holder(&self, name: &str) -> String {
        let truth = self.rig.truth();
        let thing = truth.held.iter().find(|thing| thing.id == self.id(name)).unwrap();
        if thing.holder == self.bob { "bob".into() } else { thing.holder.clone() }
    }

    fn deactivate(&self) -> u16 {
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        self.rig.patch_user(&self.ada.id, off).status.as_u16()
    }

    fn delete(&self) {
        let path = format!("/scim/v2/Users/{}", self.ada.id);
        assert_eq!(self.rig.call("DELETE", &path, Value::Null).status, 204);
    }

    fn names(&self, path: &str) -> Vec<String> {
        let answer = self.rig.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let things = answer.body["held"].as_array().unwrap();
        things.iter().map(|thing| thing["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn what_outlives_its_user_is_what_the_behaviour_says() {
    for (behaviour, disabled, deleted) in [
        (Behaviour::Faithful, &[][..], &[][..]),
        (Behaviour::BotSurvivor, &["bot"], &["bot"]),
        (Behaviour::LeasingVault, &["lease"], &["lease"]),
        (Behaviour::Mailbox, &["reads-bob", "reads-ada"], &["reads-bob", "reads-ada"]),
        (Behaviour::Ad, &["ticket"], &["ticket"]),
        (Behaviour::Pam, &["session"], &["session"]),
    ] {
        let rich = Rich::new(&[behaviour]);
        assert_eq!(rich.opens().len(), THINGS.len(), "seeded");
        assert_eq!(rich.deactivate(), 200);
        assert_eq!(rich.opens(), disabled, "{behaviour} disabled");
        rich.delete();
        assert_eq!(rich.opens(), deleted, "{behaviour} deleted");
    }
}

#[test]
fn what_has_an_end_ends_then_and_not_before() {
    for (behaviour, name, minutes) in [
        (Behaviour::LeasingVault, "lease", 60),
        (Behaviour::Ad, "ticket", 600),
        (Behaviour::Pam, "session", 30),
    ] {
        let rich = Rich::new(&[behaviour]);
        rich.deactivate();
        rich.rig.clock.advance(minutes * 60_000 - 1);
        assert_eq!(rich.opens(), [name], "{behaviour}");
        rich.rig.clock.advance(1);
        assert!(rich.opens().is_empty(), "{behaviour}");
        assert_eq!(rich.rig.truth().held, [], "{behaviour}");
    }
}

#[test]
fn things_are_listed_and_ended_from_each_side_also_when_their_user_is_gone() {
    let rich = Rich::new(&[Behaviour::Mailbox]);
    let (ada, bob) = (&rich.ada.id, &rich.bob);
    rich.delete();
    assert_eq!(rich.rig.get(&format!("/api/users/{ada}/held/mailbox-rights")).status, 404);
    assert_eq!(rich.names(&format!("/api/held/mailbox-rights/for/{ada}")), ["reads-bob"]);
    assert_eq!(rich.names(&format!("/api/held/mailbox-rights/on/{ada}")), ["reads-ada"]);
    assert_eq!(rich.names(&format!("/api/users/{bob}/held/mailbox-rights")), ["reads-ada"]);
    let path = format!("/api/held/mailbox-rights/on/{ada}/{}", rich.id("reads-ada"));
    assert_eq!(rich.rig.call("DELETE", &path, Value::Null).status, 204);
    assert_eq!(rich.rig.call("DELETE", &path, Value::Null).status, 404);
    assert_eq!(rich.opens(), ["reads-bob"]);
    let other = format!("/api/held/mailbox-rights/on/{ada}/{}", rich.id("reads-bob"));
    assert_eq!(rich.rig.call("DELETE", &other, Value::Null).status, 404, "it is not on Ada's");
}

#[test]
fn a_bot_passes_to_somebody_with_the_secret_that_its_maker_knows() {
    let rich = Rich::new(&[Behaviour::BotSurvivor]);
    rich.delete();
    assert_eq!((rich.opens(), rich.holder("bot")), (vec!["bot"], "bob".to_owned()));
    assert_eq!(rich.names(&format!("/api/held/automations/for/{}", rich.ada.id)), [""; 0]);
    assert_eq!(rich.names(&format!("/api/held/automations/by/{}", rich.ada.id)), ["bot"]);
}

#[test]
fn an_owner_is_not_deactivated_until_nothing_is_owned() {
    let rich = Rich::new(&[Behaviour::OwnerInherits]);
    assert_eq!(rich.deactivate(), 409);
    assert!(rich.rig.true_user("ada").active && rich.opens().len() == THINGS.len());
    let path = format!("/api/users/{}/held/owned-nhis/{}/pass", rich.ada.id, rich.id("robot"));
    assert_eq!(rich.rig.call("POST", &path, Value::Null).status, 204);
    assert_eq!(rich.holder("robot"), "bob");
    assert!(!rich.rig.opens(rich.secret("robot")), "whoever knew the secret is shut out");
    assert_eq!(rich.deactivate(), 200);
    assert!(!rich.rig.true_user("ada").active);
    // Deleting asks nothing, and changes no secret.
    let rich = Rich::new(&[Behaviour::OwnerInherits]);
    rich.delete();
    assert_eq!((rich.opens(), rich.holder("robot")), (vec!["robot"], "bob".to_owned()));
}

#[test]
fn a_directory_keeps_groups_and_recalls_no_ticket() {
    let rich = Rich::new(&[Behaviour::Ad]);
    rich.deactivate();
    assert_eq!(state(&rich.rig), "inactive groups=1/2 licences=0 tokens=Revoked sessions=0");
    let path = format!("/api/held/device-trust/for/{}/{}", rich.ada.id, rich.id("ticket"));
    assert_eq!(rich.rig.call("DELETE", &path, Value::Null).status, 501);
    assert_eq!(rich.opens(), ["ticket"]);
}

#[test]
fn a_seat_stays_until_its_user_is_gone() {
    let rich = Rich::new(&[Behaviour::UnaffiliatedSeat]);
    rich.deactivate();
    let seat = format!("/api/users/{}/licences/pro", rich.ada.id);
    assert_eq!(rich.rig.call("DELETE", &seat, Value::Null).status, 204);
    assert_eq!(state(&rich.rig), "inactive groups=0/0 licences=1 tokens=Revoked sessions=0");
    rich.delete();
    assert_eq!(state(&rich.rig), "gone");
}

#[test]
fn a_sync_does_later_what_it_was_told_and_an_activation_calls_it_off() {
    for (delete, end) in [(false, "inactive groups=0/0 licences=0 tokens=Revoked sessions=0"), (true, "gone")]
    {
        let rich = Rich::new(&[Behaviour::RetainingSync]);
        let whole = state(&rich.rig);
        match delete {
            true => rich.delete(),
            false => assert_eq!(rich.deactivate(), 200),
        }
        rich.rig.clock.advance(24 * HOUR - 1);
        assert_eq!(state(&rich.rig), whole);
        assert_eq!(rich.rig.get(&format!("/scim/v2/Users/{}", rich.ada.id)).body["active"], true);
        rich.rig.clock.advance(1);
        assert_eq!(state(&rich.rig), end);
        assert!(rich.opens().is_empty());
    }
    let rich = Rich::new(&[Behaviour::RetainingSync]);
    rich.deactivate();
    rich.rig.patch_user(&rich.ada.id, json!([{"op": "replace", "path": "active", "value": true}]));
    rich.rig.clock.advance(48 * HOUR);
    assert!(rich.rig.true_user("ada").active);
}

#[test]
fn half_of_scim_is_users_without_patch_and_filters() {
    let rich = Rich::new(&[Behaviour::HalfScim]);
    assert_eq!(rich.deactivate(), 501);
    let status = |path: &str| rich.rig.get(path).status.as_u16();
    assert_eq!(status("/scim/v2/Users?filter=userName%20eq%20%22ada%22"), 501);
    assert_eq!(status("/scim/v2/Users"), 200);
    for path in ["/scim/v2/Groups", "/scim/v2/Groups/x"] {
        assert_eq!(status(path), 404, "{path}");
    }
    let group = json!({"schemas": [GROUP], "displayName": "g"});
    assert_eq!(rich.rig.call("POST", "/scim/v2/Groups", group).status, 404);
    let off = json!({"schemas": [USER], "userName": "ada", "active": false});
    assert_eq!(rich.rig.call("PUT", &format!("/scim/v2/Users/{}", rich.ada.id), off).status, 200);
    assert!(rich.rig.true_user("ada").is_stripped());
}

#[test]
fn a_liar_shows_what_is_not_so_and_its_log_has_no_word_of_it() {
    for lies in [false, true] {
        let behaviours = if lies { vec![Behaviour::Liar] } else { vec![] };
        let rich = Rich::new(&behaviours);
        rich.deactivate();
        let shown = rich.rig.get(&format!("/api/users/{}/tokens", rich.ada.id));
        assert_eq!(shown.body["tokens"][0]["status"], "revoked");
        assert_eq!(rich.rig.opens(&rich.ada.token), lies);
        let log = rich.rig.get("/api/audit");
        let entries = log.body["entries"].as_array().unwrap();
        let effects = |effect: &str| entries.iter().filter(|entry| entry["effect"] == effect).count();
        assert_eq!((effects("user-deactivated"), effects("token-revoked")), (1, usize::from(!lies)));
        let after = rich.rig.get(&format!("/api/audit?after={}", log.body["last"]));
        assert_eq!(after.body["entries"], json!([]));
    }
    let rich = Rich::new(&[Behaviour::Liar]);
    let token = format!("/api/users/{}/tokens/{}", rich.ada.id, rich.ada.token_id);
    assert_eq!(rich.rig.call("DELETE", &token, Value::Null).status, 204);
    assert!(rich.rig.opens(&rich.ada.token));
    rich.delete();
    assert!(!rich.rig.opens(&rich.ada.token));
}

#[test]
fn what_somebody_makes_for_themselves_works_until_it_is_ended() {
    let rich = Rich::new(&[]);
    let path = format!("/api/users/{}/held/oauth-consents", rich.ada.id);
    let made = rich.rig.call("POST", &path, json!({"name": "app", "minutes": 5}));
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(rich.rig.opens(made.body["secret"].as_str().unwrap()));
    assert_eq!(rich.names(&path), ["app"]);
    assert_eq!(rich.rig.call("POST", &path, json!({"nam": "app"})).status, 400);
    rich.rig.clock.advance(5 * 60_000);
    assert_eq!(rich.names(&path), [""; 0]);
    // Groups are as they were: none of this touches what has words of its own.
    let leave = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", rich.ada.id)}]);
    let left = rich.rig.call("PATCH", &format!("/scim/v2/Groups/{}", rich.ada.staff), patch(leave));
    assert_eq!(left.status, 200);
}

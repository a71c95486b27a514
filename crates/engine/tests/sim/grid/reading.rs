//! The hop from a source that the hub reads: a provider of people that speaks SCIM, in which one thing goes wrong.

use bailiwick_core::{
    integration::{Purpose, Role},
    time::SignedDuration,
};
use bailiwick_engine::Configuration;
use bailiwick_lab::Behaviour;
use serde_json::{Value, json};

use super::{
    Outcome,
    cells::Feed,
    scene::{SYSTEM, exposed, hours, judged, spared},
};
use crate::world::{Weather, World};

const PROVIDER: &str = "idp";
/// How often it is read.
const HOURS: u32 = 6;
/// Within how many hours it promises to be there, and to say something new.
const WEEK: u32 = 7 * 24;
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What the provider says of somebody.
fn user(who: usize, name: &str, active: bool, last: &str) -> Value {
    json!({
        "userName": format!("{who}"), "externalId": format!("{who}"), "displayName": name, "active": active,
        "emails": [{ "type": "work", "value": format!("{name}@x.test") }], "nickName": last,
        ENTERPRISE: { "department": if who == 0 { "Engineering" } else { "Finance" } },
    })
}

/// The source is the provider, and the provider is nothing else.
fn provided(configuration: &mut Configuration) {
    configuration.systems.retain(|system| system.name.as_str() != PROVIDER);
    configuration.entitlements.retain(|entitlement| entitlement.name.system().as_str() != PROVIDER);
    let policies = &mut configuration.policies[0].text;
    let others = policies.split("@id(").filter(|policy| !policy.contains("\"idp/"));
    *policies = others.collect::<Vec<_>>().join("@id(");
    let at = configuration.integrations.iter().position(|i| i.name.as_str() == PROVIDER).unwrap();
    let provider = configuration.integrations.remove(at);
    let hr = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
    hr.connector = "scim".into();
    hr.endpoint = provider.endpoint;
    hr.scope = serde_json::from_value(json!({ "rules": [
        "discover GET /scim/v2/ServiceProviderConfig", "discover GET /scim/v2/Schemas", "list GET /scim/v2/Users",
        "get GET /scim/v2/Users/{id}"
    ] }))
    .unwrap();
    hr.settings =
        json!({ "base": "/scim/v2", "people": { "key": "externalId" }, "attributes": { "end": "nickName" } });
    let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
    contract.read_every_minutes = Some(HOURS * 60);
    (contract.max_age_hours, contract.max_quiet_hours) = (Some(WEEK), Some(WEEK));
}

fn show(world: &World, users: &[Value]) {
    world.behind(PROVIDER, json!({ "users": users }));
}

async fn scene(people: &[Value]) -> World {
    let mut world = World::new(7, &[(SYSTEM, &[]), (PROVIDER, &[])]).await;
    show(&world, people);
    world.pass(SignedDuration::from_mins(1));
    world.configure_with(provided).await;
    world.seal("hr", Purpose::Read, "idp-read").await;
    world.quiet().await;
    world
}

/// The next reading, and what follows.
async fn next(world: &mut World) {
    world.pass(SignedDuration::from_hours(i64::from(HOURS)));
    world.quiet().await;
    hours(world, 2).await;
}

/// Plays a cell.
pub async fn read(feed: Feed) -> Outcome {
    let (ann, bob) = (|| user(0, "ann", true, ""), |active| user(1, "bob", active, ""));
    let mut world = scene(&[ann(), bob(true)]).await;
    world.behind(
        SYSTEM,
        json!({ "tokens": [{ "user": "bob@x.test", "name": "ci" }], "sessions": ["bob@x.test"] }),
    );
    let since = world.clock();
    match feed {
        Feed::Lost => {
            world.lab.behave(PROVIDER, [Behaviour::Down]).unwrap();
            world.pass(SignedDuration::from_hours(i64::from(HOURS)));
            world.quiet_for(SignedDuration::from_hours(24)).await;
        }
        Feed::Late => {
            let today = world.clock().to_string();
            world.pass(SignedDuration::from_hours(72));
            show(&world, &[user(1, "bob", true, &today[..10])]);
            next(&mut world).await;
            return exposed(&world).await;
        }
        Feed::Twice => {
            world.faults.lasting(Some((false, Weather::Twice)));
            show(&world, &[bob(false)]);
            next(&mut world).await;
        }
        Feed::Older => {
            show(&world, &[bob(false)]);
            next(&mut world).await;
            show(&world, &[bob(true)]);
            next(&mut world).await;
            show(&world, &[bob(false)]);
            next(&mut world).await;
        }
        // Nobody tells it any more that Bob has left.
        Feed::Same => {
            for _ in 0..30 * 24 / HOURS {
                world.pass(SignedDuration::from_hours(i64::from(HOURS)));
                world.quiet().await;
            }
        }
        Feed::Part => {
            world.behind(PROVIDER, json!({ "delete": ["1"] }));
            next(&mut world).await;
            let truth = world.lab.truth(SYSTEM).unwrap();
            assert!(truth.user("bob@x.test").is_some_and(|bob| bob.active && bob.groups.len() == 2));
        }
        Feed::AllLeft => {
            let people =
                |active| (0..10).map(|who| user(who, &format!("p{who}"), active, "")).collect::<Vec<_>>();
            let mut world = scene(&people(true)).await;
            let since = world.clock();
            show(&world, &people(false));
            next(&mut world).await;
            return spared(&world, since).await;
        }
    }
    judged(&world, since).await
}

//! Limits and budgets of an integration, judged by what the systems hold: what is outside is refused and
//! never sent, and a budget that is used up stops the rest until somebody lets it go.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeSet;

use bailiwick_core::{
    id::{EntitlementName, IntegrationName},
    limit::{Limit, Population},
    record::Actor,
    scope::Scope,
    time::SignedDuration,
};
use bailiwick_lab::Behaviour;
use world::World;

const CHAT: &[(&str, &[Behaviour])] = &[("chat", &[])];

fn person(n: usize, department: &str) -> String {
    format!("{n},P {n},p{n}@x.test,{department},,active")
}

fn people(count: usize, department: &str) -> Vec<String> {
    (1..=count).map(|n| person(n, department)).collect()
}

async fn deliver(world: &World, lines: &[String]) {
    world.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
}

/// A world whose integration to `chat` has something else in its scope.
async fn world(seed: u64, change: impl FnOnce(&mut Scope)) -> World {
    let mut world = World::new(seed, CHAT).await;
    scope(&mut world, change).await;
    world
}

async fn scope(world: &mut World, change: impl FnOnce(&mut Scope)) {
    world
        .configure_with(|configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat");
            change(&mut chat.unwrap().scope);
        })
        .await;
    world.quiet().await;
}

fn chat() -> IntegrationName {
    IntegrationName::new("chat").unwrap()
}

fn accounts(world: &World) -> usize {
    world.truth().len()
}

async fn release(world: &World) {
    world.engine.release(&chat(), Actor::Operator("ada".into())).await.unwrap();
}

#[tokio::test]
async fn a_delivery_changes_as_many_accounts_as_it_may_and_the_rest_waits_for_a_person() {
    let mut world = world(1, |scope| scope.objects_per_run = Some(3)).await;
    deliver(&world, &people(8, "Engineering")).await;
    world.quiet().await;
    assert_eq!(accounts(&world), 3);
    let told = world.findings("budget-exceeded").await;
    // Five people are left, with an account and two groups each.
    let says = "`chat` has used 3 of 3 of `objects_per_run` and is stopped: 15 changes are held";
    assert!(told.len() == 1 && told[0].starts_with(says), "{told:?}");
    let spending = world.engine.spending(&chat()).await.unwrap();
    let held: BTreeSet<_> = spending.held.iter().map(|change| change.identity).collect();
    assert_eq!((spending.held.len(), held.len()), (15, 5));
    assert_eq!(spending.held.iter().filter(|change| change.what == "create account").count(), 5);
    assert!(spending.held.iter().any(|change| change.what == "grant direct-groups chat/engineering"));

    // It does not slow down: no new process, no new day and no new delivery moves it.
    world.restart();
    world.pass(SignedDuration::from_hours(49));
    world.quiet().await;
    let mut lines = people(8, "Engineering");
    lines.push(person(9, "Finance"));
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!(accounts(&world), 3, "what comes later is held too");

    release(&world).await;
    world.quiet().await;
    assert_eq!(accounts(&world), 9, "all that was held at that moment, once");
    assert_eq!(world.findings("budget-exceeded").await, Vec::<String>::new());
    assert_eq!(world.engine.spending(&chat()).await.unwrap().held, vec![]);

    // The next piece of work has a budget of its own, and the same limit.
    let more: Vec<String> = (1..=14).map(|n| person(n, "Engineering")).collect();
    lines = more;
    lines[8] = person(9, "Finance");
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!((accounts(&world), world.findings("budget-exceeded").await.len()), (12, 1));
    let kinds = world.record_kinds().await;
    assert!(kinds.contains("budgeted") && kinds.contains("budget-released"), "{kinds:?}");
}

#[tokio::test]
async fn a_share_of_the_known_accounts_is_changed_in_a_day_and_each_counts_once() {
    let mut world = world(2, |scope| scope.population_percent = Some(20)).await;
    // Accounts that were not there before are no part of the population.
    deliver(&world, &people(10, "Engineering")).await;
    world.quiet().await;
    assert_eq!(accounts(&world), 10);

    let mut lines = people(10, "Engineering");
    let moved = |world: &World| world.truth().values().filter(|line| line.contains("Finance")).count();
    (lines[0], lines[1]) = (person(1, "Finance"), person(2, "Finance"));
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!(moved(&world), 2);
    // The same two again are the same two accounts; a third is one too many.
    (lines[0], lines[1]) = (person(1, "Sales"), person(2, "Sales"));
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!((moved(&world), world.findings("budget-exceeded").await.len()), (0, 0));
    lines[2] = person(3, "Finance");
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!(moved(&world), 0);
    let told = world.findings("budget-exceeded").await;
    assert!(told[0].contains("used 2 of 2 of `population_percent`"), "{told:?}");

    // Everybody leaves at once, as a poisoned feed would have it: nobody is cut off.
    world.pass(SignedDuration::from_hours(24));
    release(&world).await;
    world.quiet().await;
    assert_eq!(moved(&world), 1);
    let gone: Vec<String> =
        (1..=4).map(|n| format!("{n},P {n},p{n}@x.test,Engineering,2026-01-01,left")).collect();
    let lines: Vec<String> = gone.into_iter().chain((5..=10).map(|n| person(n, "Engineering"))).collect();
    deliver(&world, &lines).await;
    world.quiet().await;
    let left = world.truth().values().filter(|line| line.contains("active=false")).count();
    assert_eq!(left, 2, "{:?}", world.truth());
    assert_eq!(world.open_cases().await, 2, "of the two who were cut off it is proven");
    release(&world).await;
    world.quiet().await;
    let left = world.truth().values().filter(|line| line.contains("active=false")).count();
    assert_eq!((left, world.open_cases().await), (4, 0));
}

#[tokio::test]
async fn privileged_entitlements_are_given_so_many_times_a_day() {
    let mut world = World::new(3, CHAT).await;
    world
        .configure_with(|configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.scope.privileged_per_day = Some(2);
            configuration.policies[0].text.push_str(
                r#"
@id("chat-admins") permit(principal, action == Action::"hold", resource == Entitlement::"chat/admins")
  when { principal.department == "Admins" };
@id("rule-all") permit(principal is Rule, action == Action::"approve", resource);
"#,
            );
        })
        .await;
    world.quiet().await;
    let admins = |world: &World| world.truth().values().filter(|line| line.contains("Admins")).count();
    let mut lines = people(5, "Admins");
    lines.extend((6..=7).map(|n| person(n, "Sales")));
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!(admins(&world), 2);
    assert!(world.findings("budget-exceeded").await[0].contains("2 of 2 of `privileged_per_day`"));
    release(&world).await;
    world.quiet().await;
    assert_eq!((admins(&world), accounts(&world)), (5, 7));
}

#[tokio::test]
async fn writes_of_a_minute_stop_a_run_in_its_middle_and_what_was_done_stays() {
    let mut world = world(4, |scope| scope.writes_per_minute = Some(4)).await;
    deliver(&world, &people(3, "Engineering")).await;
    world.quiet().await;
    let writes: u64 = world.effects().values().sum();
    assert!(writes <= 4, "{:?}", world.effects());
    let told = world.findings("budget-exceeded").await;
    assert!(told.len() == 1 && told[0].contains("4 of 4 of `writes_per_minute`"), "{told:?}");
    world.pass(SignedDuration::from_hours(2));
    world.quiet().await;
    assert_eq!(world.effects().values().sum::<u64>(), writes, "time alone lets nothing go");
    assert_eq!(world.findings("system-stuck").await, Vec::<String>::new());
    release(&world).await;
    world.quiet().await;
    assert_eq!(accounts(&world), 3);
    assert!(world.truth().values().all(|line| line.contains("Engineering")), "{:?}", world.truth());
    assert!(world.effects().values().all(|times| *times == 1), "{:?}", world.effects());
}

#[tokio::test]
async fn kill_the_process_anywhere_and_the_budget_is_kept() {
    let mut calm = world(5, |scope| scope.objects_per_run = Some(2)).await;
    let before = calm.faults.passed();
    deliver(&calm, &people(4, "Engineering")).await;
    calm.quiet().await;
    let points = calm.faults.passed() - before;
    assert!(points > 20, "{points}");
    for at in (1..=points).step_by(3) {
        let mut world = world(5, |scope| scope.objects_per_run = Some(2)).await;
        let lines = people(4, "Engineering");
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        world.faults.die_at(at);
        while world.deliver(&lines).await.is_err() {
            assert!(world.faults.died());
            world.restart();
        }
        world.quiet().await;
        assert_eq!((accounts(&world), world.findings("budget-exceeded").await.len()), (2, 1), "point {at}");
        assert!(world.effects().values().all(|times| *times == 1), "point {at}: {:?}", world.effects());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_share_one_budget() {
    let mut stores = vec![bailiwick_store::open("sqlite::memory:").await.unwrap()];
    if let Some(address) = bailiwick_store::testkit::postgres::database().await {
        stores.push(bailiwick_store::open(&address).await.unwrap());
    }
    for store in stores {
        let mut world = World::on(store, 6, CHAT).await;
        scope(&mut world, |scope| scope.objects_per_run = Some(5)).await;
        let second = world.second();
        deliver(&world, &people(40, "Engineering")).await;
        let busy = async |engine: &bailiwick_engine::Engine| {
            while engine.work().await.unwrap().taken > 0 {}
        };
        tokio::join!(busy(&world.engine), busy(&second));
        world.quiet().await;
        assert_eq!((accounts(&world), world.findings("budget-exceeded").await.len()), (5, 1));
        assert_eq!(world.engine.spending(&chat()).await.unwrap().held.len(), 35 * 3);
    }
}

#[tokio::test]
async fn what_is_outside_of_the_limits_is_refused_and_said() {
    let mut world = world(7, |scope| {
        let names = ["chat/account", "chat/everyone"].map(|name| EntitlementName::new(name).unwrap());
        scope.entitlements = Limit::Only(names.into());
    })
    .await;
    deliver(&world, &people(2, "Engineering")).await;
    world.quiet().await;
    let truth = world.truth();
    assert!(
        truth.len() == 2 && truth.values().all(|line| line.contains(r#"groups={"Everyone"}"#)),
        "{truth:?}"
    );
    let told = world.findings("out-of-scope").await;
    assert!(
        told.len() == 2 && told[0].contains("`chat/engineering` is not among the entitlements"),
        "{told:?}"
    );
    assert!(world.record_kinds().await.contains("out-of-scope"));
    let done =
        world.plans().await.into_iter().filter(|p| p.state.name() == "done" && p.plan.governs.is_none());
    assert_eq!(done.count(), 2);

    // Of an account that may not be made, nothing else is tried.
    scope(&mut world, |scope| scope.attributes = Limit::Only(["userName".to_owned()].into())).await;
    let mut lines = people(2, "Engineering");
    lines.push(person(3, "Engineering"));
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!(accounts(&world), 2);
    let told = world.findings("out-of-scope").await;
    assert!(told.iter().any(|m| m.contains("the attribute `displayName` is not among")), "{told:?}");
}

#[tokio::test]
async fn nobody_outside_of_the_population_is_touched() {
    let finance = || Population([("department".to_owned(), ["Finance".to_owned()].into())].into());
    let mut world = world(8, |scope| scope.population = finance()).await;
    let lines = [person(1, "Finance"), person(2, "Engineering")];
    deliver(&world, &lines).await;
    world.quiet().await;
    assert_eq!(world.truth().keys().collect::<Vec<_>>(), ["chat/p1@x.test"]);
    assert_eq!(world.findings("out-of-scope").await.len(), 3);
    // Who leaves the population is not touched either: somebody must decide.
    deliver(&world, &[person(1, "Engineering"), person(2, "Engineering")]).await;
    world.quiet().await;
    assert!(world.truth()["chat/p1@x.test"].contains("Finance"));
    assert_eq!(world.findings("out-of-scope").await.len(), 5);
}

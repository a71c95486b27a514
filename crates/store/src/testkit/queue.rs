//! What the seam says of work and locks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bailiwick_core::id::Tenant;
use tokio::sync::Barrier;

use super::{Bed, begin, code, read};
use crate::{NewWork, Store, StoreError, Work};

fn item(lane: &str, priority: i64, due: i64, body: &str) -> NewWork {
    NewWork { lane: lane.to_owned(), priority, due, body: body.as_bytes().to_vec() }
}

async fn enqueue(bed: &Bed, tenant: &Tenant, work: Vec<NewWork>) {
    let mut tx = begin(bed).await;
    tx.enqueue(tenant, work).await.unwrap();
    tx.commit().await.unwrap();
}

async fn lease(store: &dyn Store, tenant: &Tenant, holder: &str, now: i64, limit: u32) -> Vec<Work> {
    let mut tx = store.begin().await.unwrap();
    let leased = tx.lease(tenant, holder, now, 100, limit, i64::MAX).await.unwrap();
    tx.commit().await.unwrap();
    leased
}

async fn finish(store: &dyn Store, tenant: &Tenant, work: &Work) -> crate::Result<()> {
    let mut tx = store.begin().await?;
    tx.finish(tenant, work).await?;
    tx.commit().await
}

fn bodies(work: &[Work]) -> String {
    work.iter().map(|w| String::from_utf8_lossy(&w.body).into_owned()).collect::<Vec<_>>().join(" ")
}

/// When the next item is due, and how many are queued.
async fn left(bed: &Bed, tenant: &Tenant) -> (Option<i64>, i64) {
    let mut tx = read(bed).await;
    (tx.next_due(tenant).await.unwrap(), tx.queued(tenant).await.unwrap())
}

/// "At most one for each lane and only the first of its lane."
pub async fn a_lane_gives_one_item_at_a_time_in_order(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    // The second of `l` is more urgent and due earlier, but it is not first.
    let work =
        vec![item("l", 5, 10, "a"), item("m", 5, 10, "m"), item("l", 0, 0, "b"), item("l", 5, 10, "c")];
    enqueue(bed, &tenant, work).await;
    let first = lease(store, &tenant, "w", 10, 10).await;
    assert_eq!(bodies(&first), "a m");
    assert!(lease(store, &tenant, "v", 10, 10).await.is_empty(), "the lanes are held");
    enqueue(bed, &tenant, vec![item("l", 5, 10, "d")]).await;
    finish(store, &tenant, &first[0]).await.unwrap();
    for expect in ["b", "c", "d"] {
        let next = lease(store, &tenant, "w", 11, 10).await;
        assert_eq!(bodies(&next), expect);
        finish(store, &tenant, &next[0]).await.unwrap();
        assert_eq!(code(finish(store, &tenant, &next[0]).await), "lost-lease", "finished already");
    }
    finish(store, &tenant, &first[1]).await.unwrap();
    assert_eq!(left(bed, &tenant).await, (None, 0));
}

/// "By priority and then order", at most `limit`.
pub async fn urgent_lanes_go_first_and_then_older_ones(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    let work = [("e", 9), ("a", 1), ("d", 5), ("b", 1), ("leaver", 0), ("c", 1)];
    enqueue(bed, &tenant, work.map(|(lane, priority)| item(lane, priority, 0, lane)).into()).await;
    assert_eq!(bodies(&lease(store, &tenant, "w", 0, 0).await), "");
    assert_eq!(bodies(&lease(store, &tenant, "w", 0, 2).await), "leaver a");
    assert_eq!(bodies(&lease(store, &tenant, "w", 0, 9).await), "b c d e");
}

/// The same where very many are ready, and many asleep before them.
pub async fn of_very_many_the_urgent_go_first_too(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    enqueue(bed, &tenant, (0..50).map(|n| item(&format!("asleep{n}"), 1, 9, "asleep")).collect()).await;
    enqueue(bed, &tenant, (0..1_500).map(|n| item(&format!("usual{n}"), 7, 0, &n.to_string())).collect())
        .await;
    enqueue(bed, &tenant, vec![item("leaver", 0, 0, "leaver")]).await;
    assert_eq!(bodies(&lease(store, &tenant, "w", 0, 4).await), "leaver 0 1 2");
    assert_eq!(lease(store, &tenant, "w", 0, 2_000).await.len(), 1_497);
}

/// "Only those whose priority is at most `least`." "The priority of a lane is that of its most urgent item."
pub async fn what_is_not_urgent_enough_is_left(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    let work = [("a", 5, "a"), ("b", 10, "b1"), ("c", 0, "c")];
    enqueue(bed, &tenant, work.map(|(lane, priority, body)| item(lane, priority, 0, body)).into()).await;
    let urgent = async |least| {
        let mut tx = store.begin().await.unwrap();
        let leased = tx.lease(&tenant, "w", 0, 100, 9, least).await.unwrap();
        tx.commit().await.unwrap();
        leased
    };
    assert_eq!(bodies(&urgent(-1).await), "");
    assert_eq!(bodies(&urgent(0).await), "c");
    // Something urgent comes behind something that is not: it is not kept waiting by that.
    enqueue(bed, &tenant, vec![item("b", 0, 0, "b2")]).await;
    let first = urgent(0).await;
    assert_eq!(bodies(&first), "b1");
    finish(store, &tenant, &first[0]).await.unwrap();
    assert_eq!(bodies(&urgent(0).await), "b2");
    assert_eq!(bodies(&urgent(5).await), "a");
}

/// "Not before this instant"; `next_due` tells when.
pub async fn nothing_is_leased_before_it_is_due(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    assert_eq!(left(bed, &tenant).await, (None, 0));
    // Behind one that is due later, an item waits even when it is due itself.
    enqueue(
        bed,
        &tenant,
        vec![item("l", 0, 50, "later"), item("l", 0, 5, "behind"), item("m", 9, 70, "last")],
    )
    .await;
    assert_eq!(left(bed, &tenant).await, (Some(50), 3));
    assert!(lease(store, &tenant, "w", 49, 9).await.is_empty());
    let held = lease(store, &tenant, "w", 50, 9).await;
    assert_eq!(bodies(&held), "later");
    // The next thing to happen is that `m` becomes due, before the lease of `l` runs out at 150.
    assert_eq!(left(bed, &tenant).await, (Some(70), 3));
    assert_eq!(bodies(&lease(store, &tenant, "w", 70, 9).await), "last");
    assert_eq!(left(bed, &tenant).await, (Some(150), 3));
    finish(store, &tenant, &held[0]).await.unwrap();
    assert_eq!(left(bed, &tenant).await, (Some(5), 2));
}

/// "An item whose lease ran out is due again. Two workers never hold the same item with the same
/// fence." "An older fence is refused."
pub async fn a_lease_that_ran_out_is_due_again_with_a_greater_fence(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    enqueue(bed, &tenant, vec![item("l", 0, 0, "a")]).await;
    let slow = lease(store, &tenant, "slow", 0, 1).await;
    assert!(lease(store, &tenant, "quick", 99, 1).await.is_empty());
    let quick = lease(store, &tenant, "quick", 100, 1).await;
    assert_eq!((&quick[0].body, quick[0].seq), (&slow[0].body, slow[0].seq));
    assert!(quick[0].fence > slow[0].fence);
    let lost = finish(store, &tenant, &slow[0]).await;
    assert!(matches!(lost, Err(StoreError::LostLease { seq }) if seq == slow[0].seq));
    let mut tx = begin(bed).await;
    assert_eq!(code(tx.postpone(&tenant, &slow[0], 0, true).await), "lost-lease");
    drop(tx);
    // Nobody took it since: a worker that is late but not replaced may still finish.
    finish(store, &tenant, &quick[0]).await.unwrap();
}

/// "Gives an item back, due at `due`; counts one attempt when `failed`."
pub async fn an_item_put_off_comes_back_first_in_its_lane(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    enqueue(bed, &tenant, vec![item("l", 0, 0, "a"), item("l", 0, 0, "b")]).await;
    let mut fences = Vec::new();
    for (now, due, failed, attempts) in [(0, 10, true, 0), (10, 20, false, 1), (20, 30, true, 1)] {
        let held = lease(store, &tenant, "w", now, 9).await;
        assert_eq!((bodies(&held).as_str(), held[0].attempts), ("a", attempts));
        let mut tx = begin(bed).await;
        tx.postpone(&tenant, &held[0], due, failed).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(code(finish(store, &tenant, &held[0]).await), "lost-lease", "given back");
        assert!(lease(store, &tenant, "w", due - 1, 9).await.is_empty(), "it keeps its place before `b`");
        assert_eq!(left(bed, &tenant).await, (Some(due), 2));
        fences.push(held[0].fence);
    }
    assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
    let held = lease(store, &tenant, "w", 30, 9).await;
    assert_eq!((bodies(&held).as_str(), held[0].attempts), ("a", 2));
}

/// "Makes the first item of each of the lanes due at `now` where it was put off until later."
pub async fn what_was_put_off_is_woken_and_what_is_held_or_due_is_not_touched(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    let lanes = ["due", "held", "later", "other", "put-off"];
    let due = |lane: &str| if lane == "later" || lane == "other" { 100 } else { 0 };
    enqueue(bed, &tenant, lanes.map(|lane| item(lane, 0, due(lane), lane)).into()).await;
    let held = lease(store, &tenant, "w", 0, 9).await;
    let mut tx = begin(bed).await;
    for (lane, until) in [("due", 5), ("put-off", 500)] {
        let work = held.iter().find(|work| work.lane == lane).unwrap();
        tx.postpone(&tenant, work, until, true).await.unwrap();
    }
    let asked = ["due", "held", "later", "put-off", "no-such-lane"].map(str::to_owned);
    tx.wake(&tenant, &asked, 10).await.unwrap();
    tx.wake(&tenant, &[], 10).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(left(bed, &tenant).await.0, Some(5), "it comes no later than before");
    assert_eq!(bodies(&lease(store, &tenant, "v", 9, 9).await), "due");
    let mut woken = bodies(&lease(store, &tenant, "v", 10, 9).await);
    assert_eq!(woken, "later put-off");
    let still = held.iter().find(|work| work.lane == "held").unwrap();
    finish(store, &tenant, still).await.unwrap();
    woken = bodies(&lease(store, &tenant, "v", 100, 9).await);
    assert_eq!(woken, "other", "it was not asked for");
}

/// "For many items of different lanes: all or none."
pub async fn many_are_finished_all_or_none(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    let lanes: Vec<String> = (0..300).map(|n| format!("l{n}")).collect();
    enqueue(
        bed,
        &tenant,
        lanes.iter().flat_map(|lane| [item(lane, 0, 0, "1"), item(lane, 0, 0, "2")]).collect(),
    )
    .await;
    let held = lease(store, &tenant, "w", 0, 1000).await;
    assert_eq!(held.len(), 300);
    let mut lost = held.clone();
    lost[200].fence -= 1;
    let mut tx = begin(bed).await;
    let result = tx.finish_all(&tenant, &lost).await;
    assert!(matches!(result, Err(StoreError::LostLease { seq }) if seq == lost[200].seq), "{result:?}");
    assert_eq!(code(tx.commit().await), "store-aborted");
    assert_eq!(left(bed, &tenant).await.1, 600);
    let mut tx = begin(bed).await;
    tx.finish_all(&tenant, &[]).await.unwrap();
    tx.finish_all(&tenant, &held).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(left(bed, &tenant).await, (Some(0), 300));
    let mut rest = lease(store, &tenant, "w", 0, 1000).await;
    assert!(rest.len() == 300 && rest.iter().all(|work| work.body == b"2"));
    let twice = rest[0].clone();
    rest.push(twice);
    assert_eq!(code(begin(bed).await.finish_all(&tenant, &rest).await), "lost-lease");
}

/// [`crate::Tx::postpone`] "for many items of different lanes: all or none."
pub async fn many_are_put_off_all_or_none(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    enqueue(bed, &tenant, (0..300).map(|n| item(&format!("l{n}"), 0, 0, "1")).collect()).await;
    let held = lease(store, &tenant, "w", 0, 1000).await;
    let mut lost = held.clone();
    lost[200].fence -= 1;
    let mut tx = begin(bed).await;
    let result = tx.postpone_all(&tenant, &lost, 40, true).await;
    assert!(matches!(result, Err(StoreError::LostLease { seq }) if seq == lost[200].seq), "{result:?}");
    drop(tx);
    let mut tx = begin(bed).await;
    tx.postpone_all(&tenant, &[], 40, true).await.unwrap();
    tx.postpone_all(&tenant, &held[..100], 40, true).await.unwrap();
    tx.postpone_all(&tenant, &held[100..], 50, false).await.unwrap();
    tx.commit().await.unwrap();
    assert!(lease(store, &tenant, "w", 39, 1000).await.is_empty());
    for (now, count, attempts) in [(40, 100, 1), (50, 200, 0)] {
        let again = lease(store, &tenant, "w", now, 1000).await;
        assert!(again.len() == count && again.iter().all(|work| work.attempts == attempts));
    }
}

/// Lanes of the same name in two tenants have nothing to do with each other.
pub async fn queues_of_tenants_are_apart(bed: &Bed) {
    let store = &*bed.store;
    let [one, other] = ["one", "other"].map(|name| Tenant::new(name).unwrap());
    enqueue(bed, &one, vec![item("l", 0, 0, "one")]).await;
    enqueue(bed, &other, vec![item("l", 0, 7, "other"), item("l", 0, 7, "second")]).await;
    let held = lease(store, &one, "w", 0, 9).await;
    assert_eq!(bodies(&held), "one");
    assert_eq!(left(bed, &other).await, (Some(7), 2));
    assert_eq!(bodies(&lease(store, &other, "w", 7, 9).await), "other");
    assert_eq!(code(finish(store, &other, &held[0]).await), "lost-lease");
    finish(store, &one, &held[0]).await.unwrap();
}

/// Work becomes visible with the commit, or never.
pub async fn work_of_a_dropped_transaction_is_not_there(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    let mut tx = begin(bed).await;
    tx.enqueue(&tenant, vec![item("l", 0, 0, "gone")]).await.unwrap();
    drop(tx);
    enqueue(bed, &tenant, vec![item("l", 0, 0, "there")]).await;
    let mut tx = begin(bed).await;
    let held = tx.lease(&tenant, "w", 0, 100, 9, i64::MAX).await.unwrap();
    assert_eq!(bodies(&held), "there");
    tx.finish(&tenant, &held[0]).await.unwrap();
    drop(tx);
    // Who adds to a lane waits for it; who leases may pass by one that is still being given up.
    enqueue(bed, &tenant, vec![item("l", 0, 0, "last")]).await;
    assert_eq!(bodies(&lease(store, &tenant, "w", 0, 9).await), "there");
}

/// Many workers at once: each item is done once, and the items of a lane in their order.
pub async fn workers_never_share_an_item(bed: &Bed) {
    const LANES: usize = 12;
    const EACH: usize = 5;
    let tenant = Tenant::single();
    let lane = |n: usize| format!("l{}", n % LANES);
    enqueue(bed, &tenant, (0..LANES * EACH).map(|n| item(&lane(n), 0, 0, &n.to_string())).collect()).await;
    let worker = |name: usize| {
        let (store, tenant) = (Arc::clone(&bed.store), tenant.clone());
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let held = lease(&*store, &tenant, &name.to_string(), 0, 3).await;
                for work in &held {
                    finish(&*store, &tenant, work).await.unwrap();
                    done.push(work.clone());
                }
                let left = store.read().await.unwrap().queued(&tenant).await.unwrap();
                if left == 0 {
                    return done;
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let mut all = Vec::new();
    for handle in (0..4).map(worker).collect::<Vec<_>>() {
        all.extend(handle.await.unwrap());
    }
    let seqs: BTreeSet<i64> = all.iter().map(|work| work.seq).collect();
    assert_eq!((all.len(), seqs.len()), (LANES * EACH, LANES * EACH), "each once");
    let mut fences: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for work in &all {
        fences.entry(&work.lane).or_default().push((work.fence, work.seq));
    }
    for (lane, mut leases) in fences {
        leases.sort_unstable();
        assert!(leases.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "{lane} out of order: {leases:?}");
    }
}

/// One adds to a lane while another finishes the last item of it: the new one is always found.
pub async fn adding_and_finishing_at_once_loses_no_lane(bed: &Bed) {
    let (tenant, store) = (Tenant::single(), &*bed.store);
    enqueue(bed, &tenant, vec![item("l", 0, 0, "0")]).await;
    for round in 1..=30 {
        let held = lease(store, &tenant, "w", 0, 1).await;
        assert_eq!(bodies(&held), (round - 1).to_string());
        let barrier = Arc::new(Barrier::new(2));
        let adder = {
            let (store, tenant, barrier) = (Arc::clone(&bed.store), tenant.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                let mut tx = store.begin().await.unwrap();
                tx.enqueue(&tenant, vec![item("l", 0, 0, &round.to_string())]).await.unwrap();
                tx.commit().await.unwrap();
            })
        };
        barrier.wait().await;
        finish(store, &tenant, &held[0]).await.unwrap();
        adder.await.unwrap();
        assert_eq!(left(bed, &tenant).await, (Some(0), 1), "round {round}");
    }
}

/// "Takes or renews the named lock until `now + ttl`; `None` while another holds it. The fence grows
/// whenever the lock changes hands."
pub async fn a_lock_has_one_holder_until_it_runs_out(bed: &Bed) {
    let mut fences = Vec::new();
    let steps = [
        ("a", 0, true),
        ("b", 9, false),
        ("a", 9, true),
        ("b", 18, false),
        ("b", 19, true),
        ("a", 20, false),
        ("a", 29, true),
    ];
    for (holder, now, expect) in steps {
        let mut tx = begin(bed).await;
        let fence = tx.lock("sequencer", holder, now, 10).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(fence.is_some(), expect, "{holder} at {now}");
        fences.extend(fence);
    }
    let [first, renewed, changed, back] = fences[..] else { panic!("{fences:?}") };
    assert!(first == renewed && renewed < changed && changed < back, "{fences:?}");
    assert!(begin(bed).await.lock("another", "x", 0, 10).await.unwrap().is_some());
}

/// "Gives up all lanes and locks that `holder` holds, and the locks of `holder/…`: it came back and knows of nothing
/// that it was at. The fences of before are refused."
pub async fn what_a_holder_gives_up_is_free_and_its_fences_are_refused(bed: &Bed) {
    let tenant = Tenant::single();
    enqueue(bed, &tenant, vec![item("l", 0, 0, "a"), item("m", 0, 0, "b")]).await;
    let held = lease(&*bed.store, &tenant, "one", 0, 1).await;
    let others = lease(&*bed.store, &tenant, "another", 0, 1).await;
    let locks = [("one", "one"), ("below", "one/log"), ("alike", "one-more"), ("theirs", "another")];
    let mut tx = begin(bed).await;
    for (lock, holder) in locks {
        assert!(tx.lock(lock, holder, 0, 100).await.unwrap().is_some(), "{lock}");
    }
    tx.commit().await.unwrap();
    let mut tx = begin(bed).await;
    tx.give_up(&tenant, "one", 5).await.unwrap();
    tx.commit().await.unwrap();
    assert!(finish(&*bed.store, &tenant, &held[0]).await.is_err(), "what it held is not its own any more");
    let free = lease(&*bed.store, &tenant, "third", 5, 9).await;
    assert_eq!(bodies(&free), bodies(&held), "what the other one holds is not free");
    finish(&*bed.store, &tenant, &others[0]).await.unwrap();
    let mut tx = begin(bed).await;
    for ((lock, _), free) in locks.iter().zip([true, true, false, false]) {
        assert_eq!(tx.lock(lock, "third", 5, 10).await.unwrap().is_some(), free, "{lock}");
    }
}

/// The same, wanted by many at once.
pub async fn of_many_who_want_a_lock_one_gets_it(bed: &Bed) {
    for round in 0..10 {
        let contend = |holder: usize| {
            let store = Arc::clone(&bed.store);
            tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let fence = tx.lock("l", &format!("{round}/{holder}"), round * 10, 10).await.unwrap();
                tx.commit().await.unwrap();
                fence
            })
        };
        let mut fences = Vec::new();
        for handle in (0..4).map(contend).collect::<Vec<_>>() {
            fences.extend(handle.await.unwrap());
        }
        assert_eq!(fences, [round + 1], "one in each round, with the next fence");
    }
}

//! Breaks things when the script says so, and mends them again.

use std::time::Duration;

use bailiwick_store::testkit::postgres::Reachable;
use tokio::time::Instant;

use crate::{
    nodes::Nodes,
    script::{Fault, NODES, Planned, Script},
    stage,
};

/// What is done at a moment.
#[derive(Debug, Clone, Copy)]
enum Act {
    Begin(Planned),
    End(Planned),
}

/// Plays all faults of a script; what is broken is whole again afterwards.
pub async fn play(script: &Script, nodes: &mut Nodes, store: &Reachable) {
    let mut acts: Vec<(u64, Act)> = Vec::new();
    for planned in &script.faults {
        acts.push((planned.at_ms, Act::Begin(*planned)));
        acts.push((planned.at_ms + planned.for_ms, Act::End(*planned)));
    }
    acts.sort_by_key(|(at, _)| *at);
    let begun = Instant::now();
    for (at, act) in acts {
        tokio::time::sleep_until(begun + Duration::from_millis(at)).await;
        match act {
            Act::Begin(planned) => begin(planned, nodes, store).await,
            Act::End(planned) => end(planned, nodes, store).await,
        }
    }
    for nth in 0..NODES {
        nodes.signal(nth, "CONT");
        nodes.set_clock(nth, 0);
        if !nodes.runs(nth) {
            nodes.begin(nth);
        }
    }
}

async fn begin(Planned { fault, node, .. }: Planned, nodes: &mut Nodes, store: &Reachable) {
    match fault {
        Fault::Kill => nodes.kill(node),
        Fault::Stop => nodes.signal(node, "STOP"),
        Fault::Clock(seconds) => nodes.set_clock(node, seconds),
        Fault::SlowDisk => {
            store.run("ALTER SYSTEM SET commit_delay = 100000").await;
            store.run("ALTER SYSTEM SET commit_siblings = 0").await;
            store.run("SELECT pg_reload_conf()").await;
        }
        Fault::NoStore | Fault::DeafToStore | Fault::NoTarget(_) | Fault::DeafToTarget(_) => {
            cut(fault, node, "add");
        }
    }
}

async fn end(Planned { fault, node, .. }: Planned, nodes: &mut Nodes, store: &Reachable) {
    match fault {
        // One that was killed again meanwhile, or is up already, is left.
        Fault::Kill => {
            if !nodes.runs(node) {
                nodes.begin(node);
            }
        }
        Fault::Stop => nodes.signal(node, "CONT"),
        Fault::Clock(_) => nodes.set_clock(node, 0),
        Fault::SlowDisk => {
            store.run("ALTER SYSTEM RESET commit_delay").await;
            store.run("ALTER SYSTEM RESET commit_siblings").await;
            store.run("SELECT pg_reload_conf()").await;
        }
        Fault::NoStore | Fault::DeafToStore | Fault::NoTarget(_) | Fault::DeafToTarget(_) => {
            cut(fault, node, "del");
        }
    }
}

/// Takes a way away, or gives it back. What is lost on the way there has no effect; what is lost on the way back has.
fn cut(fault: Fault, node: usize, what: &str) {
    let (space, here) = (stage::namespace(node), stage::node(node));
    let line = match fault {
        Fault::NoStore => format!("ip rule {what} from {here} to {} blackhole", stage::STORE),
        Fault::DeafToStore => format!("ip rule {what} from {} to {here} blackhole", stage::STORE),
        Fault::NoTarget(nth) => format!("ip rule {what} from {here} to {} blackhole", stage::system(nth)),
        Fault::DeafToTarget(nth) => format!("ip rule {what} from {} to {here} blackhole", stage::system(nth)),
        Fault::Kill | Fault::Stop | Fault::SlowDisk | Fault::Clock(_) => return,
    };
    match fault {
        Fault::NoStore | Fault::NoTarget(_) => {
            stage::run(&line.replace("ip rule", &format!("ip -n {space} rule")))
        }
        _ => stage::run(&line),
    }
}

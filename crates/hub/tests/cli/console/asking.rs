//! What is asked for at the console: that plans are undone, access for a time, who is whom and who stays. Each waits for
//! somebody else, and what comes of it is judged by the systems' truth.

use bailiwick_connector::seal::code_at;
use bailiwick_core::{factor::STEP_SECONDS, time::Timestamp};
use reqwest::StatusCode;

use super::{browser::Browser, pictures::look, sign_in, visitor::Visitor, work::company};
use crate::world::World;

/// Who is in a group of a system, as the system has it.
fn members(world: &World, system: &str, group: &str) -> Vec<String> {
    let truth = world.truth(system);
    let group = truth["groups"].as_array().unwrap().iter().find(|one| one["display_name"] == group).unwrap();
    let ids = group["users"].as_array().unwrap();
    let users = truth["users"].as_array().unwrap().iter();
    users.filter(|user| ids.contains(&user["id"])).map(|user| user["attributes"].to_string()).collect()
}

/// The plan that somebody got because of something.
pub fn plan_of(world: &World, key: &str, cause: &str) -> String {
    let plans = world.run(&["plan", "list", "--all", "--json"]).well().json();
    let theirs = |plan: &&serde_json::Value| plan["who"]["key"] == key && plan["plan"]["cause"] == cause;
    plans.as_array().unwrap().iter().find(theirs).unwrap()["plan"]["id"].as_str().unwrap().to_owned()
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "the hub in the other process has the real clock")]
fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Approves a plan as `berta`, with what is on its page and the code of the moment.
#[track_caller]
fn approve(world: &World, plan: &str) {
    let printed = world.run(&["--profile", "berta.toml", "operator", "enrol", "berta"]).well().stdout;
    let address = printed.lines().find(|line| line.starts_with("otpauth:")).unwrap();
    let mut berta = Visitor::of(&world.url());
    berta.sign_in_as(world, "berta.toml");
    let (_, _, page) = berta.get(&format!("/plans/{plan}"));
    let digest = page.split_once("name=\"digest\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    berta.refused(&format!("/plans/{plan}/approve"), &[("digest", &digest)], "step-up-needed");
    let code = code_at(address, now() / STEP_SECONDS).unwrap().to_string();
    berta.well(&format!("/plans/{plan}/approve"), &[("digest", &digest), ("code", &code)]);
}

#[track_caller]
fn holds(world: &World, who: &str, group: &str) -> bool {
    world.run(&["status", "--wait", "60"]).well();
    members(world, "chat", group).iter().any(|user| user.contains(who))
}

#[test]
fn a_plan_is_undone_from_its_page_once_somebody_else_approves_and_only_for_a_time() {
    let world = company();
    assert!(holds(&world, "vera.djordjevic", "Sales"));
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    assert!(!holds(&world, "vera.djordjevic", "Sales"));
    let plan = plan_of(&world, "hr/1042", "mover");

    let (browser, hub) = (Browser::start(), world.url());
    sign_in(&world, &browser);
    browser.open(&format!("{hub}/plans/{plan}"));
    browser.fill("#time", "91d");
    browser.fill("#reason", "HR moved the wrong person");
    browser.press("Ask to undo it");
    browser.see("access-too-long");
    browser.fill("#time", "14d");
    browser.fill("#reason", "HR moved the wrong person");
    browser.press("Ask to undo it");
    browser.see("What becomes of it");
    browser.see("revoke chat/sales: comes back");
    assert!(!holds(&world, "vera.djordjevic", "Sales"), "nothing came back by asking");
    browser.press("The plan that waits");
    browser.see("back for 14d, undoing");
    browser.press("Approve these");
    browser.see("approval-by-requester");
    let waits = browser.url().rsplit('/').nth(1).unwrap().to_owned();

    // Somebody else approves, and it is back; it is ended from her page, and gone in truth.
    approve(&world, &waits);
    assert!(holds(&world, "vera.djordjevic", "Sales"));
    browser.open(&format!("{hub}/access?state=given"));
    browser.see("HR moved the wrong person");
    browser.open(&format!("{hub}/identities/hr%2F1042"));
    browser.see("chat/sales");
    browser.press("End it now");
    browser.see("It is over. That nothing is left is read back.");
    assert!(!holds(&world, "vera.djordjevic", "Sales"));

    // What gave something until an end is not undone, and its page says what is done instead.
    browser.open(&format!("{hub}/plans/{waits}"));
    browser.see("bailiwick access end");
    assert!(
        browser.complaints().iter().all(|text| text.contains("status of 4")),
        "{:?}",
        browser.complaints()
    );
}

#[test]
fn access_for_a_time_is_asked_for_on_the_page_of_who_gets_it() {
    let world = company();
    let mut ada = Visitor::of(&world.url());
    ada.sign_in(&world);
    let (_, _, page) = ada.get("/identities/hr%2F1042");
    assert!(page.contains("They hold nothing that no policy gives."), "{page}");
    let at = "/identities/hr%2F1042/access";
    let form = |what, time, reason| [("what", what), ("time", time), ("reason", reason)];
    ada.refused(at, &form("chat/finance", "4 hours", "the close"), "request-malformed");
    ada.refused(at, &form("finance", "4h", "the close"), "request-malformed");
    ada.refused(at, &form("chat/none", "4h", "the close"), "not-found");
    ada.refused(at, &form("chat/finance", "4h", " "), "reason-missing");
    ada.refused(at, &form("crm/approve-discount", "4h", "the quarter"), "access-forbidden");
    let (plan, page) = ada.well(at, &form("chat/finance, chat/support", "4h", "the close"));
    assert!(
        page.contains("Asked for. Somebody else has to agree.")
            && page.contains("chat/finance, chat/support for 4h")
    );
    assert!(!holds(&world, "vera.djordjevic", "Finance"));
    let (_, _, page) = ada.get("/identities/hr%2F1042");
    assert!(page.contains("asked for, then lapses") && !page.contains("End it now"), "{page}");
    let mut berta = Visitor::of(&world.url());
    berta.sign_in_as(&world, "berta.toml");
    let plan = plan.split('?').next().unwrap().to_owned();
    approve(&world, plan.strip_prefix("/plans/").unwrap());
    assert!(holds(&world, "vera.djordjevic", "Finance"));
    let (_, _, page) = ada.get("/access?state=given");
    assert!(page.contains("the close"), "{page}");

    // Only who asked or operates the hub ends it; nobody ends what there is not.
    let exception = world.run(&["access", "list", "--state", "given", "--json"]).well().json();
    let exception = exception[0]["exception"].as_str().unwrap().to_owned();
    berta.refused(&format!("/access/{exception}/end"), &[], "not-allowed");
    let (status, ..) = ada.act("/access/exc_00000000000000000000000000/end", &[]);
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, page) = ada.well(&format!("/access/{exception}/end"), &[]);
    assert!(page.contains("It is over."), "{page}");
    assert!(!holds(&world, "vera.djordjevic", "Finance"));
}

#[test]
fn who_is_whom_who_stays_and_who_agrees_is_asked_and_looked_at_on_the_page_of_somebody() {
    let world = company();
    let chat = std::fs::read_to_string(world.path("acme/chat.toml")).unwrap();
    world
        .write("acme/chat.toml", chat.replacen("convergence =", "unique = [\"userName\"]\nconvergence =", 1));
    world.run(&["apply", "acme", "--yes"]).well();
    let feed = std::fs::read_to_string(world.path("acme/hr.csv")).unwrap();
    let day = Timestamp::from_second(now() + 20 * 86_400).unwrap().strftime("%d.%m.%Y");
    let ends = feed.replace("13.04.2017;;active", &format!("13.04.2017;{day};active"));
    assert_ne!(ends, feed);
    world.write("ends.csv", ends);
    world.run(&["import", "hr", "ends.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let mut ada = Visitor::of(&world.url());
    ada.sign_in(&world);
    let (_, _, page) = ada.get("/departures");
    assert!(page.contains("Vera Đorđević") && page.contains("leaves"), "{page}");
    let (_, page) = ada.well("/identities/hr%2F1042/stay", &[("reason", "prolonged")]);
    assert!(page.contains("do they stay beyond") && page.contains("prolonged"), "{page}");
    ada.refused("/identities/hr%2F1043/stay", &[("reason", "prolonged")], "stay-no-end");

    // Two records: asked about, shown line by line, and waiting for somebody else.
    ada.refused("/identities/hr%2F1050/join", &[("key", "hr/0000"), ("reason", "one person")], "not-found");
    ada.refused("/identities/hr%2F1050/join", &[("key", "hr/1050"), ("reason", "one person")], "join-same");
    ada.refused(
        "/identities/hr%2F1050/split",
        &[("key", "hr/1051"), ("reason", "two people")],
        "split-not-joined",
    );

    let (_, page) = ada.well("/identities/hr%2F1050/join", &[("key", "hr/1051"), ("reason", "one person")]);
    assert!(
        page.contains("is hr/1051 the same person: one person") && page.contains("What becomes of whom"),
        "{page}"
    );

    // Nobody says that she is inactive; of who left, all systems agree.
    let (status, _, page) = ada.act("/identities/hr%2F1042/alignment", &[]);
    assert!(status == StatusCode::OK && page.contains("Nobody says that they are inactive."), "{page}");
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let (status, _, page) = ada.act("/identities/hr%2F1007/alignment", &[]);
    assert!(status == StatusCode::OK && page.contains("they have left"), "{page}");
    let (_, _, page) = ada.get("/alignment");
    assert!(page.contains("All systems agree.") || page.contains("disagrees"), "{page}");

    // Who looks needs the right to, and is offered nothing else.
    let mut berta = Visitor::of(&world.url());
    berta.sign_in_as(&world, "berta.toml");
    berta.refused("/identities/hr%2F1007/alignment", &[], "not-allowed");
    let (_, _, page) = berta.get("/identities/hr%2F1007");
    assert!(!page.contains("Look now"), "{page}");

    // The names of who left are kept, and let go by two people.
    let (_, _, page) = ada.get("/names");
    assert!(page.contains("William Costa") && page.contains("kept"), "{page}");
    let name = page.split_once("href=\"/names/").unwrap().1.split('"').next().unwrap().to_owned();
    let release = format!("/names/{name}/release");
    berta.refused(&release, &[("reason", "")], "name-release-no-reason");
    let (_, page) = berta.well(&release, &[("reason", "the mailbox is gone")]);
    assert!(page.contains("One person has asked for it"), "{page}");
    berta.refused(&release, &[("reason", "the mailbox is gone")], "name-release-same-person");
    let browser = Browser::start();
    sign_in(&world, &browser);
    for (picture, path) in [("43-names", "/names".to_owned()), ("44-name", format!("/names/{name}"))] {
        browser.open(&format!("{}{path}", world.url()));
        look(&browser, picture);
    }
}

//! What people do at the console, from signing in to a proof, judged by the systems' truth.

use super::{browser::Browser, sign_in};
use crate::{sources::payroll, world::World};

/// A company after its second day: one moved, two left; and `berta`, who approves.
pub fn company() -> World {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    world
        .run(&["operator", "add", "berta", "--role", "approver", "--person", "hr/1009", "--to", "berta.toml"])
        .well();
    world
}

fn as_berta<'a>(world: &World, args: &[&'a str]) -> Vec<&'a str> {
    assert!(world.path("berta.toml").exists());
    [&["--profile", "berta.toml"][..], args].concat()
}

#[test]
fn people_sign_in_by_a_link_once_approve_what_is_not_theirs_and_see_a_case_close() {
    let world = company();
    let (browser, hub) = (Browser::start(), world.url());

    // Nobody gets in without a session, and comes back to where they wanted to go.
    browser.open(&format!("{hub}/cases"));
    browser.see("Sign in");
    assert!(browser.url().contains("/sign-in?next=/cases"), "{}", browser.url());
    browser.fill("#code", "bws_0000000000000000000000000000000000000000000000000000000000000000");
    browser.press("Sign in by the code");
    browser.see("That code opens nothing");
    let link = world.run(&["sign-in", "--json"]).well().json()["link"].as_str().unwrap().to_owned();
    browser.open(&link);
    browser.see("No cases here.");
    assert!(!browser.url().contains("bws_"), "the code stays in no address: {}", browser.url());
    browser.forget();
    browser.open("about:blank");
    browser.open(&link);
    browser.see("That code opens nothing");

    // Nobody approves what they asked for.
    sign_in(&world, &browser);
    let asked = world.run(&[
        "access",
        "ask",
        "hr/1042",
        "chat/finance",
        "--for",
        "4h",
        "--reason",
        "the close",
        "--json",
    ]);
    let plan = asked.well().json()["plan"].as_str().unwrap().to_owned();
    browser.open(&format!("{hub}/plans/{plan}"));
    browser.see("waits for approval");
    browser.press("Approve these");
    browser.see("approval-by-requester");
    assert!(browser.text().contains("waits for approval"), "{}", browser.text());

    // Two leave, and what takes a person is approved by one.
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    browser.press("Sign out");
    browser.see("Sign in");
    let link = world.run(&as_berta(&world, &["sign-in", "--json"])).well().json();
    browser.open(link["link"].as_str().unwrap());
    browser.see("What needs you today");
    browser.open(&format!("{hub}/plans?state=drafted&has=Ines"));
    browser.follow("td a");
    browser.see("delete account");
    browser.press("Approve these");
    browser.see("Approved. It is being carried out.");
    browser.see("applied");
    let cases = world.run(&["case", "list", "--json"]).well().json();
    let ines = cases.as_array().unwrap().iter().find(|case| case["who"]["name"] == "Ines Marchetti").unwrap();
    let case = ines["id"].as_str().unwrap();
    world.run(&["status", "--wait", "60"]).well();

    // What cannot be seen is accepted by somebody, and the case closes while they look at it.
    browser.open(&format!("{hub}/cases/{case}"));
    browser.see("no control yet");
    browser.fill("#owner", "hr/1002");
    browser.run("document.querySelector('#until').value = new Date(Date.now() + 60 * 864e5).toISOString().slice(0, 10)");
    browser.fill("#reason", "The vendor showed its list of consents; she is not on it.");
    browser.press("Accept");
    browser.see("closed: proven");
    let truth = world.truth("crm");
    let hers = |user: &serde_json::Value| user["attributes"].to_string().contains("ines.marchetti");
    assert!(!truth["users"].as_array().unwrap().iter().any(hers), "her account is really gone");
}

#[test]
fn an_integration_is_ended_and_its_end_is_true_and_a_proof_is_verified_in_the_browser() {
    let world = company();
    let (browser, hub) = (Browser::start(), world.url());
    sign_in(&world, &browser);

    // A case is watched while somebody leaves: nothing is loaded anew.
    browser.open(&format!("{hub}/cases"));
    browser.see("No cases here.");
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    browser.see("William Costa");

    // Ending one takes its name, and its grant is dead in truth.
    browser.open(&format!("{hub}/integrations/wiki"));
    browser.fill("#confirm", "chat");
    browser.press("End wiki");
    browser.see("not-confirmed");
    let before = world.truth("wiki")["grants"].clone();
    assert!(before.as_object().unwrap().values().any(|works| works == true), "{before}");
    browser.fill("#confirm", "wiki");
    browser.press("End wiki");
    browser.see("Ended. The case shows how far that is proven.");
    world.run(&["status", "--wait", "60"]).well();
    let after = world.truth("wiki")["grants"].clone();
    assert!(after.as_object().unwrap().values().all(|works| works == false), "{after}");

    // A proof is verified by the browser, and one byte of it that is another is found.
    browser.open(&format!("{hub}/evidence?subject=hr/1007"));
    browser.press("Verify it in this browser");
    browser.see("✓ Verified in this browser");
    let spoiled = "
        const done = arguments[arguments.length - 1];
        const button = document.querySelector('[data-verify]');
        fetch(button.dataset.verify).then((answer) => answer.text()).then(async (text) => {
            const outcomes = [];
            const changes = [
                (text) => text,
                (text) => text.replace('\"kind\":\"event-accepted\"', '\"kind\":\"event-accepteD\"'),
                (text) => text.replace(/\"value\":\"[^\"]/, (found) => found.slice(0, -1) + '#'),
                (text) => text.split('\\n').toSpliced(2, 1).join('\\n'),
                (text) => text.replace(/\"subject\":\"[^\"]*/, (found) => found + 'x'),
                (text) => text.slice(0, -20),
                (text) => text + '\\n',
            ];
            for (const change of changes) {
                const other = change(text);
                outcomes.push(await verify(other, button.dataset.key).then(
                    () => (other === text ? 'as it was' : 'believed'), (fault) => `refused: ${fault.message}`));
            }
            done(outcomes);
        });";
    let outcomes = browser.run_async(spoiled);
    let outcomes = outcomes.as_array().unwrap();
    assert_eq!(outcomes[0], "as it was");
    assert!(outcomes[1..].iter().all(|one| one.as_str().unwrap().starts_with("refused: ")), "{outcomes:?}");

    // What other policies would do is known before anybody proposes them.
    browser.open(&format!("{hub}/policies/policies/birthright.cedar"));
    browser.run(
        "const text = document.querySelector('#policy'); text.value = text.value.replace('Finance', 'Legal')",
    );
    browser.press("Who would gain or lose access?");
    browser.see("What it would do");
    browser.open(&format!("{hub}/policies/policies/birthright.cedar"));
    browser.run("document.querySelector('#policy').value += 'permit'");
    browser.press("Who would gain or lose access?");
    browser.see("It is not valid");

    // The keyboard is enough to look for somebody.
    browser.open(&format!("{hub}/"));
    browser.fill("body", "/");
    browser.fill("#search", "vera\u{e007}");
    browser.see("Vera Đorđević");
    assert!(
        browser.complaints().iter().all(|text| text.contains("status of 409")),
        "{:?}",
        browser.complaints()
    );
}

#[test]
fn a_source_is_read_from_its_page_and_what_it_breaks_is_said() {
    let (world, database) = payroll();
    let (browser, hub) = (Browser::start(), world.url());
    sign_in(&world, &browser);
    browser.open(&format!("{hub}/feeds"));
    browser.see("read every 1h");
    database.run("UPDATE staff SET active = 0 WHERE id = '2'");
    browser.press("Read it now");
    browser.see("Read, just now.");
    let people = world.run(&["identity", "list", "--state", "left"]).well().stdout;
    assert!(people.contains("payroll/2"), "{people}");
    database.run("UPDATE staff SET mail = NULL WHERE id = '3'");
    browser.press("Read it now");
    browser.see("is empty, and the contract says");
    browser.see("Why it is held");
    let state = browser.text();
    assert!(state.contains("held") && !state.contains("Read, just now."), "{state}");
}

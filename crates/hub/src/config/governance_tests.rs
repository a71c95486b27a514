//! What is on record of integrations, their limits, partners and automations: what is read and refused.

use std::collections::BTreeSet;

use bailiwick_core::{
    authority::Class,
    automation::AutomationKind,
    integration::{Assurance, Role},
    limit::Limit,
};

use super::*;

const SOUND: &str = r#"
[system.chat]
title = "Chat"
classes = ["primary-account", "direct-groups"]
convergence = "3s"
account = { userName = "{email}" }

[entitlement."chat/account"]
class = "primary-account"

[entitlement."chat/sales"]
class = "direct-groups"

[integration.chat]
purpose = "Accounts of the chat"
owner = "hr/1"
backup = "hr/2"
connector = "scim"
endpoint = "https://chat.example.com/x"
system = "chat"
scope = ["list GET /Users", "update PATCH /Users/{id}"]
boundary = "The vendor's cloud"
data_flows = ["names and e-mail → chat"]
privilege_flows = ["groups → chat"]
vendor = "Chatterbox Ltd"
assurances = ["SOC 2"]
callbacks = ["https://hooks.example.com/b", "https://hooks.example.com/a"]
class = "operational"
attributes = ["userName", "email"]
entitlements = ["chat/sales"]
population = { department = ["Sales", "Support"] }
objects_per_run = 50
population_percent = 20
privileged_per_day = 0

[integration.helpdesk]
purpose = "Tickets"
owner = "hr/1"
backup = "hr/2"
connector = "manual"
endpoint = "person:"
partner = true
system = "chat"
acts = ["object chat/ticket", "attribute department"]
boundary = "The vendor's cloud"
data_flows = ["tickets ↔ chat"]
privilege_flows = ["tickets → groups"]
vendor = "Deskhelp Ltd"

[automation.sales-tickets]
title = "chat rule 12"
kind = "ticket-rule"
from = "object chat/ticket"
to = "entitlement chat/sales"
by_person = true

[integration.hr]
purpose = "The people"
owner = "hr/1"
backup = "hr/2"
connector = "csv"
endpoint = "file:feeds/hr"
source = "hr"
scope = ["get READ /{file}"]
boundary = "A share of our own"
data_flows = ["people ← HR"]
privilege_flows = ["everything follows from it"]
vendor = "Personnel SE"
[integration.hr.contract.attributes]
email = { type = "text", required = true }
department = { type = "text" }
"#;

fn read(text: &str) -> Result<Configuration, Vec<ConfigError>> {
    let bundle = Bundle::from([("a.toml".to_owned(), text.to_owned())]);
    let kinds = &["csv", "manual", "scim"];
    let connectors = Connectors { kinds, settings: &|_, _| Ok(()), rule: &|_, _, _| Ok(()) };
    parse_with(&bundle, &connectors, &Configuration::default())
}

/// Replaces `old` by `new` in a sound configuration and expects exactly these errors, in this order. In
/// `expect`, `@` stands for the line of `old`.
#[track_caller]
fn check(old: &str, new: &str, expect: &[&str]) {
    let at = SOUND.find(old).unwrap_or_else(|| panic!("`{old}` is not in the sound configuration"));
    let line = 1 + SOUND[..at].matches('\n').count();
    let errors = read(&SOUND.replacen(old, new, 1)).err().unwrap_or_default();
    let found: Vec<String> = errors.iter().map(|error| format!("{} {error}", error.code())).collect();
    let expect: Vec<String> = expect.iter().map(|e| e.replacen('@', &format!("a.toml:{line}"), 1)).collect();
    assert_eq!(found, expect, "{old} -> {new}");
}

#[test]
fn everything_that_is_governed_is_read() {
    let read = read(SOUND).unwrap();
    let [chat, helpdesk, hr] = &read.integrations[..] else { panic!("three integrations") };
    assert_eq!(chat.register.missing(), Vec::<&str>::new());
    assert_eq!(chat.register.vendor, "Chatterbox Ltd");
    assert_eq!(chat.register.assurances, [Assurance { claim: "SOC 2".into(), tested: None }]);
    assert_eq!(chat.register.callbacks, ["https://hooks.example.com/a", "https://hooks.example.com/b"]);
    assert_eq!(chat.register.class, Some(Class::Operational));
    let scope = &chat.scope;
    assert_eq!(scope.attributes, Limit::Only(BTreeSet::from(["email".to_owned(), "userName".to_owned()])));
    assert_eq!(scope.entitlements, Limit::Only(BTreeSet::from(["chat/sales".parse().unwrap()])));
    assert_eq!(scope.population.0["department"], BTreeSet::from(["Sales".to_owned(), "Support".to_owned()]));
    assert_eq!(
        (scope.objects_per_run, scope.population_percent, scope.privileged_per_day, scope.writes_per_minute),
        (Some(50), Some(20), Some(0), None)
    );
    assert_eq!(helpdesk.role, Role::Partner { system: Some("chat".parse().unwrap()) });
    let acts: Vec<String> = helpdesk.scope.acts.iter().map(ToString::to_string).collect();
    assert_eq!(acts, ["attribute department", "object chat/ticket"]);
    assert!(helpdesk.scope.rules.is_empty() && helpdesk.scope.attributes.is_any());
    assert!(matches!(hr.role, Role::Source { .. }));
    let [rule] = &read.automations[..] else { panic!("one automation") };
    assert_eq!((rule.name.as_str(), rule.title.as_str()), ("sales-tickets", "chat rule 12"));
    assert_eq!((rule.kind, rule.by_person), (AutomationKind::TicketRule, true));
    assert_eq!(
        (rule.from.to_string(), rule.to.to_string()),
        ("object chat/ticket".into(), "entitlement chat/sales".into())
    );
    let owned = read_with("by_person = true", "owner = \"hr/2\"");
    assert_eq!((rule.owner.as_deref(), owned.automations[0].owner.as_deref()), (None, Some("hr/2")));
    let named = read_with("entitlements = [\"chat/sales\"]", "entitlements = []");
    assert_eq!(named.integrations[0].scope.entitlements, Limit::Only(BTreeSet::new()));
    let free = read_with("system = \"chat\"\nacts", "acts");
    assert_eq!(free.integrations[1].role, Role::Partner { system: None });
}

fn read_with(old: &str, new: &str) -> Configuration {
    read(&SOUND.replacen(old, new, 1)).unwrap()
}

#[test]
fn what_is_not_on_record_is_one_refusal() {
    check(
        "boundary = \"The vendor's cloud\"\ndata_flows = [\"names and e-mail → chat\"]\nprivilege_flows = [\"groups → chat\"]\nvendor = \"Chatterbox Ltd\"",
        "boundary = \" \"\ndata_flows = []",
        &[
            "config-missing a.toml:14:14: integration `chat` has no boundary, data_flows, privilege_flows, vendor",
        ],
    );
    check(
        "acts = [\"object",
        "cats = [\"object",
        &[
            "config-missing a.toml:36:14: integration `helpdesk` has no acts",
            "config-unknown-key @:1: integration `helpdesk` has no key `cats` (did you mean `acts`?)",
        ],
    );
    check(
        "title = \"chat rule 12\"\nkind = \"ticket-rule\"",
        "",
        &["config-missing a.toml:50:13: automation `sales-tickets` has no title, kind"],
    );
}

#[test]
fn a_case_of_break_glass_is_narrow_and_not_of_the_hub() {
    let case = |fields: &str| format!("{SOUND}\n[break-glass.outage]\n{fields}\n");
    let good = "purpose = \"Chat is down\"\nentitlements = [\"chat/sales\"]\nlongest_minutes = 60";
    let cases = read(&case(good)).unwrap().glass_cases;
    assert_eq!((cases.len(), cases[0].longest_minutes, cases[0].entitlements.len()), (1, 60, 1));
    for (old, new, expect) in [
        ("chat/sales", "bailiwick/identity-authority-approved", "config-value"),
        ("chat/sales", "chat/nothing", "config-dangling"),
        ("= 60", "= 1441", "config-value"),
        ("longest_minutes = 60", "", "config-missing"),
    ] {
        let errors = read(&case(&good.replace(old, new))).unwrap_err();
        assert!(errors.iter().all(|error| error.code() == expect), "{new}: {errors:?}");
    }
}

#[test]
fn values_of_the_register_and_the_limits() {
    check(
        "\"names and e-mail → chat\"",
        "\"names\", \" \"",
        &["config-value @:24: an entry of `data_flows` is blank; write it, or leave it out"],
    );
    check(
        "class = \"operational\"",
        "class = \"operationl\"",
        &[
            "config-value @:9: `operationl` is not a class; write one of advisory, operational, authoritative (did you mean `operational`?)",
        ],
    );
    check(
        "\"https://hooks.example.com/b\"",
        "\"hooks.example.com\"",
        &["config-value @:14: a callback begins with `https://` or `http://`"],
    );
    check(
        "\"https://hooks.example.com/b\"",
        "\"https://x:hunter2@hooks.example.com\"",
        &["config-secret @:14: the callback carries a user or password; leave it out"],
    );
    check(
        "\"https://hooks.example.com/b\"",
        "\"https://hooks.example.com/b?key=hunter2\"",
        &[
            "config-value @:14: a callback is a host and a path, with nothing after it; write one such as `https://hooks.example.com/acme`",
        ],
    );
    check(
        "/b\", \"https://hooks.example.com/a",
        "/a\", \"https://hooks.example.com/a",
        &["config-duplicate @:45: the callback `https://hooks.example.com/a` is given twice"],
    );
    check(
        "[\"Sales\", \"Support\"]",
        "\"Sales\"",
        &["config-value @:29: `department` of the population is a list of texts, such as `[\"Sales\"]`"],
    );
    check(
        "[\"Sales\", \"Support\"]",
        "[]",
        &["config-value @:29: `department` of the population is a list of texts, such as `[\"Sales\"]`"],
    );
    check(
        "population_percent = 20",
        "population_percent = 101",
        &[
            "config-value @:22: `population_percent` of integration `chat` is out of range; write a whole number from 1 to 100",
        ],
    );
    check(
        "acts = [\"object chat/ticket\"",
        "acts = [\"objects chat/ticket\"",
        &[
            "config-value @:9: `objects chat/ticket` says nothing that can be touched: write `identity`, `attribute NAME`, `entitlement SYSTEM/NAME`, `account SYSTEM`, `credential SYSTEM`, `object SYSTEM/NAME`, `decide TYPE`, `search TYPE` or `signal`",
        ],
    );
    check(
        "\"attribute department\"]",
        "\"object chat/ticket\"]",
        &["config-duplicate @:31: `object chat/ticket` is given twice"],
    );
    check(
        "kind = \"ticket-rule\"",
        "kind = \"ticket\"",
        &[
            "config-value @:8: `ticket` is no kind of automation; the kinds are ticket-rule, dynamic-group, nested-group, workflow, webhook, claim-mapping, delegated-admin",
        ],
    );
    check(
        "to = \"entitlement chat/sales\"",
        "to = \"object chat/ticket\"",
        &["config-value @:6: automation `sales-tickets` leads from `object chat/ticket` to itself"],
    );
    check(
        "by_person = true",
        "by_person = true\nowner = \"desk/1\"",
        &["config-dangling a.toml:56:9: there is no source `desk`"],
    );
}

#[test]
fn a_partner_is_neither_source_nor_target() {
    check(
        "partner = true",
        "partner = true\nsource = \"desk\"",
        &[
            "config-value a.toml:43:10: integration `helpdesk` acts by itself or is a source; write two integrations",
        ],
    );
    // Without the word it would serve the system, which has an integration already, and must say its calls.
    check(
        "partner = true",
        "partner = false",
        &[
            "config-missing a.toml:36:14: integration `helpdesk` has no scope",
            "config-duplicate a.toml:43:10: the system `chat` has an integration at a.toml:20:10 already",
        ],
    );
}

#[test]
fn a_log_is_of_one_system_and_nothing_else() {
    let with = |what: &str| {
        SOUND.replacen(
            "[integration.hr]",
            &format!(
                "[integration.trail]\npurpose = \"Who did what\"\nowner = \"hr/1\"\nbackup = \"hr/2\"\n\
                 connector = \"csv\"\nendpoint = \"file:logs/chat\"\nscope = [\"list READ /{{file}}\"]\n\
                 boundary = \"b\"\ndata_flows = [\"d\"]\nprivilege_flows = [\"p\"]\nvendor = \"v\"\n{what}\n\n\
                 [integration.hr]"
            ),
            1,
        )
    };
    let found = read(&with("log_of = \"chat\"")).unwrap();
    let trail = found.integrations.iter().find(|one| one.name.as_str() == "trail").unwrap();
    assert_eq!(trail.role, Role::Log { system: "chat".parse().unwrap() });
    let fails = |what: &str, expect: &str| {
        let errors = read(&with(what)).unwrap_err();
        let said: Vec<_> = errors.iter().map(|error| error.to_string()).collect();
        assert!(said.len() == 1 && said[0].ends_with(expect), "{what}: {said:?}");
    };
    fails("log_of = \"chatt\"", "there is no system `chatt` (did you mean `chat`?)");
    fails("", "integration `trail` has no system (or source, or log_of, or partner)");
    let two = "integration `trail` reads a log and nothing else; write two integrations";
    fails("log_of = \"chat\"\nsource = \"desk\"", two);
    fails("log_of = \"chat\"\npartner = true\nacts = [\"signal\"]", two);
    let twice = "log_of = \"chat\"\n\n[integration.other]\nlog_of = \"chat\"\nowner = \"hr/1\"";
    let errors = read(&with(twice)).unwrap_err();
    let duplicate =
        errors.iter().filter(|error| error.to_string().contains("the log of `chat` has an integration at"));
    assert_eq!(duplicate.count(), 1, "{errors:?}");
}

#[test]
fn names_that_nothing_bears_are_found_by_place() {
    check(
        "\"attribute department\"]",
        "\"attribute departmnt\"]",
        &["config-dangling @:31: no source promises the attribute `departmnt` (did you mean `department`?)"],
    );
    // What no source promises, an integration may bring; policies and populations then have it.
    check("\"attribute department\"]", "\"attribute badge\"]", &[]);
    check(
        "\"object chat/ticket\", ",
        "\"object chatt/ticket\", \"account itsm\", ",
        &[
            "config-dangling @:9: there is no system `chatt` (did you mean `chat`?)",
            "config-dangling @:32: there is no system `itsm`",
        ],
    );
    check(
        "to = \"entitlement chat/sales\"",
        "to = \"entitlement chat/sale\"",
        &["config-dangling @:6: there is no entitlement `chat/sale` (did you mean `chat/sales`?)"],
    );
    check(
        "from = \"object chat/ticket\"",
        "from = \"credential vault\"",
        &["config-dangling @:8: there is no system `vault`"],
    );
    check(
        "entitlements = [\"chat/sales\"]",
        "entitlements = [\"chat/sellers\"]",
        &["config-dangling @:17: there is no entitlement `chat/sellers` (did you mean `chat/sales`?)"],
    );
    check(
        "attributes = [\"userName\", \"email\"]",
        "attributes = [\"usrName\"]",
        &["config-dangling @:15: no source promises the attribute `usrName` (did you mean `userName`?)"],
    );
    check(
        "population = { department",
        "population = { userName",
        &["config-dangling @:16: no source promises the attribute `userName`"],
    );
    check(
        "partner = true\nsystem = \"chat\"",
        "partner = true\nsystem = \"desk\"",
        &["config-dangling a.toml:43:10: there is no system `desk`"],
    );
    // What is declared and wrong is not said to be missing.
    check(
        "[entitlement.\"chat/sales\"]\nclass",
        "[entitlement.\"chat/sales\"]\nclas",
        &[
            "config-missing a.toml:11:14: entitlement `chat/sales` has no class",
            "config-unknown-key a.toml:12:1: entitlement `chat/sales` has no key `clas` (did you mean `class`?)",
        ],
    );
}

#[test]
fn what_may_be_asked_about_is_read_and_what_is_wrong_with_it_has_its_place() {
    let sound = r#"
[subject.user]
id = "email"
kind = "person"
properties = { role = "text" }

[subject.employee]
id = "key"
source = "hr"

[resource.record]
actions = ["read", "write"]
properties = { status = "text", size = "number" }
action_properties = { soft = "flag" }
context = { places = "text-set" }
sample = 7
reasons = true
known = { "r 1" = { status = "open", size = 3 } }
"#;
    let with = |text: &str| {
        let acts = "acts = [\"decide record\", \"search entitlement\", \"object chat/ticket\",";
        read(&format!("{}{text}", SOUND.replace("acts = [\"object chat/ticket\",", acts)))
    };
    let sound_read = with(sound).unwrap();
    assert_eq!(sound_read.subjects.len(), 2);
    let record = &sound_read.resources[0];
    assert_eq!(
        (record.sample, record.reasons, record.actions.len(), record.known["r 1"].len()),
        (7, true, 2, 2)
    );
    for (old, new, expect) in [
        ("id = \"email\"", "", "config-missing"),
        ("id = \"email\"", "id = \"login\"", "config-value"),
        ("id = \"email\"", "id = \"email\"\nsource = \"hr\"", "config-value"),
        ("source = \"hr\"", "", "config-missing"),
        ("source = \"hr\"", "source = \"rh\"", "config-dangling"),
        ("kind = \"person\"", "kind = \"robot\"", "config-value"),
        ("role = \"text\"", "role = \"string\"", "config-value"),
        ("role = \"text\"", "\"a-role\" = \"text\"", "config-value"),
        ("actions = [\"read\", \"write\"]", "actions = []", "config-missing"),
        ("\"write\"]", "\"read\"]", "config-duplicate"),
        ("\"write\"]", "\"Write it\"]", "config-value"),
        ("sample = 7", "sample = 0", "config-value"),
        ("reasons = true", "reason = true", "config-unknown-key"),
        ("size = 3", "size = \"3\"", "config-value"),
        ("size = 3", "sise = 3", "config-unknown-key"),
        ("{ status = \"open\", size = 3 }", "\"open\"", "config-value"),
        ("[resource.record]", "[resource.recrod]", "config-dangling"),
        ("[subject.employee]", "[subject.\"An Employee\"]", "config-value"),
    ] {
        assert!(sound.contains(old), "{old}");
        let errors = with(&sound.replacen(old, new, 1)).unwrap_err();
        assert!(errors.len() == 1 && errors[0].code() == expect, "{new}: {errors:?}");
    }
}

#[test]
fn who_is_away_is_said_by_a_text_that_is_promised_and_no_value_says_two_things() {
    for (status, says) in [
        ("attribute = \"department\", at_work = [\"a\"], leave = [\"b\"]", None),
        (
            "attribute = \"job\", at_work = [\"a\"]",
            Some("a.toml:70:10: `job` is no attribute of this contract that is a text"),
        ),
        (
            "attribute = \"department\", at_work = [\"a\"], garden_leave = [\"A\"]",
            Some("a.toml:70:10: `status`: `a` stands in two lists, so that it says two things"),
        ),
        ("attribute = \"department\"", Some("a.toml:70:10: `status`: missing field `at_work`")),
    ] {
        let says: Vec<String> = says.into_iter().map(|says| format!("config-value {says}")).collect();
        let says: Vec<&str> = says.iter().map(String::as_str).collect();
        let listed = "[integration.hr.contract.attributes]";
        check(listed, &format!("[integration.hr.contract]\nstatus = {{ {status} }}\n{listed}"), &says);
    }
    check(
        "department = { type = \"text\" }",
        "department = { type = \"text\" }\nlegal_hold = { type = \"text\" }",
        &[
            "config-value a.toml:72:1: `legal_hold` says whether somebody is under legal hold, so it is a `flag`",
        ],
    );
}

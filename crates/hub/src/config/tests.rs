//! What is refused, and exactly where.

use bailiwick_core::integration::Role;

use super::*;

pub(super) const SOUND: &str = r#"
[system.chat]
title = "Chat"
classes = ["primary-account", "direct-groups"]
convergence = "3s"
account = { userName = "{email}", title = "?{title}" }

[entitlement."chat/account"]
class = "primary-account"

[entitlement."chat/sales"]
class = "direct-groups"
label = "Sales"

[integration.chat]
purpose = "Accounts of the chat"
owner = "hr/1"
backup = "hr/2"
connector = "scim"
endpoint = "https://chat.example.com/x"
system = "chat"
scope = ["list GET /Users"]
boundary = "The vendor's cloud"
data_flows = ["names and e-mail → chat"]
privilege_flows = ["groups → chat"]
vendor = "Chatterbox Ltd"

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
[integration.hr.contract]
zone = "Europe/Berlin"
attributes = { email = { type = "text", required = true }, title = { type = "text", null = "ignore" } }
"#;

pub(super) fn bundle(files: &[(&str, &str)]) -> Bundle {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

pub(super) fn read(bundle: &Bundle) -> Result<Configuration, Vec<ConfigError>> {
    let check = |kind: &str, settings: &serde_json::Value| match (kind, settings.get("wrong")) {
        ("scim", Some(_)) => Err("unknown setting `wrong`".to_owned()),
        _ => Ok(()),
    };
    let rule = |_: &str, _: &serde_json::Value, rule: &ScopeRule| match rule.to_string().contains("/Wrong") {
        true => Err(format!("`{rule}`: nothing here is wrong")),
        false => Ok(()),
    };
    let connectors = Connectors { kinds: &["csv", "scim"], settings: &check, rule: &rule };
    parse_with(bundle, &connectors, &Configuration::default())
}

fn problems(bundle: &Bundle) -> Vec<String> {
    let errors = read(bundle).err().unwrap_or_default();
    errors.iter().map(|error| format!("{} {error}", error.code())).collect()
}

/// Replaces `old` by `new` in a sound configuration and expects exactly these errors, in this order.
#[track_caller]
fn check(old: &str, new: &str, expect: &[&str]) {
    assert!(SOUND.contains(old), "`{old}` is not in the sound configuration");
    let text = SOUND.replacen(old, new, 1);
    assert_eq!(problems(&bundle(&[("a.toml", &text)])), expect, "{old} -> {new}");
}

#[test]
fn a_sound_configuration_is_read_in_full() {
    let read =
        read(&bundle(&[("a.toml", SOUND), ("p/a.cedar", "permit(principal, action, resource);")])).unwrap();
    assert_eq!(read.systems.len(), 1);
    assert_eq!(read.systems[0].convergence_ms, 3_000);
    assert_eq!(read.systems[0].reconcile_every_ms, 6 * 3_600_000);
    assert_eq!(read.systems[0].probe_every_ms, 30 * 24 * 3_600_000);
    assert_eq!((read.systems[0].audit_every_ms, read.systems[0].audit_lag_ms), (900_000, 300_000));
    assert!(!read.systems[0].anchor);
    assert_eq!(read.systems[0].account["title"], "?{title}");
    let labels: Vec<_> = read.entitlements.iter().map(|e| (e.name.as_str(), e.label.as_str())).collect();
    assert_eq!(labels, [("chat/account", "account"), ("chat/sales", "Sales")]);
    assert_eq!(read.policies[0].path, "p/a.cedar");
    let [chat, hr] = &read.integrations[..] else { panic!("two integrations") };
    assert_eq!(chat.endpoint, "https://chat.example.com/x");
    assert_eq!(chat.scope.rules[0].to_string(), "list GET /Users");
    assert_eq!(hr.endpoint, "file:feeds/hr", "each node has its own folder");
    let Role::Source { contract, .. } = &hr.role else { panic!("hr is a source") };
    assert_eq!(
        (contract.zone.as_str(), contract.max_loss_percent, contract.grace_days),
        ("Europe/Berlin", 10, 14)
    );
    assert!(contract.attributes["email"].required && !contract.attributes["title"].required);
}

#[test]
fn how_an_audit_log_is_read_and_what_an_anchor_is_are_declared() {
    let declared = "convergence = \"3s\"\naudit_every = \"1h\"\naudit_lag = \"0s\"\nanchor = true";
    let text = SOUND.replacen("convergence = \"3s\"", declared, 1);
    let system = &read(&bundle(&[("a.toml", &text)])).unwrap().systems[0];
    assert_eq!((system.audit_every_ms, system.audit_lag_ms, system.anchor), (3_600_000, 0, true));
    check(
        "convergence = \"3s\"",
        "convergence = \"3s\"\naudit_every = \"0\"\naudit_lag = \"2d\"",
        &[
            "config-value a.toml:6:15: `audit_every` cannot be switched off: what is not looked at is not known; write a long time such as `90d`",
            "config-value a.toml:7:13: `2d` is not a duration of up to a day; write one such as `500ms`, `3s`, `2m`",
        ],
    );
}

#[test]
fn what_is_declared_may_be_spread_over_files() {
    let (systems, rest) = SOUND.split_at(SOUND.find("[integration.chat]").unwrap());
    let spread = read(&bundle(&[("z.toml", systems), ("a/b.toml", rest)])).unwrap();
    let whole = read(&bundle(&[("a.toml", SOUND)])).unwrap();
    assert_eq!(spread.integrations, whole.integrations);
    assert_eq!(spread.entitlements, whole.entitlements);
}

#[test]
fn syntax_and_keys() {
    check(
        "title = \"Chat\"",
        "title = Chat",
        &["config-syntax a.toml:3:9: string values must be quoted, expected literal string"],
    );
    check(
        "title = \"Chat\"",
        "title = \"Chat\"\ntitle = \"x\"",
        &["config-duplicate a.toml:4:1: duplicate key"],
    );
    check(
        "[system.chat]",
        "[sytem.chat]",
        &[
            "config-unknown-key a.toml:2:2: there is no table `sytem` (did you mean `system`?)",
            "config-dangling a.toml:8:14: there is no system `chat`",
            "config-dangling a.toml:11:14: there is no system `chat`",
            "config-dangling a.toml:21:10: there is no system `chat`",
        ],
    );
    check(
        "purpose = \"Accounts",
        "porpose = \"Accounts",
        &[
            "config-missing a.toml:15:14: integration `chat` has no purpose",
            "config-unknown-key a.toml:16:1: integration `chat` has no key `porpose` (did you mean `purpose`?)",
        ],
    );
    check(
        "label = \"Sales\"",
        "label = \"Sales\"\nprivilegd = true",
        &[
            "config-unknown-key a.toml:14:1: entitlement `chat/sales` has no key `privilegd` (did you mean `privileged`?)",
        ],
    );
    check(
        "zone = \"Europe/Berlin\"",
        "max_los_percent = 5",
        &[
            "config-unknown-key a.toml:41:1: the contract of `hr` has no key `max_los_percent` (did you mean `max_loss_percent`?)",
        ],
    );
    check(
        "title = \"Chat\"",
        "colour = 1\ntitle = \"Chat\"",
        &["config-unknown-key a.toml:3:1: system `chat` has no key `colour`"],
    );
    // What would be done without a pause is not taken.
    for key in ["read_every_minutes", "max_age_hours", "max_quiet_hours"] {
        let most = if key == "read_every_minutes" { 60 * 24 * 366 } else { 24 * 366 };
        let place = key.len() + 4;
        let says = format!(
            "config-value a.toml:41:{place}: `{key}` of the contract of `hr` is out of range; write a whole number from 1 to {most}"
        );
        check("zone = \"Europe/Berlin\"", &format!("{key} = 0"), &[&says]);
    }
}

#[test]
fn the_refusal_of_an_integration_lists_everything_that_is_missing() {
    check(
        "purpose = \"Accounts of the chat\"\nowner = \"hr/1\"\nbackup = \"hr/2\"\nconnector = \"scim\"",
        "owner = \"  \"\nconnector = \"scim\"",
        &["config-no-owner a.toml:15:14: integration `chat` has no purpose, owner, backup"],
    );
    check(
        "purpose = \"The people\"\nowner = \"hr/1\"\nbackup = \"hr/2\"\nconnector = \"csv\"\nendpoint = \"file:feeds/hr\"\nsource = \"hr\"\nscope = [\"get READ /{file}\"]\nboundary = \"A share of our own\"\ndata_flows = [\"people ← HR\"]\nprivilege_flows = [\"everything follows from it\"]\nvendor = \"Personnel SE\"\n[integration.hr.contract]\nzone = \"Europe/Berlin\"\nattributes",
        "x",
        &[
            "config-dangling a.toml:17:9: there is no source `hr`",
            "config-dangling a.toml:18:10: there is no source `hr`",
            "config-no-owner a.toml:28:14: integration `hr` has no purpose, owner, backup, connector, endpoint, scope, boundary, data_flows, privilege_flows, vendor, system (or source, or log_of, or partner)",
            "config-unknown-key a.toml:29:1: integration `hr` has no key `x`",
        ],
    );
    check(
        "source = \"hr\"",
        "",
        &[
            "config-dangling a.toml:17:9: there is no source `hr`",
            "config-dangling a.toml:18:10: there is no source `hr`",
            "config-missing a.toml:28:14: integration `hr` has no system (or source, or log_of, or partner)",
            "config-dangling a.toml:30:9: there is no source `hr`",
            "config-dangling a.toml:31:10: there is no source `hr`",
        ],
    );
    check(
        "[integration.hr.contract]\nzone = \"Europe/Berlin\"\nattributes",
        "[integration.hr.settings]\na",
        &["config-missing a.toml:28:14: integration `hr` has no contract"],
    );
    check(
        "backup = \"hr/2\"",
        "backup = \"hr/1\"",
        &[
            "config-no-owner a.toml:18:10: owner and backup of integration `chat` are the same person; name another",
        ],
    );
    check(
        "title = \"Chat\"\nclasses = [\"primary-account\", \"direct-groups\"]\nconvergence = \"3s\"",
        "classes = []",
        &["config-missing a.toml:2:9: system `chat` has no title, classes, convergence"],
    );
}

#[test]
fn values() {
    check(
        "title = \"Chat\"",
        "title = 3",
        &["config-value a.toml:3:9: `title` of system `chat` is an integer; write a text in quotes"],
    );
    check(
        "\"direct-groups\"]",
        "\"direct-group\"]",
        &[
            "config-value a.toml:4:31: `direct-group` is not a class of access (did you mean `direct-groups`?)",
        ],
    );
    check(
        "convergence = \"3s\"",
        "convergence = \"3\"\non_leave = \"delet\"",
        &[
            "config-value a.toml:5:15: `3` is not a duration of up to a day; write one such as `500ms`, `3s`, `2m`",
            "config-value a.toml:6:12: `delet` is nothing that is done to a leaver; write `disable` or `delete` (did you mean `delete`?)",
        ],
    );
    check(
        "\"{email}\"",
        "\"{email\"",
        &["config-value a.toml:6:24: the braces of the template do not match"],
    );
    check(
        "[entitlement.\"chat/sales\"]",
        "[entitlement.sales]",
        &[
            "config-value a.toml:11:14: `sales` is not the name of a entitlement: use lower-case letters, digits, `-`, `_` and `.`, as `system/name`",
        ],
    );
    check(
        "class = \"direct-groups\"",
        "class = \"licences\"",
        &[
            "config-value a.toml:12:9: system `chat` has no class `licences`; add it to the system, or pick another",
        ],
    );
    check(
        "owner = \"hr/1\"",
        "owner = \"Ada\"",
        &["config-value a.toml:17:9: `Ada` does not name a person; write `source/key`, such as `hr/1002`"],
    );
    check(
        "\"list GET /Users\"",
        "\"list GET /Users\", \"list DELETE /Users\", 4, \"list GET /Users\"",
        &[
            "config-value a.toml:22:29: `list DELETE /Users` is not a scope rule: an operation that reads cannot use a verb that writes; write `OPERATION VERB TARGET`, for example `get GET /Users/{id}`",
            "config-value a.toml:22:51: `scope` of integration `chat` is an integer; write a list of texts",
            "config-duplicate a.toml:22:54: `list GET /Users` is given twice",
        ],
    );
    check(
        "scope = [\"list GET /Users\"]",
        "scope = [\"list GET /Users\"]\nwrites_per_minute = 0",
        &[
            "config-value a.toml:23:21: `writes_per_minute` of integration `chat` is out of range; write a whole number from 1 to 4294967295",
        ],
    );
    check(
        "scope = [\"list GET /Users\"]",
        "scope = [\"list GET /Users\"]\nsettings = { wrong = 1 }",
        &["config-value a.toml:23:12: the settings of integration `chat`: unknown setting `wrong`"],
    );
    check(
        "zone = \"Europe/Berlin\"",
        "zone = \"Europe/Bonn\"\nmax_loss_percent = 101",
        &[
            "config-value a.toml:41:8: `Europe/Bonn` is not a time zone; use an IANA name such as `Europe/Berlin`",
            "config-value a.toml:42:20: `max_loss_percent` of the contract of `hr` is out of range; write a whole number from 0 to 100",
        ],
    );
    check(
        "null = \"ignore\"",
        "null = \"keep\"",
        &[
            "config-value a.toml:42:92: `null` of attribute `title`: unknown variant `keep`, expected one of `ignore`, `clear`, `reject`",
        ],
    );
    check(
        "convergence = \"3s\"",
        "convergence = \"3s\"\nretention_days = -1",
        &[
            "config-value a.toml:6:18: `retention_days` of system `chat` is out of range; write a whole number from 0 to 3650",
        ],
    );
    check(
        "convergence = \"3s\"",
        "convergence = \"3s\"\nreconcile_every = \"0\"\nprobe_every = 0",
        &[
            "config-value a.toml:6:19: `reconcile_every` cannot be switched off: what is not looked at is not known; write a long time such as `90d`",
            "config-value a.toml:7:15: `probe_every` cannot be switched off: what is not looked at is not known; write a long time such as `90d`",
        ],
    );
    check(
        "convergence = \"3s\"",
        "convergence = \"3s\"\nreconcile_every = \"6\"\nprobe_every = \"10s\"",
        &[
            "config-value a.toml:6:19: `reconcile_every` is not a time from a minute to a year; write one such as `30m`, `6h`, `30d`",
            "config-value a.toml:7:15: `probe_every` is not a time from a minute to a year; write one such as `30m`, `6h`, `30d`",
        ],
    );
    check(
        "title = { type",
        "Title = { type",
        &[
            "config-dangling a.toml:6:43: no source promises the attribute `title` (did you mean `Title`?)",
            "config-value a.toml:42:60: `Title` cannot name an attribute; use lower-case letters, digits and `_`, as `job_title`",
        ],
    );
}

/// What a system says of differences, on its line 7 and after.
fn reconciling(text: &str) -> Result<bailiwick_core::difference::Reconciling, Vec<String>> {
    let text =
        SOUND.replace("[entitlement.\"chat/account\"]", &format!("{text}\n\n[entitlement.\"chat/account\"]"));
    let files = bundle(&[("a.toml", &text)]);
    match read(&files) {
        Ok(mut configuration) => Ok(configuration.systems.remove(0).reconcile),
        Err(_) => Err(problems(&files)),
    }
}

#[test]
fn what_is_done_about_differences() {
    use bailiwick_core::difference::{Answer, Class, Reconciling};
    assert_eq!(reconciling(""), Ok(Reconciling::default()));
    let usual = "[system.chat.reconcile]\nrogue = \"revert\"\nmissing = \"revert\"\nghost = \"revert\"\n\
        unmanaged = \"tell\"\nout-of-band = \"tell\"\nmax_change_percent = 30\nalways_allowed = 25";
    assert_eq!(reconciling(usual), Ok(Reconciling::default()));
    let said = reconciling(
        "[system.chat.reconcile]\nrogue = \"except 30d\"\nmax_change_percent = 5\nalways_allowed = 0\n\
            shared = { \"desk@x.test\" = \"hr/1\" }",
    )
    .unwrap();
    assert_eq!(said.answer(Class::Rogue), Answer::Except { days: 30 });
    assert_eq!((said.max_change_percent, said.always_allowed), (5, 0));
    assert_eq!(said.shared["desk@x.test"], "hr/1");
    let said = reconciling("[system.chat.reconcile]\nmissing = \"adopt\"\ndrifted = \"except 7d\"").unwrap();
    assert_eq!(
        (said.answer(Class::Missing), said.answer(Class::Drifted)),
        (Answer::Adopt, Answer::Except { days: 7 })
    );
    let wrong = |text: &str, expect: &str| {
        let problems = reconciling(&format!("[system.chat.reconcile]\n{text}")).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(expect), "{text}: {problems:?}");
    };
    wrong("rogue = \"keep\"", "`keep` is nothing that is done about a difference");
    wrong("rogue = \"except 0d\"", "is nothing that is done about a difference");
    wrong("rogue = \"except 366d\"", "of up to a year");
    wrong("rogue = \"tell\"", "what is `rogue` cannot be answered with `tell`");
    wrong("ghost = \"adopt\"", "nothing is kept for somebody who is not here; the answer is `revert`");
    wrong(
        "missing = \"tell\"",
        "what should be does not stay away without a decision; the answer is `revert`",
    );
    wrong("unmanaged = \"revert\"", "whose it is must be found out by a person; the answer is `tell`");
    wrong("rouge = \"revert\"", "(did you mean `rogue`?)");
    wrong("max_change_percent = 0", "write a whole number from 1 to 100");
    wrong("shared = { \"desk@x.test\" = 3 }", "names nobody who looks after it");
    wrong("shared = { \"desk@x.test\" = \"nobody\" }", "nobody");
    wrong("shared = { \"desk@x.test\" = \"sales/1\" }", "sales");
}

#[test]
fn endpoints() {
    const FILE: &str = "a `file:` endpoint is a folder in the data folder; write one such as `file:feeds/hr`";
    for bad in ["file:../x", "file:/etc", "file:", "file:feeds//x", "file:///etc/x", "file:feeds/.."] {
        check("file:feeds/hr", bad, &[&format!("config-value a.toml:33:12: {FILE}")]);
    }
    const SHAPE: &str = "an endpoint is a host and a path, with nothing after it; write one such as `https://chat.example.com/scim`";
    for bad in [
        "https://",
        "https:///x",
        "http://a/b?c",
        "http://a/b#c",
        "http://a b",
        "http://a/../b",
        "http://a//b",
    ] {
        check("https://chat.example.com/x", bad, &[&format!("config-value a.toml:20:12: {SHAPE}")]);
    }
    for bad in ["chat.example.com", "ftp://a", "HTTP://a"] {
        let expect = "config-value a.toml:20:12: an endpoint begins with `https://`, `http://`, `ldaps://`, `ldap://`, `postgres://`, `sqlite:`, `file:`, or is `person:`";
        check("https://chat.example.com/x", bad, &[expect]);
    }
}

#[test]
fn secrets_are_refused_and_not_repeated() {
    let expect = "config-secret a.toml:20:12: the endpoint carries a user or password; credentials are handed to the hub, not written here";
    check("https://chat.example.com/x", "https://ada:hunter2@chat.example.com", &[expect]);
    for (setting, path) in [
        ("{ password = \"hunter2\" }", "password"),
        ("{ auth = { clientSecret = \"hunter2\" } }", "auth.clientSecret"),
        ("{ header = \"Bearer hunter2hunter2\" }", "header"),
    ] {
        let new = format!("scope = [\"list GET /Users\"]\nsettings = {setting}");
        let expect = format!(
            "config-secret a.toml:23:12: the setting `{path}` looks like a secret; credentials are handed to the hub, not written here"
        );
        check("scope = [\"list GET /Users\"]", &new, &[&expect]);
        assert!(!expect.contains("hunter2"));
    }
}

#[test]
fn references_and_duplicates_across_files() {
    check(
        "connector = \"scim\"",
        "connector = \"skim\"",
        &[
            "config-dangling a.toml:19:13: there is no connector `skim`; there are csv, scim (did you mean `scim`?)",
        ],
    );
    check(
        "system = \"chat\"",
        "system = \"chatt\"",
        &["config-dangling a.toml:21:10: there is no system `chatt` (did you mean `chat`?)"],
    );
    check(
        "source = \"hr\"",
        "system = \"chat\"",
        &[
            "config-dangling a.toml:17:9: there is no source `hr`",
            "config-dangling a.toml:18:10: there is no source `hr`",
            "config-dangling a.toml:30:9: there is no source `hr`",
            "config-dangling a.toml:31:10: there is no source `hr`",
            "config-duplicate a.toml:34:10: the system `chat` has an integration at a.toml:21:10 already",
            "config-value a.toml:40:1: only a source has a contract; write `source` instead of `system`",
        ],
    );
    check(
        "owner = \"hr/1\"",
        "owner = \"hrr/1\"",
        &["config-dangling a.toml:17:9: there is no source `hrr` (did you mean `hr`?)"],
    );
    check(
        "?{title}",
        "?{titel}",
        &["config-dangling a.toml:6:43: no source promises the attribute `titel` (did you mean `title`?)"],
    );
    check(
        "[entitlement.\"chat/sales\"]",
        "[entitlement.\"chta/sales\"]",
        &["config-dangling a.toml:11:14: there is no system `chta` (did you mean `chat`?)"],
    );
    check(
        "[integration.chat]",
        "[entitlement.\"chat/sellers\"]\nclass = \"direct-groups\"\nlabel = \"Sales\"\n[integration.chat]",
        &["config-duplicate a.toml:15:14: `chat/sellers` is the same on the system as `chat/sales`"],
    );
    let twice =
        bundle(&[("a.toml", SOUND), ("b.toml", "[system.chat]\n[entitlement]\n\"chat/sales\" = {}\n")]);
    assert_eq!(
        problems(&twice),
        [
            "config-duplicate b.toml:1:9: `chat` is declared at a.toml:2:9 already",
            "config-duplicate b.toml:3:1: `chat/sales` is declared at a.toml:11:14 already",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_does_not_make_others_dangle() {
    let (systems, rest) = SOUND.split_at(SOUND.find("[integration.chat]").unwrap());
    let broken =
        bundle(&[("a.toml", &format!("{systems}\nx = ")), ("b.toml", rest), ("c.toml", "integration = 1")]);
    let problems = problems(&broken);
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].starts_with("config-syntax a.toml:16:5"), "{problems:#?}");
    assert_eq!(
        problems[1],
        "config-value c.toml:1:1: `integration` is not a table; write `[integration.NAME]`"
    );
}

#[test]
fn a_rule_that_the_settings_cannot_mean_has_its_place() {
    check(
        "scope = [\"list GET /Users\"]",
        "scope = [\"list GET /Users\", \"get GET /Wrong\"]",
        &["config-value a.toml:22:29: `get GET /Wrong`: nothing here is wrong"],
    );
    // Whoever writes it, no statement that ends sessions stands behind a listing.
    let roles = SOUND
        .replace("connector = \"scim\"", "connector = \"sql\"\nsettings = { dialect = \"postgresql-roles\" }")
        .replace("https://chat.example.com/x", "postgres://db.example.com/app");
    let with = |scope: &str| {
        let text = roles
            .replace("list GET /Users", scope)
            .replace("/{file}\"]", "/{file}\"]\nsettings = { key = \"id\" }");
        let errors = parse(&bundle(&[("a.toml", &text)])).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(with("revoke EXEC revoke-sessions"), [""; 0]);
    assert_eq!(
        with("list EXEC revoke-sessions"),
        ["a.toml:23:10: `list EXEC revoke-sessions`: `revoke-sessions` is for revoke, not for list"]
    );
}

#[test]
fn columns_count_characters() {
    check(
        "title = \"Chat\"",
        "\"Łódź\" = 1\ntitle = \"Chat\"",
        &["config-unknown-key a.toml:3:1: system `chat` has no key `Łódź`"],
    );
    check(
        "account = { userName",
        "account = { \"Łódź\" = 1, userName",
        &["config-value a.toml:6:22: `Łódź` is no template; write a text such as `{email}`"],
    );
}

#[cfg(unix)]
#[test]
fn a_folder_is_read_without_what_is_not_configuration() {
    use std::{fs, os::unix::fs::symlink};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("in/policies")).unwrap();
    fs::create_dir_all(root.join("in/.git")).unwrap();
    let put = |path: &str, text: &[u8]| fs::write(root.join(path), text).unwrap();
    put("in/a.toml", b"");
    put("in/policies/b.cedar", b"permit");
    put("in/hr.csv", b"x");
    put("in/.hidden.toml", b"x");
    put("in/.git/c.toml", b"x");
    symlink("a.toml", root.join("in/link.toml")).unwrap();
    symlink("..", root.join("in/policies/up")).unwrap();
    let names: Vec<String> = read_folder(&root.join("in")).unwrap().into_keys().collect();
    assert_eq!(names, ["a.toml", "link.toml", "policies/b.cedar"]);

    let code = || read_folder(&root.join("in")).unwrap_err().code();
    put("out.toml", b"");
    symlink("../out.toml", root.join("in/x.toml")).unwrap();
    assert_eq!(code(), "config-link");
    fs::remove_file(root.join("in/x.toml")).unwrap();
    put("in/x.toml", &vec![b'#'; 1024 * 1024 + 1]);
    assert_eq!(code(), "config-too-long");
    put("in/x.toml", b"a = \"\xff\"");
    assert_eq!(code(), "config-encoding");
    fs::remove_dir_all(root.join("in")).unwrap();
    assert_eq!(code(), "config-read");
    fs::create_dir_all(root.join("in")).unwrap();
    assert_eq!(code(), "config-empty");
}

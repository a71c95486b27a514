//! Descriptions of APIs in files of their own: `settings = { description = "file:apis/erp.toml" }`, a path
//! from the configuration folder on.
//!
//! What the file says becomes the setting, as if it stood there. So the hub keeps, shows and approves the
//! description itself, and not only what it is called; to change the file is to change the integration. A file
//! that is a description is no configuration. Absent on purpose: files elsewhere than in the folder.

use std::collections::BTreeSet;

use bailiwick_connectors::rest::{self, Description};
use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Bundle, TABLES,
    error::{Code, Report, Spot},
    fields::Located,
};

/// The setting.
const DESCRIPTION: &str = "description";
/// What the name of a file begins with.
const FILE: &str = "file:";

/// The file that a setting names.
fn file<'v>(value: &'v DeValue<'_>) -> Option<&'v str> {
    value.as_str().and_then(|text| text.strip_prefix(FILE))
}

fn within<'v, 't>(table: &'v DeTable<'t>, key: &str) -> Option<&'v Spanned<DeValue<'t>>> {
    table.get(key)
}

/// The paths of all files that integrations name as descriptions. A file that declares something is configuration
/// whoever names it: nothing is dropped by being called a description.
pub(super) fn files(bundle: &Bundle) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for text in bundle.iter().filter(|(path, _)| path.ends_with(".toml")).map(|(_, text)| text) {
        let (document, _) = DeTable::parse_recoverable(text);
        let integrations =
            within(document.get_ref(), "integration").and_then(|found| found.get_ref().as_table());
        for integration in integrations.into_iter().flat_map(|table| table.iter().map(|(_, value)| value)) {
            let settings = integration.get_ref().as_table().and_then(|table| within(table, "settings"));
            let settings = settings.and_then(|settings| settings.get_ref().as_table());
            let named_here = settings.and_then(|table| file(within(table, DESCRIPTION)?.get_ref()));
            named.extend(named_here.map(str::to_owned));
        }
    }
    named.retain(|path| {
        let declares = |text: &String| {
            let (document, _) = DeTable::parse_recoverable(text);
            TABLES.iter().any(|table| document.get_ref().contains_key(*table))
        };
        !bundle.get(path).is_some_and(declares)
    });
    named
}

/// Puts what the file says in the place of its name; what is wrong with it goes to the report, by its place in
/// the file. `false` if something is.
pub(super) fn take<'t>(
    settings: &mut Value,
    written: Located<'t, &DeValue<'t>>,
    bundle: &'t Bundle,
    report: &mut Report,
) -> bool {
    let setting = written.value.as_table().and_then(|table| within(table, DESCRIPTION));
    let Some((setting, path)) = setting.and_then(|found| Some((found, file(found.get_ref())?))) else {
        return true;
    };
    let spot = written.spot.at(setting.span().start);
    let known = || bundle.keys().map(String::as_str).filter(|path| path.ends_with(".toml"));
    let Some((path, text)) = bundle.get_key_value(path).filter(|(path, _)| path.ends_with(".toml")) else {
        let message =
            format!("there is no file `{path}` in the configuration folder; a description is a `.toml` file");
        report.add_near(Code::Dangling, spot, message, path, known());
        return false;
    };
    let start = Spot { file: path, text, at: 0 };
    if let Err(faults) = Description::read(text) {
        for fault in faults {
            let at = fault.place.map_or(0, |(line, column)| byte(text, line, column));
            let code = match fault.code {
                rest::Code::Syntax => Code::Syntax,
                rest::Code::Hole | rest::Code::Missing | rest::Code::Value => Code::Value,
            };
            let message = match fault.key.as_str() {
                "" => fault.message,
                key => format!("`{key}`: {}", fault.message),
            };
            report.add(code, start.at(at), message);
        }
        return false;
    }
    match (toml::from_str::<Value>(text), settings.as_object_mut()) {
        (Ok(said), Some(settings)) => {
            settings.insert(DESCRIPTION.to_owned(), said);
            true
        }
        (Ok(_), None) => true,
        (Err(error), _) => {
            report.add(Code::Syntax, start, error.message());
            false
        }
    }
}

/// The byte at a line and column, both from 1, the column in characters.
fn byte(text: &str, line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => text.match_indices('\n').nth(line - 2).map_or(text.len(), |(at, _)| at + 1),
    };
    let within = text[start..].char_indices().nth(column.saturating_sub(1)).map_or(0, |(at, _)| at);
    start + within
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::super::parse;
    use super::*;

    const MAIN: &str = r#"
[system.erp]
title = "ERP"
classes = ["primary-account"]
convergence = "3s"
account = { userName = "{email}" }

[integration.erp]
purpose = "Accounts of the ERP"
owner = "hr/1"
backup = "hr/2"
connector = "rest"
endpoint = "https://erp.example.com"
system = "erp"
scope = ["list GET /users"]
boundary = "Our own rooms"
data_flows = ["names"]
privilege_flows = ["groups"]
vendor = "Example Ltd"
settings = { page_size = 7, description = "file:apis/erp.toml" }

[integration.hr]
purpose = "The people"
owner = "hr/1"
backup = "hr/2"
connector = "csv"
endpoint = "file:feeds/hr"
source = "hr"
scope = ["get READ /{file}"]
boundary = "Our own rooms"
data_flows = ["names"]
privilege_flows = ["groups"]
vendor = "Example Ltd"
settings = { key = "id" }
[integration.hr.contract]
attributes = { email = { type = "text" } }
"#;

    const ERP: &str = r#"
name = "erp"
title = "ERP"
version = "1"
docs = "https://erp.example.com/docs"
auth = { style = "bearer" }

[accounts]
id = "/id"
name = "/login"
list = { call = "GET /users", paging = { style = "none" } }
"#;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let bundle: Bundle =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let errors = parse(&bundle).err().unwrap_or_default();
        errors.iter().map(|error| format!("{} {error}", error.code())).collect()
    }

    #[test]
    fn what_the_file_says_becomes_the_setting() {
        let bundle: Bundle = [("a.toml", MAIN), ("apis/erp.toml", ERP)]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into();
        let read = parse(&bundle).unwrap_or_else(|errors| panic!("{errors:?}"));
        let erp = &read.integrations[0].settings;
        assert_eq!(
            (&erp["page_size"], &erp["description"]["accounts"]["name"]),
            (&json!(7), &json!("/login"))
        );
        // It is the same as if it stood there.
        let inline = ERP.replace("[accounts]", "[integration.erp.settings.description.accounts]");
        let (head, accounts) = inline.split_at(inline.find("[integration").unwrap());
        let written = MAIN.replace(
            "settings = { page_size = 7, description = \"file:apis/erp.toml\" }",
            &format!("[integration.erp.settings]\npage_size = 7\n[integration.erp.settings.description]{head}{accounts}"),
        );
        let other = parse(&[("a.toml".to_owned(), written)].into());
        assert_eq!(other.unwrap_or_else(|errors| panic!("{errors:?}")).integrations, read.integrations);
    }

    #[test]
    fn every_error_has_its_place() {
        let with = |old: &str, new: &str| {
            assert!(ERP.contains(old), "{old}");
            problems(&[("a.toml", MAIN), ("apis/erp.toml", &ERP.replacen(old, new, 1))])
        };
        for (old, new, expect) in [
            (
                "/users\", pag",
                "/users/{who}\", pag",
                "config-value apis/erp.toml:11:10: `accounts.list.call`: nothing fills `{who}`",
            ),
            ("title = \"ERP\"", "title = ERP", "config-syntax apis/erp.toml:3:9: "),
            ("title = ", "titel = ", "config-syntax apis/erp.toml:3:1: unknown field `titel`"),
            ("auth = { style = \"bearer\" }", "", "config-syntax apis/erp.toml:"),
        ] {
            let found = with(old, new);
            assert!(found.len() == 1 && found[0].starts_with(expect), "{found:?}");
        }
        let found = problems(&[("a.toml", MAIN), ("apis/epr.toml", ERP)]);
        assert!(
            found[0].starts_with("config-dangling a.toml:20:43: there is no file `apis/erp.toml`")
                && found[0].ends_with("(did you mean `apis/epr.toml`?)"),
            "{found:?}"
        );
        // What else is wrong with the settings is said where the settings stand.
        let narrow = MAIN.replace("page_size = 7", "page_size = 0");
        let found = problems(&[("a.toml", &narrow), ("apis/erp.toml", ERP)]);
        assert!(
            found.len() == 1 && found[0].contains("a.toml:20:12") && found[0].contains("`page_size`"),
            "{found:?}"
        );
    }

    #[test]
    fn no_configuration_is_dropped_by_being_called_a_description() {
        let circle = MAIN.replace("apis/erp.toml", "a.toml");
        let found = problems(&[("a.toml", &circle)]);
        assert!(found.len() == 1 && found[0].contains("unknown field `system`"), "{found:?}");
        let other = "[system.chat]\ntitle = \"Chat\"\nclasses = [\"primary-account\"]\nconvergence = \"3s\"\naccount = { userName = \"{email}\" }\n";
        let found = problems(&[("a.toml", MAIN), ("apis/erp.toml", other)]);
        assert!(found.len() == 1 && found[0].contains("unknown field `system`"), "{found:?}");
        // A description that nobody names is taken for configuration.
        let found = problems(&[("a.toml", MAIN), ("apis/erp.toml", ERP), ("other.toml", ERP)]);
        assert!(found[0].contains("other.toml:2:1: there is no table `name`"), "{found:?}");
    }
}

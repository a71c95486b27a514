//! The source of people that hubs are measured with: a file of personnel, whose attributes are all there.

/// What a configuration says of it. `attributes` are those of people, each with its column in the file; the key is `id`.
pub fn personnel(attributes: &[(&str, &str)]) -> String {
    let columns: Vec<String> =
        attributes.iter().map(|(name, column)| format!("{name} = \"{column}\"")).collect();
    let contract: String = attributes
        .iter()
        .map(|(name, _)| format!("{name} = {{ type = \"text\", required = true }}\n"))
        .collect();
    let columns = columns.join(", ");
    format!(
        r#"
[integration.hr]
purpose = "Who is there"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Hr Ltd"
data_flows = ["people"]
privilege_flows = ["all"]
connector = "csv"
endpoint = "file:feeds/hr"
source = "hr"
scope = ["list READ /{{file}}"]
settings = {{ file = "current.csv", key = "id", columns = {{ {columns} }} }}
[integration.hr.contract.attributes]
{contract}"#
    )
}

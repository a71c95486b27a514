//! Turns TOML values into JSON, as connectors take their settings.

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

/// The same value in JSON. Dates become text; a number that JSON cannot hold becomes `null`.
pub(super) fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).map_or(Value::Null, Value::from),
        DeValue::Float(f) => {
            f.as_str().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(list) => list.iter().map(|item| plain(item.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, item)| (key.get_ref().to_string(), plain(item.get_ref())))
            .collect::<Map<_, _>>()
            .into(),
    }
}

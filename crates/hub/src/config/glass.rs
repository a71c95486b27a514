//! Reads `[break-glass.NAME]`: a case in which somebody may get what no policy gives them.

use std::collections::BTreeSet;

use bailiwick_core::{
    exception::{GlassCase, LONGEST_MINUTES},
    gate::HUB,
    id::{EntitlementName, GlassName},
};

use super::{
    error::{Code, Report},
    fields::{Entry, Fields, Located},
};

/// Reads one case; what it gives goes to `gives`.
pub(super) fn case<'t>(
    name: GlassName,
    entry: &Entry<'_, 't>,
    gives: &mut Vec<Located<'t, EntitlementName>>,
    report: &mut Report,
) -> Option<GlassCase> {
    let mut fields = Fields::of(format!("break-glass `{name}`"), entry.key.spot, entry.value, report)?;
    let purpose = fields.needed_text("purpose", report).map(|t| t.value.to_owned());
    let mut entitlements = BTreeSet::new();
    for text in fields.needed_texts("entitlements", report) {
        match EntitlementName::new(text.value) {
            Ok(entitlement) if entitlement.system().as_str() == HUB => {
                let message =
                    format!("`{entitlement}` is the hub's own: no glass reaches its log, keys and scope");
                report.add(Code::Value, text.spot, message);
            }
            Ok(entitlement) => {
                gives.push(Located { value: entitlement.clone(), spot: text.spot });
                entitlements.insert(entitlement);
            }
            Err(error) => report.add(Code::Value, text.spot, error.to_string()),
        }
    }
    if !fields.has("longest_minutes") {
        fields.lacks("longest_minutes");
    }
    let longest = fields.number("longest_minutes", 1, u64::from(LONGEST_MINUTES), report);
    fields.finish(report, |_| Code::Missing);
    let longest_minutes = u32::try_from(longest?).ok()?;
    Some(GlassCase { name, purpose: purpose?, entitlements, longest_minutes })
}

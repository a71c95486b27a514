//! Reads `[integration.NAME.kill]`: the call that ends the grant of an integration, and the call that proves it.

use bailiwick_core::kill::Kill;

use super::{
    error::{Code, Report},
    fields::Fields,
};

/// What a table says of ending the grant: `Ok(None)` where there is no table, `Err` where something is wrong.
pub(super) fn kill(fields: &mut Fields<'_, '_>, report: &mut Report) -> Result<Option<Kill>, ()> {
    let Some(table) = fields.value("kill") else { return Ok(None) };
    let what = format!("the kill of {}", fields.what);
    let value = toml::Spanned::new(table.spot.at..table.spot.at, table.value.clone());
    let mut fields = Fields::of(what, table.spot, &value, report).ok_or(())?;
    let revoke = fields.needed_text("revoke", report);
    let body = fields.text("body", report);
    let probe = fields.needed_text("probe", report);
    let class = fields.text("class", report);
    fields.finish(report, |_| Code::Missing);
    let (revoke, probe) = (revoke.ok_or(())?, probe.ok_or(())?);
    let read = Kill::new(revoke.value, body.map(|b| b.value), probe.value, class.map(|c| c.value));
    read.map(Some).map_err(|error| {
        // The place of the text that the error is about.
        let all = [Some(revoke), body, Some(probe), class];
        let about = all.into_iter().flatten().find(|text| text.value == error.text());
        report.add(Code::Value, about.map_or(table.spot, |text| text.spot), error.to_string());
    })
}

//! Act: integrations are identities. What each can in effect do is computed, and two are caught.

use bailiwick_connector::seal::code_at;
use bailiwick_core::{authority::Class, factor::STEP_SECONDS, plan::Question, time::Clock};

use super::{Narrator, Stage};
use crate::{
    acme,
    api::{AskedFor, AuthorityView, Bundle, EnrolRequest, Enrolled, IntegrationView, NewOperator, PlanView},
    cli,
    client::Client,
    clock::SystemClock,
    failure::{Failure, Result},
    profile::Profile,
};

/// Explains a hidden path, shows one that is blocked, and one that a change of policy elsewhere raises.
///
/// Gives the operator who approves later: from the second administrator on, adding one takes two.
pub async fn act(narrator: &mut Narrator, stage: &Stage) -> Result<Client> {
    narrator.act("Integrations are identities: what each can in effect do is computed, not typed in");
    let helpdesk = authority(stage, "helpdesk").await?;
    narrator.tell("$ bailiwick authority explain helpdesk");
    helpdesk.words.iter().for_each(|line| narrator.tell(&format!("    {line}")));
    let hidden = helpdesk.words.iter().any(|line| line.contains("crm rule 12"));
    narrator.promise(
        hidden && helpdesk.authority.class == Class::Authoritative,
        "a ticket rule makes the helpdesk authoritative: it decides who answers incidents",
    )?;
    let marketing = integration(stage, acme::UNDERSTATED).await?;
    narrator.promise(
        marketing.writes_shut.as_deref() == Some("integration-understated"),
        "caught: the marketing tool writes `department`, rules read that; declared advisory, it is shut",
    )?;
    let approver = operator(stage, acme::APPROVER, "approver").await?;
    raised(narrator, stage).await?;
    Ok(approver)
}

/// A second administrator exists from here on, so a policy takes two; and the policy raises somebody.
async fn raised(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    let (second, factor) = second_admin(stage).await?;
    let mut files = stage.files.clone();
    files.insert(acme::READS_LOCATION.0.to_owned(), acme::READS_LOCATION.1.to_owned());
    let mut bundle = Bundle { files, keep: false, seen: None };
    let change = cli::preview(&stage.hub, &bundle).await?;
    narrator.tell("$ bailiwick apply acme-with-a-rule-that-reads-location");
    for line in &change.lines {
        narrator.tell(&format!("    {} {} {}", line.sign, line.kind, line.name));
    }
    let foreseen = change.lines.iter().any(|line| line.sign == '!' && line.name == acme::RAISED);
    narrator.promise(foreseen, "the diff says that an integration which nobody touched can do more by it")?;
    bundle.seen = Some(change.digest);
    let asked = cli::make(&stage.hub, &bundle).await?;
    let waits: Vec<Question> = asked.waiting.iter().map(|waiting| waiting.question).collect();
    let plan = asked.waiting.first().map(|waiting| waiting.plan);
    narrator
        .promise(waits == [Question::Configuration], "one administrator alone changes no policy any more")?;
    if let Some(plan) = plan {
        let view: PlanView = cli::plan(&second, plan).await?;
        let own = cli::approve(&stage.hub, plan, view.row.digest).await;
        let refused = own.is_err_and(|failure| failure.code() == "approval-by-requester");
        narrator.promise(refused, "who asked for it cannot approve it")?;
        let bare = cli::approve(&second, plan, view.row.digest).await;
        let refused = bare.is_err_and(|failure| failure.code() == "step-up-needed");
        narrator.promise(refused, "what decides over identities takes a code of the moment besides")?;
        cli::approve_proved(&second, plan, view.row.digest, &shown(&factor, 0)?).await?;
        narrator.tell(&format!("$ bailiwick approve {plan} --code ……   as {}", acme::SECOND_ADMIN.0));
    }
    let flow = integration(stage, acme::RAISED).await?;
    narrator.promise(
        flow.class == Class::Authoritative && flow.writes_shut.as_deref() == Some("integration-understated"),
        "caught: the facilities flow writes `location`, which a rule reads now; it is shut, and its owner told",
    )?;
    // Back to the policies as they were, so that the rest goes on with them.
    let mut before = Bundle { files: stage.files.clone(), keep: false, seen: None };
    before.seen = Some(cli::preview(&stage.hub, &before).await?.digest);
    for waiting in cli::make(&stage.hub, &before).await?.waiting {
        let view: PlanView = cli::plan(&second, waiting.plan).await?;
        // A code counts once; the one of the next half minute is taken already.
        cli::approve_proved(&second, waiting.plan, view.row.digest, &shown(&factor, 1)?).await?;
    }
    stage.quiet().await.map(drop)
}

/// The second administrator, and the address that their authenticator took over.
async fn second_admin(stage: &Stage) -> Result<(Client, String)> {
    let ines = operator(stage, acme::SECOND_ADMIN, "admin").await?;
    let (name, _) = acme::SECOND_ADMIN;
    let enrolled: Enrolled =
        ines.post(&["operators", name, "factor"]).json(&EnrolRequest::default()).send().await?;
    Ok((ines, enrolled.address))
}

/// Somebody with this role; as long as there is one administrator, they are added at once.
async fn operator(stage: &Stage, (name, person): (&str, &str), role: &str) -> Result<Client> {
    let new = NewOperator {
        name: name.to_owned(),
        roles: [role.to_owned()].into(),
        person: Some(person.to_owned()),
        subject: None,
        days: 1,
    };
    match cli::ask_operator(&stage.hub, &new).await? {
        AskedFor::Added(made) => Client::new(&Profile {
            token: made.token,
            operator: made.operator.name,
            url: stage.profile.url.clone(),
            ca: None,
        }),
        AskedFor::Waiting { .. } => {
            Err(Failure::refused("promise-broken", format!("`{name}` waits for an approval")))
        }
    }
}

/// What the authenticator shows, so many steps from now.
fn shown(address: &str, ahead: i64) -> Result<String> {
    let step = SystemClock.now().as_second().div_euclid(STEP_SECONDS) + ahead;
    let shown = code_at(address, step).map(|code| code.to_string());
    shown.ok_or_else(|| Failure::refused("step-up-needed", "there is no secret to make a code of"))
}

async fn authority(stage: &Stage, name: &str) -> Result<AuthorityView> {
    stage.hub.get(&["integrations", name, "authority"]).send().await
}

async fn integration(stage: &Stage, name: &str) -> Result<IntegrationView> {
    let all: Vec<IntegrationView> = stage.hub.get(&["integrations"]).send().await?;
    let found = all.into_iter().find(|view| view.integration.name.as_str() == name);
    found.ok_or_else(|| Failure::refused("not-found", format!("there is no integration `{name}`")))
}

//! `POST /access/v1/evaluation` and `/access/v1/evaluations`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bailiwick_engine::{AskRefusal, Asker, EngineError, WrittenDown};
use serde::Serialize;
use serde_json::Value;

use super::{
    answer::{Decision, Refused},
    call::Call,
    wire::{Body, Object, Parts, malformed, object},
};
use crate::{api::Hub, problem::Problem};

/// How many questions one request may put.
const MOST: usize = 1_000;

/// Which questions of several are still put after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Semantic {
    All,
    UntilDenied,
    UntilPermitted,
}

impl Semantic {
    /// What `options` say.
    fn of(from: &mut Object) -> Result<Self, String> {
        let Some(mut options) = object(from, "options")? else { return Ok(Self::All) };
        match options.remove("evaluations_semantic") {
            None | Some(Value::Null) => Ok(Self::All),
            Some(Value::String(text)) => match text.as_str() {
                "execute_all" => Ok(Self::All),
                "deny_on_first_deny" => Ok(Self::UntilDenied),
                "permit_on_first_permit" => Ok(Self::UntilPermitted),
                other => Err(format!("there is no `evaluations_semantic` called `{other}`")),
            },
            Some(_) => Err("`evaluations_semantic` is no text".into()),
        }
    }

    fn ends_with(self, decision: bool) -> bool {
        match self {
            Self::All => false,
            Self::UntilDenied => !decision,
            Self::UntilPermitted => decision,
        }
    }
}

/// One question.
pub async fn one(
    State(hub): State<Hub>,
    Call(asker): Call,
    Body(mut body): Body,
) -> Result<Json<Decision>, Refused> {
    let parts = Parts::take(&mut body).map_err(malformed)?;
    single(&hub, &asker, parts).await
}

async fn single(hub: &Hub, asker: &Asker, parts: Parts) -> Result<Json<Decision>, Refused> {
    let question = parts.question().map_err(malformed)?;
    hub.engine.may_ask(asker, 1)?;
    let (verdict, written) = hub.engine.answer(asker, &question).await?;
    Ok(Json(Decision::of(verdict).settled(written).await))
}

#[derive(Serialize)]
struct Decisions {
    evaluations: Vec<Decision>,
}

/// Several questions, in order; one that cannot be put is denied by itself. Without any it is as [`one`].
pub async fn many(
    State(hub): State<Hub>,
    Call(asker): Call,
    Body(mut body): Body,
) -> Result<Response, Refused> {
    let defaults = Parts::take(&mut body).map_err(malformed)?;
    let semantic = Semantic::of(&mut body).map_err(malformed)?;
    let items = match body.remove("evaluations") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(malformed("`evaluations` is no list")),
    };
    if items.is_empty() {
        return Ok(single(&hub, &asker, defaults).await?.into_response());
    }
    if items.len() > MOST {
        let detail = format!("a request puts {MOST} questions at most");
        return Err(Problem::new(400, "too-many-evaluations", detail).into());
    }
    hub.engine.may_ask(&asker, u32::try_from(items.len()).unwrap_or(u32::MAX))?;
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let (answer, written) = put(&hub, &asker, item, &defaults).await?;
        let ends = semantic.ends_with(answer.decision);
        answers.push((answer, written));
        if ends {
            break;
        }
    }
    let mut evaluations = Vec::with_capacity(answers.len());
    for (answer, written) in answers {
        evaluations.push(answer.settled(written).await);
    }
    Ok(Json(Decisions { evaluations }).into_response())
}

/// Puts one of several.
async fn put(
    hub: &Hub,
    asker: &Asker,
    item: Value,
    defaults: &Parts,
) -> Result<(Decision, WrittenDown), Refused> {
    let question = match item {
        Value::Object(mut item) => Parts::take(&mut item).and_then(|parts| parts.or(defaults).question()),
        _ => Err("an item of `evaluations` is no object".to_owned()),
    };
    let question = match question {
        Ok(question) => question,
        Err(message) => return Ok((Decision::failed(400, message), WrittenDown::nothing())),
    };
    match hub.engine.answer(asker, &question).await {
        Ok((verdict, written)) => Ok((Decision::of(verdict), written)),
        Err(EngineError::Ask(outside @ AskRefusal::Outside(..))) => {
            Ok((Decision::failed(403, outside.to_string()), WrittenDown::nothing()))
        }
        Err(error) => Err(error.into()),
    }
}

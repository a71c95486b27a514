//! What an identity, a resource or an action must be for a policy to apply at all, read from conditions of the forms
//! `principal.attribute == literal` and `[literal, …].contains(principal.attribute)`.
//!
//! It is an index, not a decision: what does not fit a need would be turned down by Cedar, and what fits is
//! still decided by Cedar. A policy whose conditions have other forms has no needs and is always asked.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst;

use super::{AttributeValue, Attributes, reads::conjuncts};

/// For each attribute that is needed, the values that do.
pub(super) type Needs = BTreeMap<String, BTreeSet<AttributeValue>>;

/// Whether something of which this is known meets all needs.
pub(super) fn met(needs: &Needs, known: &Attributes) -> bool {
    needs.iter().all(|(name, values)| known.get(name).is_some_and(|value| values.contains(value)))
}

/// What a policy needs of a variable. All must be met.
pub(super) fn needs(policy: &pst::Template, of: &pst::Var) -> Needs {
    let mut needs = Needs::new();
    for (expr, negated) in conjuncts(policy) {
        let Some((attribute, values)) = need(expr, of).filter(|_| !negated) else { continue };
        // Two needs of one attribute leave what does for both.
        let both = match needs.get(&attribute) {
            Some(before) => values.intersection(before).cloned().collect(),
            None => values,
        };
        needs.insert(attribute, both);
    }
    needs
}

fn need(expr: &pst::Expr, of: &pst::Var) -> Option<(String, BTreeSet<AttributeValue>)> {
    let pst::Expr::BinaryOp { op, left, right } = expr else { return None };
    match op {
        pst::BinaryOp::Eq => match (attribute(left, of), attribute(right, of)) {
            (Some(name), None) => Some((name, BTreeSet::from([literal(right)?]))),
            (None, Some(name)) => Some((name, BTreeSet::from([literal(left)?]))),
            (Some(_), Some(_)) | (None, None) => None,
        },
        pst::BinaryOp::Contains => {
            let pst::Expr::Set(items) = &**left else { return None };
            Some((attribute(right, of)?, items.iter().map(|item| literal(item)).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

fn attribute(expr: &pst::Expr, of: &pst::Var) -> Option<String> {
    match expr {
        pst::Expr::GetAttr { expr, attr } => match &**expr {
            pst::Expr::Var(var) if var == of => Some(attr.to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn literal(expr: &pst::Expr) -> Option<AttributeValue> {
    match expr {
        pst::Expr::Literal(pst::Literal::String(text)) => Some(AttributeValue::Text(text.to_string())),
        pst::Expr::Literal(pst::Literal::Long(number)) => Some(AttributeValue::Number(*number)),
        pst::Expr::Literal(pst::Literal::Bool(flag)) => Some(AttributeValue::Flag(*flag)),
        _ => None,
    }
}

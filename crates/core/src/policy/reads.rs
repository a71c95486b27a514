//! What a policy reads, taken from its syntax tree.
//!
//! The answer may name too much, never too little: what the walk cannot see through counts as everything.
//! Slicing, bulk decisions and computed authority all rest on that.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst;

/// A variable of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variable {
    Principal,
    Action,
    Resource,
    Context,
}

impl Variable {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Context => "context",
        }
    }
}

impl From<&pst::Var> for Variable {
    fn from(var: &pst::Var) -> Self {
        match var {
            pst::Var::Principal => Self::Principal,
            pst::Var::Action => Self::Action,
            pst::Var::Resource => Self::Resource,
            pst::Var::Context => Self::Context,
        }
    }
}

/// What was found in a syntax tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Attributes read or asked for, for each variable.
    pub(super) attributes: BTreeMap<Variable, BTreeSet<String>>,
    /// Variables used other than through an attribute.
    pub(super) whole: BTreeSet<Variable>,
    /// Entities named, as type and name.
    pub(super) entities: BTreeSet<(String, String)>,
    /// Texts that an attribute is compared with.
    pub(super) texts: BTreeSet<(Variable, String, String)>,
}

impl Reads {
    /// Everything that a policy reads.
    pub(super) fn of_policy(policy: &pst::Template) -> Self {
        let mut reads = Self::default();
        match &policy.principal {
            pst::PrincipalConstraint::Any | pst::PrincipalConstraint::Is(_) => {}
            pst::PrincipalConstraint::Eq(entity)
            | pst::PrincipalConstraint::In(entity)
            | pst::PrincipalConstraint::IsIn(_, entity) => reads.scope(entity),
        }
        match &policy.resource {
            pst::ResourceConstraint::Any | pst::ResourceConstraint::Is(_) => {}
            pst::ResourceConstraint::Eq(entity)
            | pst::ResourceConstraint::In(entity)
            | pst::ResourceConstraint::IsIn(_, entity) => reads.scope(entity),
        }
        for clause in policy.clauses() {
            match clause {
                pst::Clause::When(expr) | pst::Clause::Unless(expr) => reads.expr(expr),
            }
        }
        reads
    }

    /// Everything that an expression reads.
    pub(super) fn of_expr(expr: &pst::Expr) -> Self {
        let mut reads = Self::default();
        reads.expr(expr);
        reads
    }

    /// Whether `variable` is used in any way.
    pub(super) fn uses(&self, variable: Variable) -> bool {
        self.whole.contains(&variable) || self.attributes.contains_key(&variable)
    }

    /// The attributes read of `variable`.
    pub(super) fn attributes_of(&self, variable: Variable) -> impl Iterator<Item = &String> {
        self.attributes.get(&variable).into_iter().flatten()
    }

    fn scope(&mut self, entity: &pst::EntityOrSlot) {
        if let pst::EntityOrSlot::Entity(uid) = entity {
            self.entity(uid);
        }
    }

    fn entity(&mut self, uid: &pst::EntityUID) {
        self.entities.insert((uid.ty.to_string(), uid.eid.to_string()));
    }

    fn attribute(&mut self, of: &pst::Expr, name: &str) {
        match of {
            pst::Expr::Var(var) => {
                self.attributes.entry(var.into()).or_default().insert(name.to_owned());
            }
            other => self.expr(other),
        }
    }

    fn expr(&mut self, expr: &pst::Expr) {
        match expr {
            pst::Expr::Literal(pst::Literal::EntityUID(uid)) => self.entity(uid),
            pst::Expr::Literal(_) => {}
            pst::Expr::Var(var) => {
                self.whole.insert(var.into());
            }
            pst::Expr::UnaryOp { expr, .. } | pst::Expr::Like { expr, .. } => self.expr(expr),
            pst::Expr::BinaryOp { op, left, right } => {
                if compares(*op) {
                    self.compared(left, right);
                    self.compared(right, left);
                }
                self.expr(left);
                self.expr(right);
            }
            pst::Expr::GetAttr { expr, attr } => self.attribute(expr, attr),
            pst::Expr::HasAttr { expr, attrs } => self.attribute(expr, attrs.first()),
            pst::Expr::Is { expr, in_expr, .. } => {
                if !matches!(**expr, pst::Expr::Var(_)) {
                    self.expr(expr);
                }
                if let Some(ancestor) = in_expr {
                    self.expr(ancestor);
                }
            }
            pst::Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.expr(cond);
                self.expr(then_expr);
                self.expr(else_expr);
            }
            pst::Expr::Set(items) => items.iter().for_each(|item| self.expr(item)),
            pst::Expr::Record(fields) => fields.values().for_each(|field| self.expr(field)),
            // Slots, unknowns, and whatever a later Cedar adds.
            _ => self.whole.extend([
                Variable::Principal,
                Variable::Action,
                Variable::Resource,
                Variable::Context,
            ]),
        }
    }

    fn compared(&mut self, attribute: &pst::Expr, with: &pst::Expr) {
        let pst::Expr::GetAttr { expr, attr } = attribute else { return };
        let pst::Expr::Var(var) = &**expr else { return };
        let mut text = |expr: &pst::Expr| {
            if let pst::Expr::Literal(pst::Literal::String(text)) = expr {
                self.texts.insert((var.into(), attr.to_string(), text.to_string()));
            }
        };
        match with {
            pst::Expr::Set(items) => items.iter().for_each(|item| text(item)),
            other => text(other),
        }
    }
}

const fn compares(op: pst::BinaryOp) -> bool {
    matches!(
        op,
        pst::BinaryOp::Eq
            | pst::BinaryOp::NotEq
            | pst::BinaryOp::Contains
            | pst::BinaryOp::ContainsAll
            | pst::BinaryOp::ContainsAny
    )
}

/// The parts of a policy's conditions that must all be true, each with whether it is negated.
pub(super) fn conjuncts(policy: &pst::Template) -> Vec<(&pst::Expr, bool)> {
    let mut out = Vec::new();
    for clause in policy.clauses() {
        match clause {
            pst::Clause::When(expr) => split(expr, &mut out),
            pst::Clause::Unless(expr) => out.push((expr, true)),
        }
    }
    out
}

fn split<'a>(expr: &'a pst::Expr, out: &mut Vec<(&'a pst::Expr, bool)>) {
    match expr {
        pst::Expr::BinaryOp { op: pst::BinaryOp::And, left, right } => {
            split(left, out);
            split(right, out);
        }
        other => out.push((other, false)),
    }
}

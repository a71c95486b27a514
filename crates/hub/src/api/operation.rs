//! What the API offers, as a table: each operation stands once, beside its handler, and both the router and the
//! description are made from that. What it takes and gives is read off the handler's signature (`signature.rs`).

use axum::{handler::Handler, routing::MethodRouter};

use super::{
    Hub,
    caller::Right,
    signature::{Shape, Signature},
};

/// The method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads, and changes nothing.
    Get,
    /// Makes something, or has something done.
    Post,
    /// Puts something in the place of what is there.
    Put,
    /// Takes something away.
    Delete,
}

impl Verb {
    /// As HTTP says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it may change something.
    pub const fn changes(self) -> bool {
        match self {
            Self::Get => false,
            Self::Post | Self::Put | Self::Delete => true,
        }
    }
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever brings what it takes; there is no token yet.
    Open,
    /// Whoever has a valid token.
    Token,
    /// Whoever has a role that gives the right.
    Right(Right),
    /// Whoever it belongs to, and whoever has a role that gives the right.
    Own(Right),
    /// Whoever has a valid token may ask; policies and the rules of the hub decide what comes of it.
    Decided,
}

/// Whether a token that an operator made for a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Programs {
    /// It takes a person: it approves, answers for something, or hands out a secret.
    Never,
    /// Any such token does.
    Any,
    /// One with this right, while its operator has it too.
    With(Right),
}

/// One operation.
pub struct Operation {
    /// Its id, which stays.
    pub id: &'static str,
    /// The method.
    pub verb: Verb,
    /// The path below `/api/v1`.
    pub path: &'static str,
    /// What it does, in one line.
    pub says: &'static str,
    /// Who may call.
    pub access: Access,
    /// Whether a program's token does.
    pub programs: Programs,
    /// Statuses that it may answer with beyond those that follow from what it is (`description::statuses`).
    pub fails: &'static [u16],
    /// Whether a part of the path is the path of a view whose `ETag` a change may ask for.
    pub view: Option<&'static str>,
    /// The longest body, bytes, where it is not the usual one.
    pub limit: Option<usize>,
    /// Tells what its handler takes and gives.
    pub shape: fn(&mut Shape),
    /// The handler.
    pub route: MethodRouter<Hub>,
}

/// The operations on one kind of thing.
pub struct Resource {
    /// What people call it.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What can be done.
    pub operations: Vec<Operation>,
}

impl Operation {
    fn new<H, T, A>(verb: Verb, (id, path): (&'static str, &'static str), handler: H) -> Self
    where
        H: Handler<T, Hub> + Signature<A>,
        T: 'static,
    {
        let route = match verb {
            Verb::Get => axum::routing::get(handler),
            Verb::Post => axum::routing::post(handler),
            Verb::Put => axum::routing::put(handler),
            Verb::Delete => axum::routing::delete(handler),
        };
        let shape = <H as Signature<A>>::tell;
        let access = Access::Token;
        let programs = if verb.changes() { Programs::Never } else { Programs::Any };
        Self { id, verb, path, says: "", access, programs, fails: &[], view: None, limit: None, shape, route }
    }

    /// Says what it does.
    #[must_use]
    pub const fn says(mut self, says: &'static str) -> Self {
        self.says = says;
        self
    }

    /// Says who may call.
    #[must_use]
    pub const fn takes(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Says that a program's token with this right does.
    #[must_use]
    pub const fn for_programs(mut self, right: Right) -> Self {
        self.programs = Programs::With(right);
        self
    }

    /// Says that it takes a person, though it reads.
    #[must_use]
    pub const fn for_people(mut self) -> Self {
        self.programs = Programs::Never;
        self
    }

    /// Says which statuses it may answer with, beyond the general ones.
    #[must_use]
    pub const fn fails(mut self, fails: &'static [u16]) -> Self {
        self.fails = fails;
        self
    }

    /// Says which view a change is made from: a path of the table that this path begins with.
    #[must_use]
    pub const fn of(mut self, view: &'static str) -> Self {
        self.view = Some(view);
        self
    }

    /// Says how long a body may be.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }
}

/// An operation that reads. Any valid token does.
pub fn get<H, T, A>(id: &'static str, path: &'static str, handler: H) -> Operation
where
    H: Handler<T, Hub> + Signature<A>,
    T: 'static,
{
    Operation::new(Verb::Get, (id, path), handler)
}

macro_rules! changing {
    ($($(#[$doc:meta])* $name:ident $verb:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<H, T, A>(id: &'static str, path: &'static str, access: Access, handler: H) -> Operation
        where
            H: Handler<T, Hub> + Signature<A>,
            T: 'static,
        {
            Operation { access, ..Operation::new(Verb::$verb, (id, path), handler) }
        }
    )*};
}

changing! {
    /// An operation that makes something, or has something done.
    post Post;
    /// An operation that puts something in the place of what is there.
    put Put;
    /// An operation that takes something away.
    delete Delete;
}

impl Resource {
    /// A resource.
    pub const fn new(name: &'static str, about: &'static str, operations: Vec<Operation>) -> Self {
        Self { name, about, operations }
    }
}

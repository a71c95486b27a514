//! `bailiwick lab`: simulated systems to try things on.
//!
//! The tokens of its integrations are no secrets: they follow from the systems' names and are printed. A
//! world file holds the state of a lab, so that one can be put aside and taken up again; ids are new then.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use bailiwick_lab::{
    Behaviour, Lab, LabError, Seed, SeedGroup, SeedLicence, SeedThing, SeedToken, SystemSpec, Tokens,
    TrueThing, Truth,
};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    acme,
    cli::{self, Context},
    clock::SystemClock,
    failure::{Exit, Failure, Result},
    problem::chain,
    serve,
};

/// The systems of `examples/acme`, which are there when none are named.
const SYSTEMS: [(&str, Behaviour); 3] =
    [("chat", Behaviour::Faithful), ("wiki", Behaviour::KeepsGroups), ("crm", Behaviour::Noop200)];

/// Arguments of `bailiwick lab`.
#[derive(Args)]
#[command(
    after_help = "Behaviours: faithful, noop-200, put-only, limited-patch, half-scim, keeps-groups, soft-delete, \
    async-members,\nstale-read, timeout-after-commit, dormant-token, bot-survivor, unaffiliated-seat, leasing-vault,\n\
    retaining-sync, owner-inherits, mailbox, ad, pam, liar, down. The truth is at http://ADDRESS/truth/SYSTEM.\n\n\
    Example:\n  bailiwick lab --system chat=faithful --system crm=noop-200+dormant-token"
)]
pub struct LabArgs {
    /// Where to listen; loopback only
    #[arg(long, default_value = "127.0.0.1:7461", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// A system and how it behaves; may be given several times
    #[arg(long = "system", value_name = "NAME=BEHAVIOUR[+BEHAVIOUR…]", value_parser = system)]
    systems: Vec<SystemArg>,
    /// What ids and phases follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A world file, as `bailiwick demo --keep` leaves one
    #[arg(long, value_name = "FILE", conflicts_with = "systems")]
    world: Option<PathBuf>,
}

/// A system as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemArg {
    name: String,
    behaviours: Vec<Behaviour>,
}

fn system(text: &str) -> Result<SystemArg, String> {
    let (name, behaviours) = text.split_once('=').unwrap_or((text, "faithful"));
    let behaviours = behaviours.split('+').map(|b| b.parse::<Behaviour>().map_err(|e| e.to_string()));
    Ok(SystemArg { name: name.to_owned(), behaviours: behaviours.collect::<Result<_, _>>()? })
}

/// Serves the systems until it is stopped.
pub async fn run(context: &Context<'_>, args: LabArgs) -> Result<Exit> {
    let lab = match &args.world {
        Some(file) => World::read(file)?.lab(args.seed)?,
        None if args.systems.is_empty() => acme(args.seed)?,
        None => build(args.seed, args.systems)?,
    };
    let listener = serve::listen(args.listen).await?;
    let address = serve::address_of(&listener)?;
    let systems: Vec<_> = lab.systems().into_iter().map(|name| described(name, address)).collect();
    context.output.result(&systems, |output| {
        output.line(&format!("the lab listens on http://{address}; stop it with Ctrl-C"));
        for name in lab.systems() {
            let Tokens { write, read } = tokens(name);
            output.line(&format!(
                "  {name:<8} http://{address}/{name}/scim/v2   tokens: write {write}, verify {read}"
            ));
        }
    });
    let served = bailiwick_lab::serve(lab, listener, serve::stopped()).await;
    served.map_err(|error| Failure::refused("lab-failed", "the lab stopped").because(&error))?;
    Ok(Exit::Done)
}

fn described(name: &str, address: SocketAddr) -> serde_json::Value {
    let Tokens { write, read } = tokens(name);
    json!({"system": name, "scim": format!("http://{address}/{name}/scim/v2"), "write": write, "verify": read})
}

/// The tokens of a simulated system's integration.
pub fn tokens(system: &str) -> Tokens {
    Tokens { write: format!("lab-{system}-write"), read: format!("lab-{system}-verify") }
}

fn build(seed: u64, systems: Vec<SystemArg>) -> Result<Lab> {
    let spec = |(n, SystemArg { name, behaviours }): (u64, SystemArg)| {
        let tokens = tokens(&name);
        SystemSpec::new(name, seed.wrapping_add(n), tokens).with(behaviours)
    };
    Lab::new(Arc::new(SystemClock), (0..).zip(systems).map(spec).collect()).map_err(refused)
}

/// The lab of `examples/acme`: its systems, with their groups, and nobody in them.
///
/// # Errors
/// As [`Lab::new`] and [`Lab::seed`].
pub fn acme(seed: u64) -> Result<Lab> {
    let system = |(name, behaviour): (&str, Behaviour)| SystemArg {
        name: name.to_owned(),
        behaviours: vec![behaviour],
    };
    let lab = build(seed, SYSTEMS.map(system).to_vec())?;
    for (system, groups) in acme::groups()? {
        lab.seed(system.as_str(), &Seed { groups, ..Seed::default() }).map_err(refused)?;
    }
    Ok(lab)
}

fn refused(error: LabError) -> Failure {
    Failure::usage(error.code(), chain(&error))
}

/// The state of a lab in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    systems: BTreeMap<String, SystemState>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SystemState {
    behaviours: Vec<Behaviour>,
    holds: Seed,
}

impl World {
    /// The state of the lab of `examples/acme`.
    ///
    /// # Errors
    /// As [`Lab::truth`].
    pub fn of_acme(lab: &Lab) -> Result<Self> {
        let mut systems = BTreeMap::new();
        for (name, behaviour) in SYSTEMS {
            let holds = holds(&lab.truth(name).map_err(refused)?);
            systems.insert(name.to_owned(), SystemState { behaviours: vec![behaviour], holds });
        }
        Ok(Self { systems })
    }

    /// Writes it.
    ///
    /// # Errors
    /// `file-unwritable`.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string(self).unwrap_or_default();
        std::fs::write(file, text).map_err(|error| {
            Failure::usage("file-unwritable", format!("cannot write `{}`", file.display())).because(&error)
        })
    }

    fn read(file: &Path) -> Result<Self> {
        serde_json::from_slice(&cli::read_file(file)?).map_err(|error| {
            Failure::usage("world-malformed", format!("`{}` is not a world file", file.display()))
                .because(&error)
        })
    }

    fn lab(self, seed: u64) -> Result<Lab> {
        let systems = self.systems.iter();
        let named = systems
            .map(|(name, state)| SystemArg { name: name.clone(), behaviours: state.behaviours.clone() });
        // Ids of before must not come up again for somebody else.
        let lab = build(!seed, named.collect())?;
        for (name, state) in &self.systems {
            lab.seed(name, &state.holds).map_err(refused)?;
        }
        Ok(lab)
    }
}

/// What a system holds, as a seed that makes it again.
fn holds(truth: &Truth) -> Seed {
    let names: BTreeMap<&str, &str> = truth
        .users
        .iter()
        .map(|user| (user.id.as_str(), user.user_name.as_str()))
        .chain(truth.groups.iter().map(|group| (group.id.as_str(), group.display_name.as_str())))
        .collect();
    let members = |ids: &mut dyn Iterator<Item = &String>| {
        ids.filter_map(|id| names.get(id.as_str())).map(|name| (*name).to_owned()).collect()
    };
    let shown = || truth.users.iter().filter(|user| !user.hidden);
    let attributes = |user: &bailiwick_lab::TrueUser| {
        let mut attributes = user.attributes.clone();
        attributes.retain(|name, _| !["meta", "groups", "schemas"].contains(&name.as_str()));
        attributes.insert("id".into(), user.id.clone().into());
        attributes.insert("active".into(), user.active.into());
        attributes
    };
    Seed {
        users: shown().map(attributes).collect(),
        groups: truth
            .groups
            .iter()
            .map(|group| SeedGroup {
                name: group.display_name.clone(),
                id: Some(group.id.clone()),
                external_id: group.external_id.clone(),
                members: members(&mut group.users.iter().chain(&group.groups)),
            })
            .collect(),
        licences: shown()
            .flat_map(|user| {
                user.licences
                    .iter()
                    .map(move |sku| SeedLicence { user: user.user_name.clone(), sku: sku.clone() })
            })
            .collect(),
        tokens: shown()
            .flat_map(|user| user.tokens.iter().filter(|token| token.works).map(move |token| (user, token)))
            .map(|(user, token)| SeedToken { user: user.user_name.clone(), name: token.name.clone() })
            .collect(),
        sessions: shown().flat_map(|user| user.sessions.iter().map(|_| user.user_name.clone())).collect(),
        held: truth.held.iter().map(|thing| thing_again(thing, &names, truth.at_ms)).collect(),
        ..Seed::default()
    }
}

/// A thing as a seed makes it again. Who is gone is named by the id that nobody has any more.
fn thing_again(thing: &TrueThing, names: &BTreeMap<&str, &str>, now_ms: i64) -> SeedThing {
    let named = |id: &String| names.get(id.as_str()).map(|name| (*name).to_owned());
    SeedThing {
        class: thing.class.clone(),
        holder: named(&thing.holder).unwrap_or_else(|| thing.holder.clone()),
        name: thing.name.clone(),
        maker: named(&thing.maker),
        on: thing.on.as_ref().and_then(named),
        minutes: thing.ends_at_ms.map(|end| (end - now_ms + 59_999) / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_a_name_and_its_behaviours() {
        let check = |text: &str, name: &str, behaviours: &[Behaviour]| {
            assert_eq!(system(text), Ok(SystemArg { name: name.into(), behaviours: behaviours.to_vec() }));
        };
        check("chat", "chat", &[Behaviour::Faithful]);
        check("crm=noop-200", "crm", &[Behaviour::Noop200]);
        check("crm=noop-200+dormant-token", "crm", &[Behaviour::Noop200, Behaviour::DormantToken]);
        assert!(system("crm=nope").unwrap_err().contains("`nope` is not a behaviour"));
    }

    #[test]
    fn the_help_names_every_behaviour() {
        use clap::Args as _;
        let help = LabArgs::augment_args(clap::Command::new("lab")).render_long_help().to_string();
        let listed = help.split_once("Behaviours: ").unwrap().1.split_once(". The truth").unwrap().0;
        let mut listed: Vec<&str> = listed.split(',').map(str::trim).collect();
        let mut all = Behaviour::ALL.map(Behaviour::name).to_vec();
        listed.sort_unstable();
        all.sort_unstable();
        assert_eq!(listed, all);
    }

    #[test]
    fn a_world_put_aside_and_taken_up_again_holds_the_same() {
        let lab = acme(7).unwrap();
        let user = |name: &str, active: bool| {
            serde_json::from_value(json!({"userName": name, "externalId": name, "active": active})).unwrap()
        };
        let seed = Seed {
            users: vec![user("ada@x", true), user("bob@x", false)],
            groups: vec![
                SeedGroup { name: "inner".into(), members: vec!["ada@x".into()], ..SeedGroup::default() },
                SeedGroup {
                    name: "outer".into(),
                    members: vec!["inner".into(), "bob@x".into()],
                    ..SeedGroup::default()
                },
            ],
            licences: vec![SeedLicence { user: "ada@x".into(), sku: "pro".into() }],
            tokens: vec![SeedToken { user: "ada@x".into(), name: "ci".into() }],
            sessions: vec!["ada@x".into()],
            held: vec![SeedThing {
                class: "mailbox-rights".into(),
                holder: "ada@x".into(),
                name: "reads".into(),
                maker: None,
                on: Some("bob@x".into()),
                minutes: Some(60),
            }],
            ..Seed::default()
        };
        lab.seed("chat", &seed).unwrap();
        let again = World::of_acme(&lab).unwrap().lab(8).unwrap();
        let seen = |lab: &Lab| {
            let truth = lab.truth("chat").unwrap();
            let ada = truth.user("ada@x").unwrap().clone();
            let inner = truth.group("inner").unwrap();
            (
                truth.user("bob@x").unwrap().active,
                ada.active,
                ada.licences.clone(),
                ada.tokens.iter().filter(|t| t.works).map(|t| t.name.clone()).collect::<Vec<_>>(),
                ada.sessions.len(),
                inner.users.contains(&ada.id),
                truth.group("outer").unwrap().groups.contains(&inner.id),
                ada.effective_groups.len(),
                truth
                    .held
                    .iter()
                    .map(|held| (held.name.clone(), held.ends_at_ms.is_some()))
                    .collect::<Vec<_>>(),
                truth.held.iter().all(|held| held.holder == ada.id && held.on.is_some()),
            )
        };
        assert_eq!(seen(&again), seen(&lab));
        assert_eq!(seen(&again).7, 2);
    }
}

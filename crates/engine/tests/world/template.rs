//! Worlds that begin where another one was: what they share is set up once.

use std::sync::Arc;

use bailiwick_engine::Configuration;
use bailiwick_lab::Behaviour;
use bailiwick_store::testkit::image::{Image, Sitter};

use super::{Beginning, World};

/// A world that is set up and quiet, before anybody came. Its systems are faithful, and have nobody.
pub struct Template {
    image: Image,
    world: World,
}

impl Template {
    /// Sets it up.
    pub async fn new(systems: &[&str], change: impl FnOnce(&mut Configuration)) -> Self {
        let sitter = Sitter::new().await.unwrap();
        let faithful: Vec<(&str, &[Behaviour])> = systems.iter().map(|name| (*name, &[][..])).collect();
        let mut world = World::on(sitter.store(), u64::MAX / 3, &faithful).await;
        world.configure_with(change).await;
        world.quiet().await;
        Self { image: sitter.image().await.unwrap(), world }
    }

    /// A world that goes on from there, with systems that behave so. Of the worlds of one template one is played at a
    /// time: they share the folder of the feed.
    pub async fn world(&self, seed: u64, behaviours: &[Vec<Behaviour>]) -> World {
        let beginning = Beginning {
            store: self.image.store().unwrap(),
            hands: self.world.clock().as_millisecond(),
            key: self.world.key.clone(),
            folder: Arc::clone(&self.world.folder),
            compiled: Arc::clone(&self.world.compiled),
        };
        let names = self.world.systems.iter().map(String::as_str);
        let systems: Vec<(&str, &[Behaviour])> = names.zip(behaviours.iter().map(Vec::as_slice)).collect();
        let world = World::begin(beginning, seed, &systems);
        world.faults.take_turns(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        world
    }
}

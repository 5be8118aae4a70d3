//! Where permissions can stand for a question: on the resource, on its containers, on types.

use crate::authorization::names::Names;
use crate::authorization::plan::{Graph, Level, Model};
use crate::authorization::store::Store;
use crate::error::Result;
use std::rc::Rc;

/// A resource or a container of it, and how far away it is.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub level: Level,
    pub resource_type: &'a str,
    pub resource: &'a str,
}

pub struct Places {
    types: Names,
    /// By the number of the type.
    of_type: Vec<OfType>,
    /// From the nearest on: numbers of types, and of resources among those of the type.
    order: Vec<(u32, u32)>,
}

#[derive(Default)]
struct OfType {
    resources: Names,
    /// By the number of the resource.
    levels: Vec<Level>,
}

impl Places {
    /// The resource, as far as the question is about one, and its type.
    pub fn without_containers(resource_type: &str, resource: Option<&str>) -> Self {
        let mut places = Places { types: Names::default(), of_type: vec![OfType::default()], order: Vec::new() };
        let resource_type: Rc<str> = resource_type.into();
        places.types.add(&resource_type);
        if let Some(resource) = resource {
            places.add(Level::Instance, &resource_type, &resource.into());
        }
        places
    }

    /// Those that can matter to a question about the scopes of the graph.
    pub fn for_graph(
        store: &mut Store,
        model: &Model,
        graph: &Graph,
        realm: &str,
        (resource_type, resource): (&str, Option<&str>),
    ) -> Result<Self> {
        if graph.asks_containers() {
            Places::of(store, model, realm, resource_type, resource)
        } else {
            Ok(Places::without_containers(resource_type, resource))
        }
    }

    /// The resource, its containers from the nearest on, their types, and the type of the resource.
    pub fn of(
        store: &mut Store,
        model: &Model,
        realm: &str,
        resource_type: &str,
        resource: Option<&str>,
    ) -> Result<Self> {
        let mut places = Places { types: Names::default(), of_type: vec![OfType::default()], order: Vec::new() };
        places.types.add(&resource_type.into());
        if let Some(resource) = resource {
            places.add_with_containers(store, model, realm, (resource_type.into(), resource.into()))?;
        }
        Ok(places)
    }

    fn add_with_containers(
        &mut self,
        store: &mut Store,
        model: &Model,
        realm: &str,
        first: (Rc<str>, Rc<str>),
    ) -> Result<()> {
        let mut frontier = vec![first];
        let mut distance = 0;
        while !frontier.is_empty() {
            let level = if distance == 0 { Level::Instance } else { Level::Container(distance) };
            let mut next = Vec::new();
            for (resource_type, resource) in frontier {
                if !self.add(level, &resource_type, &resource) {
                    continue;
                }
                store.spend(resource.len() + 160)?;
                if model.contained.contains(&*resource_type) {
                    next.extend(store.containers_of(realm, &resource_type, &resource)?.iter().cloned());
                }
            }
            frontier = next;
            distance += 1;
        }
        Ok(())
    }

    /// False where it is there already: nearer, or as near.
    fn add(&mut self, level: Level, resource_type: &Rc<str>, resource: &Rc<str>) -> bool {
        let number = self.types.add(resource_type);
        if number == self.of_type.len() {
            self.of_type.push(OfType::default());
        }
        let of_type = &mut self.of_type[number];
        let place = of_type.resources.add(resource);
        if place < of_type.levels.len() {
            return false;
        }
        of_type.levels.push(level);
        self.order.push((number as u32, place as u32));
        true
    }

    /// The resource and its containers, from the nearest on.
    pub fn on_resources(&self) -> impl Iterator<Item = Place<'_>> {
        self.order.iter().map(|(number, place)| {
            let of_type = &self.of_type[*number as usize];
            Place {
                level: of_type.levels[*place as usize],
                resource_type: self.types.name(*number as usize),
                resource: of_type.resources.name(*place as usize),
            }
        })
    }

    /// The type of the resource, then those of its containers.
    pub fn on_types(&self) -> impl DoubleEndedIterator<Item = (Level, &str)> {
        (0..self.types.len()).map(|number| (level_of_type(number), self.types.name(number)))
    }

    /// The resource and its containers, as far as they are of this type.
    pub fn resources_of(&self, resource_type: &str) -> Vec<&str> {
        let number = self.types.find(resource_type);
        number.map_or_else(Vec::new, |number| self.of_type[number].resources.iter().collect())
    }

    pub fn level_of(&self, resource_type: &str, resource: &str) -> Option<Level> {
        let of_type = &self.of_type[self.types.find(resource_type)?];
        Some(of_type.levels[of_type.resources.find(resource)?])
    }

    pub fn level_of_type(&self, resource_type: &str) -> Option<Level> {
        self.types.find(resource_type).map(level_of_type)
    }
}

/// The type of the resource itself is the first.
fn level_of_type(number: usize) -> Level {
    if number == 0 { Level::Type } else { Level::ContainerType }
}

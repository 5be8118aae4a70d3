//! Where permissions can stand for a question: on the resource, on its containers, on types.

use crate::authorization::plan::{Level, Model};
use crate::authorization::store::Store;
use crate::error::Result;

/// A resource or a container of it, and how far away it is.
pub struct Place {
    pub level: Level,
    pub resource_type: String,
    pub resource: String,
}

pub struct Places {
    pub on_resources: Vec<Place>,
    pub on_types: Vec<(Level, String)>,
}

impl Places {
    /// The resource, its containers from the nearest on, their types, and the type of the resource.
    pub fn of(
        store: &mut Store,
        model: &Model,
        realm: &str,
        resource_type: &str,
        resource: Option<&str>,
    ) -> Result<Self> {
        let on_resources = match resource {
            None => Vec::new(),
            Some(resource) => with_containers(store, model, realm, resource_type, resource)?,
        };
        let mut on_types = vec![(Level::Type, resource_type.to_string())];
        for place in on_resources.iter().skip(1) {
            if !on_types.iter().any(|(_, known)| *known == place.resource_type) {
                on_types.push((Level::ContainerType, place.resource_type.clone()));
            }
        }
        Ok(Places { on_resources, on_types })
    }

    /// The resource and its containers, as far as they are of this type.
    pub fn resources_of(&self, resource_type: &str) -> Vec<&str> {
        self.on_resources.iter().filter(|p| p.resource_type == resource_type).map(|p| p.resource.as_str()).collect()
    }

    pub fn level_of(&self, resource_type: &str, resource: &str) -> Option<Level> {
        self.on_resources.iter().find(|p| p.resource_type == resource_type && p.resource == resource).map(|p| p.level)
    }

    pub fn level_of_type(&self, resource_type: &str) -> Option<Level> {
        self.on_types.iter().find(|(_, name)| name == resource_type).map(|(level, _)| *level)
    }
}

fn with_containers(
    store: &mut Store,
    model: &Model,
    realm: &str,
    resource_type: &str,
    resource: &str,
) -> Result<Vec<Place>> {
    let mut found: Vec<Place> = Vec::new();
    let mut frontier = vec![(resource_type.to_string(), resource.to_string())];
    let mut distance = 0;
    while !frontier.is_empty() {
        let level = if distance == 0 { Level::Instance } else { Level::Container(distance) };
        let mut next = Vec::new();
        for (resource_type, resource) in frontier {
            if found.iter().any(|place| place.resource_type == resource_type && place.resource == resource) {
                continue;
            }
            if model.contained.contains(&resource_type) {
                next.extend(store.containers_of(realm, &resource_type, &resource)?.iter().cloned());
            }
            found.push(Place { level, resource_type, resource });
        }
        frontier = next;
        distance += 1;
    }
    Ok(found)
}

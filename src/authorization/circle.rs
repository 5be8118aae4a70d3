//! Circles in graphs, which are given by what each node, a number, leads to. Nothing is visited twice, and nothing is
//! recursive.

/// The strongly connected components that can be reached: what one leads to comes before it.
pub fn components(leads_to: &[Vec<u32>], from: &[u32]) -> Vec<Vec<u32>> {
    let mut search = Search {
        leads_to,
        order: vec![0; leads_to.len()],
        lowest: vec![0; leads_to.len()],
        open: vec![false; leads_to.len()],
        pending: Vec::new(),
        visited: 0,
        components: Vec::new(),
    };
    for node in from {
        search.visit(*node);
    }
    search.components
}

/// Tarjan's algorithm.
struct Search<'a> {
    leads_to: &'a [Vec<u32>],
    /// When each was met, from 1 on; 0: not yet.
    order: Vec<u32>,
    /// The first of its component that is known to be reached from each.
    lowest: Vec<u32>,
    /// Which are in `pending`.
    open: Vec<bool>,
    pending: Vec<u32>,
    visited: u32,
    components: Vec<Vec<u32>>,
}

impl Search<'_> {
    fn visit(&mut self, from: u32) {
        if self.order[from as usize] > 0 {
            return;
        }
        let mut path = vec![self.begin(from)];
        while let Some((node, next)) = path.last_mut() {
            let at = *node as usize;
            if let Some(to) = self.leads_to[at].get(*next) {
                *next += 1;
                if self.order[*to as usize] == 0 {
                    let begun = self.begin(*to);
                    path.push(begun);
                } else if self.open[*to as usize] {
                    self.lowest[at] = self.lowest[at].min(self.order[*to as usize]);
                }
                continue;
            }
            path.pop();
            if let Some((above, _)) = path.last() {
                let above = *above as usize;
                self.lowest[above] = self.lowest[above].min(self.lowest[at]);
            }
            if self.lowest[at] == self.order[at] {
                self.finish(at as u32);
            }
        }
    }

    fn begin(&mut self, node: u32) -> (u32, usize) {
        self.visited += 1;
        self.order[node as usize] = self.visited;
        self.lowest[node as usize] = self.visited;
        self.open[node as usize] = true;
        self.pending.push(node);
        (node, 0)
    }

    /// All that is pending from the node on is its component.
    fn finish(&mut self, node: u32) {
        let from = self.pending.iter().rposition(|pending| *pending == node).unwrap_or_default();
        let component = self.pending.split_off(from);
        for node in &component {
            self.open[*node as usize] = false;
        }
        self.components.push(component);
    }
}

/// Whether the nodes of a component lead to themselves.
pub fn is_circle(component: &[u32], leads_to: &[Vec<u32>]) -> bool {
    component.len() > 1 || component.iter().any(|node| leads_to[*node as usize].contains(node))
}

/// A shortest circle through the first of these nodes that is in one: it begins and ends with that node.
pub fn through(leads_to: &[Vec<u32>], nodes: &[u32]) -> Option<Vec<u32>> {
    let mut component_of = vec![0; leads_to.len()];
    let mut circles = vec![false];
    for component in components(leads_to, nodes) {
        for node in &component {
            component_of[*node as usize] = circles.len();
        }
        circles.push(is_circle(&component, leads_to));
    }
    let start = *nodes.iter().find(|node| circles[component_of[**node as usize]])?;
    let mut reached_from: Vec<Option<u32>> = vec![None; leads_to.len()];
    let mut frontier = vec![start];
    while reached_from[start as usize].is_none() {
        let mut next = Vec::new();
        for node in frontier {
            for to in &leads_to[node as usize] {
                let same = component_of[*to as usize] == component_of[start as usize];
                if same && reached_from[*to as usize].is_none() {
                    reached_from[*to as usize] = Some(node);
                    next.push(*to);
                }
            }
        }
        frontier = next;
    }
    let mut path = vec![start];
    while let Some(before) = reached_from[path[path.len() - 1] as usize] {
        path.push(before);
        if before == start {
            break;
        }
    }
    path.reverse();
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_circle_is_shown_by_its_shortest_way() {
        let graph = [vec![1, 2], vec![3], vec![0], vec![0], vec![4], vec![0]];
        assert_eq!(through(&graph, &[0]), Some(vec![0, 2, 0]));
        assert_eq!(through(&graph, &[3]), Some(vec![3, 0, 1, 3]));
        assert_eq!(through(&graph, &[4]), Some(vec![4, 4]));
        // It leads to circles, and is in none.
        assert_eq!(through(&graph, &[5]), None);
        assert_eq!(through(&graph, &[5, 3]), Some(vec![3, 0, 1, 3]));
    }

    #[test]
    fn what_one_leads_to_comes_before_it() {
        assert_eq!(components(&[vec![1, 2], vec![2], vec![], vec![0]], &[0]), [[2], [1], [0]]);
        assert_eq!(components(&[vec![1], vec![0, 2], vec![]], &[0]), [vec![2], vec![0, 1]]);
    }

    #[test]
    fn a_long_way_needs_no_stack_and_a_lattice_no_time() {
        let chain: Vec<Vec<u32>> = (1..200_000).map(|n| vec![n]).chain([vec![0]]).collect();
        assert_eq!(through(&chain, &[0]).map(|path| path.len()), Some(200_001));
        let lattice: Vec<Vec<u32>> =
            (0..200_u32).map(|n| if n < 198 { vec![n / 2 * 2 + 2, n / 2 * 2 + 3] } else { vec![] }).collect();
        assert_eq!(through(&lattice, &[0]), None);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_simple_search_finds(
            graph in proptest::collection::vec(proptest::collection::vec(0_u32..8, 0..4), 8),
            nodes in proptest::collection::vec(0_u32..8, 1..4),
        ) {
            // By the lengths of the ways from each node to each.
            let mut ways = vec![[usize::MAX; 8]; 8];
            for (node, to) in graph.iter().enumerate() {
                for to in to {
                    ways[node][*to as usize] = 1;
                }
            }
            for by in 0..8 {
                for a in 0..8 {
                    for b in 0..8 {
                        ways[a][b] = ways[a][b].min(ways[a][by].saturating_add(ways[by][b]));
                    }
                }
            }
            let expected = nodes.iter().find(|node| ways[**node as usize][**node as usize] < usize::MAX);
            let found = through(&graph, &nodes);
            prop_assert_eq!(found.as_ref().map(|path| path[0]), expected.copied());
            if let (Some(path), Some(start)) = (found, expected) {
                prop_assert_eq!(path.last(), Some(start));
                prop_assert_eq!(path.len() - 1, ways[*start as usize][*start as usize]);
                prop_assert!(path.windows(2).all(|step| graph[step[0] as usize].contains(&step[1])));
            }
        }
    }
}

//! Graphs of ways: from what is on the left, by what is in between, to what is reached on the right. Drawn as SVG.
//!
//! Promises: the same ways give the same picture; each node is there once in its column and says what kind of thing it is;
//! a text beside it says the same, for whoever does not see pictures. Absent: any layout that needs a script.

use std::{fmt, fmt::Write as _};

use askama::filters::HtmlSafe;

use super::show::Tone;

/// Width of a node and of the room between columns.
const NODE: (usize, usize) = (206, 40);
const GAP: (usize, usize) = (64, 12);
/// The longest text of a node, letters.
const LETTERS: usize = 28;

/// One node of a way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// What kind of thing it is.
    pub kind: &'static str,
    /// What it is called.
    pub text: String,
}

/// Ways that are drawn together.
#[derive(Debug, Default)]
pub struct Graph {
    columns: Vec<Vec<(Node, Tone)>>,
    edges: Vec<[(usize, usize); 2]>,
}

impl Graph {
    /// Adds a way; `tone` is how its end is meant. What more than one way goes by is one node.
    pub fn way(&mut self, nodes: Vec<Node>, tone: Tone) {
        let last = nodes.len().saturating_sub(1);
        let mut before: Option<(usize, usize)> = None;
        for (column, node) in nodes.into_iter().enumerate() {
            if self.columns.len() == column {
                self.columns.push(Vec::new());
            }
            let nodes = &mut self.columns[column];
            let place = nodes.iter().position(|(known, _)| *known == node).unwrap_or_else(|| {
                nodes.push((node, Tone::Calm));
                nodes.len() - 1
            });
            if column == last && nodes[place].1 == Tone::Calm {
                nodes[place].1 = tone;
            }
            if let Some(before) = before {
                let edge = [before, (column, place)];
                if !self.edges.contains(&edge) {
                    self.edges.push(edge);
                }
            }
            before = Some((column, place));
        }
    }

    /// Where a node begins: the columns stand in the middle of the tallest one.
    fn corner(&self, (column, place): (usize, usize)) -> (usize, usize) {
        let tallest = self.columns.iter().map(Vec::len).max().unwrap_or_default();
        let above = (tallest - self.columns[column].len()) * (NODE.1 + GAP.1) / 2;
        (column * (NODE.0 + GAP.0), above + place * (NODE.1 + GAP.1))
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tallest = self.columns.iter().map(Vec::len).max().unwrap_or_default();
        let width = self.columns.len() * (NODE.0 + GAP.0) - GAP.0 + 2;
        let height = tallest * (NODE.1 + GAP.1) - GAP.1 + 2;
        write!(
            f,
            r#"<svg class="graph" viewBox="-1 -1 {width} {height}" width="{width}" height="{height}" aria-hidden="true" xmlns="http://www.w3.org/2000/svg">"#
        )?;
        for [from, to] in &self.edges {
            let ((x1, y1), (x2, y2)) = (self.corner(*from), self.corner(*to));
            let (x1, y1, y2) = (x1 + NODE.0, y1 + NODE.1 / 2, y2 + NODE.1 / 2);
            let middle = (x1 + x2) / 2;
            write!(f, r#"<path d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"/>"#)?;
        }
        for (column, nodes) in self.columns.iter().enumerate() {
            for (place, (node, tone)) in nodes.iter().enumerate() {
                let (x, y) = self.corner((column, place));
                let class = if column == 0 { "start".to_owned() } else { tone.to_string() };
                let (text, full, kind) =
                    (escaped(&short(&node.text)), escaped(&node.text), escaped(node.kind));
                let mut label = String::new();
                write!(label, r#"<text class="kind" x="{}" y="{}">{kind}</text>"#, x + 10, y + 14)?;
                write!(label, r#"<text x="{}" y="{}">{text}</text>"#, x + 10, y + 30)?;
                write!(
                    f,
                    r#"<g class="{class}"><title>{kind} {full}</title><rect x="{x}" y="{y}" width="{}" height="{}" rx="7"/>{label}</g>"#,
                    NODE.0, NODE.1
                )?;
            }
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Graph {}

fn short(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LETTERS - 1).collect();
    kept + "…"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &'static str, text: &str) -> Node {
        Node { kind, text: text.into() }
    }

    #[test]
    fn ways_share_nodes_and_edges_and_are_escaped() {
        let mut graph = Graph::default();
        graph.way(
            vec![node("integration", "hr"), node("attribute", "team"), node("entitlement", "<b>")],
            Tone::Bad,
        );
        graph.way(
            vec![node("integration", "hr"), node("attribute", "team"), node("entitlement", "vpn")],
            Tone::Good,
        );
        graph.way(vec![node("integration", "hr"), node("attribute", "team")], Tone::Good);
        assert_eq!(graph.columns.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2]);
        assert_eq!(graph.edges.len(), 3);
        let svg = graph.to_string();
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"), "{svg}");
        assert_eq!(svg, graph.to_string());
        assert!(short(&"x".repeat(100)).chars().count() == LETTERS);
    }
}

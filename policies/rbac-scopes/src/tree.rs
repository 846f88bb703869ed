//! Finding the rule of a request.

use crate::path::{Pattern, Segment, segments};

/// Rules by their patterns, segment by segment.
///
/// The first difference between two patterns decides which is more specific:
/// text before a wildcard before the end in `**`. So a walk that tries them in
/// this order, and goes back where it finds nothing, finds the most specific
/// first; and it comes to no node twice.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    /// In the order of their text, the case of letters aside.
    literals: Vec<(String, Node<T>)>,
    any: Option<Box<Node<T>>>,
    here: Vec<Rule<T>>,
    open: Vec<Rule<T>>,
}

#[derive(Debug)]
struct Rule<T> {
    index: usize,
    /// Empty for all methods.
    methods: Box<[String]>,
    value: T,
}

/// How paths are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Exact,
    /// Letters of ASCII in either case are the same.
    CaseFolded,
}

/// Why a rule has no place of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Clash {
    /// Another rule has the same pattern and one of its methods.
    Tie(usize),
    /// A segment of another pattern differs in nothing but case.
    Case(String, String),
}

impl<T> Tree<T> {
    pub(crate) fn new() -> Self {
        Self { root: Node::default() }
    }

    /// `index` is what the rule is known by.
    pub(crate) fn insert(
        &mut self,
        index: usize,
        pattern: &Pattern,
        methods: Box<[String]>,
        value: T,
    ) -> Result<(), Clash> {
        let mut node = &mut self.root;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Any => node.any.get_or_insert_default(),
                Segment::Literal(text) => node.literal(text)?,
            };
        }
        let rules = if pattern.open { &mut node.open } else { &mut node.here };
        if let Some(other) = rules.iter().find(|other| overlap(&other.methods, &methods)) {
            return Err(Clash::Tie(other.index));
        }
        // Nearly always the only one.
        rules.reserve_exact(1);
        rules.push(Rule { index, methods, value });
        Ok(())
    }

    /// The most specific rule for a request, and which one it is.
    pub(crate) fn find(&self, method: &str, path: &str, reading: Reading) -> Option<(usize, &T)> {
        let path = path.strip_prefix('/')?;
        let rule = self.root.find(method, segments(path), reading)?;
        Some((rule.index, &rule.value))
    }
}

impl<T> Node<T> {
    #[expect(clippy::indexing_slicing, reason = "the place was found or made just before")]
    fn literal(&mut self, text: &str) -> Result<&mut Self, Clash> {
        let index = self.position(text).unwrap_or_else(|index| {
            self.literals.insert(index, (text.to_owned(), Self::default()));
            index
        });
        let (known, node) = &mut self.literals[index];
        if known == text { Ok(node) } else { Err(Clash::Case(known.clone(), text.to_owned())) }
    }

    fn find<'p>(
        &self,
        method: &str,
        mut rest: impl Iterator<Item = &'p str> + Clone,
        reading: Reading,
    ) -> Option<&Rule<T>> {
        let found = match rest.next() {
            None => for_method(&self.here, method),
            Some(segment) => {
                let literal = self.child(segment, reading);
                literal.and_then(|node| node.find(method, rest.clone(), reading)).or_else(|| {
                    let any = self.any.as_ref().filter(|_| !segment.is_empty());
                    any.and_then(|node| node.find(method, rest, reading))
                })
            }
        };
        found.or_else(|| for_method(&self.open, method))
    }

    fn child(&self, segment: &str, reading: Reading) -> Option<&Self> {
        let (text, node) = self.literals.get(self.position(segment).ok()?)?;
        (reading == Reading::CaseFolded || text == segment).then_some(node)
    }

    /// Where a literal is, or would be, the case of letters aside.
    fn position(&self, text: &str) -> Result<usize, usize> {
        self.literals.binary_search_by(|(known, _)| folded(known).cmp(folded(text)))
    }
}

fn folded(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: Vec::new(), any: None, here: Vec::new(), open: Vec::new() }
    }
}

/// A rule that names the method before one for all methods. HEAD is GET without
/// the body (RFC 9110, section 9.3.2), so a rule for GET is for HEAD, too, where
/// none names it.
fn for_method<'r, T>(rules: &'r [Rule<T>], method: &str) -> Option<&'r Rule<T>> {
    let names = |method: &str| rules.iter().find(|rule| rule.methods.iter().any(|it| it == method));
    let named = names(method).or_else(|| if method == "HEAD" { names("GET") } else { None });
    named.or_else(|| rules.iter().find(|rule| rule.methods.is_empty()))
}

fn overlap(one: &[String], other: &[String]) -> bool {
    (one.is_empty() && other.is_empty()) || one.iter().any(|method| other.contains(method))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the definition: of all patterns that match, the one that no
        /// other comes before.
        #[test]
        fn the_most_specific_pattern_is_found(
            patterns in proptest::collection::btree_set("(/(a|b|B|\\*)){0,3}(/\\*\\*)?", 1..12),
            path in "(/(a|b|B|)){1,4}",
            folded in any::<bool>(),
        ) {
            let reading = if folded { Reading::CaseFolded } else { Reading::Exact };
            let mut tree = Tree::new();
            let mut known: Vec<String> = Vec::new();
            for text in patterns {
                let text = if text.is_empty() { "/".to_owned() } else { text };
                let Ok(pattern) = Pattern::parse(&text) else { continue };
                if tree.insert(known.len(), &pattern, Box::default(), text.clone()).is_ok() {
                    known.push(text);
                }
            }
            let mut matching: Vec<_> = known.iter().filter(|it| matches(it, &path, reading)).collect();
            matching.sort_by_key(|pattern| rank(pattern));
            let found = tree.find("GET", &path, reading).map(|(_, text)| text);
            prop_assert_eq!(found, matching.first().copied());
        }
    }

    #[test]
    fn a_rule_for_the_method_comes_before_one_for_all() {
        let mut tree = Tree::new();
        let pattern = Pattern::parse("/a").unwrap();
        tree.insert(0, &pattern, Box::default(), "all").unwrap();
        tree.insert(1, &pattern, ["GET".to_owned()].into(), "get").unwrap();
        let find = |method| tree.find(method, "/a", Reading::Exact).map(|(_, value)| *value);
        assert_eq!((find("GET"), find("PUT")), (Some("get"), Some("all")));
        assert_eq!(find("HEAD"), Some("get"));
        tree.insert(3, &pattern, ["HEAD".to_owned()].into(), "head").unwrap();
        let find = |method| tree.find(method, "/a", Reading::Exact).map(|(_, value)| *value);
        assert_eq!((find("HEAD"), find("GET")), (Some("head"), Some("get")));
        let tie = ["PUT".to_owned(), "GET".to_owned()].into();
        assert_eq!(tree.insert(2, &pattern, tie, "tie"), Err(Clash::Tie(1)));
    }

    /// Plainly, by recursion over text.
    fn matches(pattern: &str, path: &str, reading: Reading) -> bool {
        fn rest(pattern: &[&str], path: &[&str], reading: Reading) -> bool {
            match (pattern, path) {
                (["**"], _) | ([], []) => true,
                ([first, pattern @ ..], [segment, path @ ..]) => {
                    let same = match reading {
                        Reading::Exact => first == segment,
                        Reading::CaseFolded => first.eq_ignore_ascii_case(segment),
                    };
                    (same || (*first == "*" && !segment.is_empty())) && rest(pattern, path, reading)
                }
                _ => false,
            }
        }
        let split = |text: &str| {
            let text = text.strip_suffix('/').unwrap_or(text).to_owned();
            text.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        let (pattern, path) = (split(pattern), split(path));
        let pattern: Vec<_> = pattern.iter().map(String::as_str).collect();
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        rest(&pattern, &path, reading)
    }

    /// Smaller is more specific: text, then `*`, then the end, then `**`.
    fn rank(pattern: &str) -> Vec<u8> {
        let segments = pattern.split('/').skip(1).filter(|segment| !segment.is_empty());
        let mut rank: Vec<_> = segments
            .map(|segment| match segment {
                "**" => 3,
                "*" => 1,
                _ => 0,
            })
            .collect();
        rank.push(2);
        rank
    }
}

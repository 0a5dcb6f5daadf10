//! The words of a statement, with what stands between brackets put together, and ways to look for words in them.

/// A word, or what stands between two brackets.
pub(super) enum Node<'a> {
    Word(&'a str),
    Group(Vec<Node<'a>>),
}

/// Puts what stands between brackets together.
pub(super) fn tree<'a>(words: &mut impl Iterator<Item = &'a str>) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "(" => nodes.push(Node::Group(tree(words))),
            ")" => break,
            word => nodes.push(Node::Word(word)),
        }
    }
    nodes
}

pub(super) fn word_at<'a>(nodes: &[Node<'a>], place: usize) -> Option<&'a str> {
    match nodes.get(place) {
        Some(Node::Word(word)) => Some(word),
        _ => None,
    }
}

pub(super) fn is_word(node: &Node<'_>, wanted: &str) -> bool {
    matches!(node, Node::Word(word) if *word == wanted)
}

pub(super) fn words_of<'a>(nodes: &[Node<'a>]) -> impl Iterator<Item = &'a str> {
    nodes.iter().filter_map(|node| if let Node::Word(word) = node { Some(*word) } else { None })
}

pub(super) fn has_word(nodes: &[Node<'_>], is_it: &dyn Fn(&str) -> bool) -> bool {
    nodes.iter().any(|node| match node {
        Node::Word(word) => is_it(word),
        Node::Group(group) => has_word(group, is_it),
    })
}

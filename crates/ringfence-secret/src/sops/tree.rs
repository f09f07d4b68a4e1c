//! A sealed file as a tree: names, values as written, and what they stand for once they are open.

use zeroize::Zeroizing;

use super::cipher::Kind;

/// A value as it stands in the file.
#[derive(Clone, PartialEq)]
pub(super) enum Written {
    Text(Zeroizing<String>),
    Number(serde_json::Number),
    Flag(bool),
    Null,
}

/// What a value stands for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Plain {
    /// As SOPS encrypts it: numbers in decimal digits, truth values as `True` and `False`.
    pub(super) text: Zeroizing<String>,
    pub(super) kind: Kind,
}

/// One value. At least one of the two is there.
#[derive(Clone)]
pub(super) struct Leaf {
    /// As in the file; nothing where it was set since.
    pub(super) written: Option<Written>,
    /// Its plaintext, where it is known.
    pub(super) plain: Option<Plain>,
}

/// A value or several.
#[derive(Clone)]
pub(super) enum Node {
    Leaf(Leaf),
    Map(Vec<Entry>),
    List(Vec<Node>),
}

/// One row of a map.
#[derive(Clone)]
pub(super) struct Entry {
    /// Its name; comments have none.
    pub(super) name: Option<String>,
    pub(super) node: Node,
}

impl Plain {
    pub(super) fn text(text: &str) -> Self {
        Self {
            text: Zeroizing::new(text.to_owned()),
            kind: Kind::Text,
        }
    }

    pub(super) fn comment(text: &str) -> Self {
        Self {
            kind: Kind::Comment,
            ..Self::text(text)
        }
    }

    /// What a program is given.
    pub(super) fn value(&self) -> &str {
        match (self.kind, self.text.as_str()) {
            (Kind::Flag, "True") => "true",
            (Kind::Flag, "False") => "false",
            (_, text) => text,
        }
    }
}

impl Node {
    /// Whether two open trees hold the same values under the same names, however they are encrypted.
    pub(super) fn means_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(one), Self::Leaf(other)) => one.plain == other.plain,
            (Self::Map(one), Self::Map(other)) => {
                let pairs = || one.iter().zip(other);
                one.len() == other.len()
                    && pairs().all(|(one, other)| {
                        one.name == other.name && one.node.means_the_same(&other.node)
                    })
            }
            (Self::List(one), Self::List(other)) => {
                let mut pairs = one.iter().zip(other);
                one.len() == other.len() && pairs.all(|(one, other)| one.means_the_same(other))
            }
            _ => false,
        }
    }
}

impl Leaf {
    pub(super) fn written(written: Written) -> Self {
        Self {
            written: Some(written),
            plain: None,
        }
    }

    pub(super) fn plain(plain: Plain) -> Self {
        Self {
            written: None,
            plain: Some(plain),
        }
    }
}

impl Written {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.to_owned()))
    }

    /// The plaintext of a value that stands in the clear. `Null` has none: SOPS passes over it.
    pub(super) fn as_plain(&self) -> Option<Plain> {
        let (text, kind) = match self {
            Self::Text(text) => (text.as_str().to_owned(), Kind::Text),
            Self::Number(number) => return Some(number_as_plain(number)),
            Self::Flag(true) => ("True".to_owned(), Kind::Flag),
            Self::Flag(false) => ("False".to_owned(), Kind::Flag),
            Self::Null => return None,
        };
        Some(Plain {
            text: Zeroizing::new(text),
            kind,
        })
    }
}

/// Decimal digits without an exponent, as Go's `FormatFloat(…, 'f', -1, 64)` writes them.
fn number_as_plain(number: &serde_json::Number) -> Plain {
    let (text, kind) = if number.is_i64() || number.is_u64() {
        (number.to_string(), Kind::Integer)
    } else {
        let float = number.as_f64().unwrap_or_default();
        (float.to_string(), Kind::Float)
    };
    Plain {
        text: Zeroizing::new(text),
        kind,
    }
}

/// Where a value stands, for the cipher: the names on the way to it, each with a colon.
pub(super) struct Path(Vec<String>);

impl Path {
    pub(super) fn root() -> Self {
        Self(Vec::new())
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    /// A comment at the top has the place `:`.
    pub(super) fn place(&self) -> String {
        format!("{}:", self.0.join(":"))
    }
}

/// Goes through all values in the file's order.
pub(super) fn visit<E>(
    entries: &mut [Entry],
    path: &mut Path,
    act: &mut impl FnMut(&Path, bool, &mut Leaf) -> Result<(), E>,
) -> Result<(), E> {
    for entry in entries {
        let is_comment = entry.name.is_none();
        if let Some(name) = &entry.name {
            path.0.push(name.clone());
        }
        visit_node(&mut entry.node, path, is_comment, act)?;
        if !is_comment {
            path.0.pop();
        }
    }
    Ok(())
}

fn visit_node<E>(
    node: &mut Node,
    path: &mut Path,
    is_comment: bool,
    act: &mut impl FnMut(&Path, bool, &mut Leaf) -> Result<(), E>,
) -> Result<(), E> {
    match node {
        Node::Leaf(leaf) => act(path, is_comment, leaf),
        Node::Map(entries) => visit(entries, path, act),
        Node::List(nodes) => nodes
            .iter_mut()
            .try_for_each(|node| visit_node(node, path, is_comment, act)),
    }
}

//! YAML 1.2, by `saphyr-parser`; duplicate keys, anchors and merge keys are ours.

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span};
use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{Entry, Kind, Leaf, MAX_DEPTH, MAX_NODES, Node, Parsed, Quoted, unreadable};

/// Reads a file.
#[must_use]
pub fn parse(source: SourceId, text: &str) -> Parsed {
    let mut builder = Builder::new(source, text);
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let result = match next {
            Ok((event, span)) => {
                let span = builder
                    .offsets
                    .span(span.start.index(), span.end.index(), text);
                builder.take(event, span)
            }
            Err(error) => {
                let at = builder.offsets.byte(error.marker().index(), text.len());
                Err(unreadable(source, Span::at(at), error.info()))
            }
        };
        if let Err(problem) = result {
            builder.diagnostics.push(problem);
            break;
        }
    }
    builder.finish()
}

/// From the parser's character counts to bytes. Most files are plain ASCII, where both are the same.
struct Offsets(Option<Vec<u32>>);

impl Offsets {
    fn new(text: &str) -> Self {
        let starts = || {
            text.char_indices()
                .map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX))
        };
        Self((!text.is_ascii()).then(|| starts().collect()))
    }

    fn byte(&self, character: usize, length: usize) -> usize {
        match &self.0 {
            None => character.min(length),
            Some(starts) => starts
                .get(character)
                .map_or(length, |start| *start as usize),
        }
    }

    /// The span without the white space that the parser counts in at its end.
    fn span(&self, start: usize, end: usize, text: &str) -> Span {
        let span = Span::new(self.byte(start, text.len()), self.byte(end, text.len()));
        let trimmed = span.of(text).trim_end();
        Span::new(span.start, span.start + trimmed.len())
    }
}

/// A list or map that is not closed yet.
struct Open {
    span: Span,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    /// The entries, and a key that waits for its value.
    Map(Vec<Entry>, Option<(String, Span)>),
}

/// What an anchor names: a node and how many values are in it.
struct Anchored {
    node: Node,
    size: usize,
}

struct Builder {
    source: SourceId,
    offsets: Offsets,
    open: Vec<Open>,
    anchors: std::collections::HashMap<usize, Anchored>,
    documents: Vec<Node>,
    diagnostics: Vec<Diagnostic>,
    nodes: usize,
}

impl Builder {
    fn new(source: SourceId, text: &str) -> Self {
        Self {
            source,
            offsets: Offsets::new(text),
            open: Vec::new(),
            anchors: std::collections::HashMap::new(),
            documents: Vec::new(),
            diagnostics: Vec::new(),
            nodes: 0,
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let kind = scalar(&text, style);
                self.count(1, span)?;
                let node = Node { span, kind };
                self.name(anchor, &node, 1);
                self.put(node, span);
                Ok(())
            }
            Event::Alias(anchor) => {
                let size = self
                    .anchors
                    .get(&anchor)
                    .map_or(1, |anchored| anchored.size);
                self.count(size, span)?;
                let named = self.anchors.get(&anchor);
                let node = named.map_or(
                    Node {
                        span,
                        kind: Kind::Null,
                    },
                    |it| it.node.clone(),
                );
                self.put(node, span);
                Ok(())
            }
            Event::SequenceStart(anchor, _) => self.begin(OpenKind::List(Vec::new()), anchor, span),
            Event::MappingStart(anchor, _) => {
                self.begin(OpenKind::Map(Vec::new(), None), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(span);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, kind: OpenKind, anchor: usize, span: Span) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            let why = format!("more than {MAX_DEPTH} levels inside each other");
            return Err(unreadable(self.source, span, &why));
        }
        self.count(1, span)?;
        self.open.push(Open { span, anchor, kind });
        Ok(())
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else {
            return;
        };
        let span = Span::new(open.span.start, span.end.max(open.span.end));
        let kind = match open.kind {
            OpenKind::List(items) => Kind::List(items),
            OpenKind::Map(entries, _) => Kind::Map(self.merged(entries)),
        };
        let node = Node { span, kind };
        if open.anchor != 0 {
            self.name(open.anchor, &node, size_of(&node));
        }
        self.put(node, span);
    }

    /// Counts values before they are there, so that what is refused was never built.
    fn count(&mut self, size: usize, at: Span) -> Result<(), Diagnostic> {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            let why = format!("more than {MAX_NODES} values, copies of anchors included");
            return Err(unreadable(self.source, at, &why));
        }
        Ok(())
    }

    /// Keeps a copy for aliases. Copies count too: anchors inside anchors would otherwise multiply.
    fn name(&mut self, anchor: usize, node: &Node, size: usize) {
        if anchor != 0 && self.nodes + size <= MAX_NODES {
            self.nodes += size;
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, size });
        }
    }

    /// Puts a finished node where it belongs: into the innermost open list or map, or among the documents.
    fn put(&mut self, node: Node, at: Span) {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.documents.push(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map(entries, waiting)) => match waiting.take() {
                None => *waiting = Some((key_of(&node), at)),
                Some((key, key_span)) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
            },
        }
    }

    /// The entries with what `<<` brings in before the map's own, so that the own ones win, and a word about keys that
    /// are there twice.
    fn merged(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        self.report_repeated(&entries);
        if !entries.iter().any(|entry| entry.key == "<<") {
            return entries;
        }
        let (merges, own): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.key == "<<");
        let mut all: Vec<Entry> = Vec::new();
        for merge in merges {
            match merge.value.kind {
                Kind::Map(inherited) => all.extend(inherited),
                // Of several, the earlier one wins.
                Kind::List(maps) => all.extend(maps.into_iter().rev().flat_map(into_entries)),
                _ => {}
            }
        }
        let own_keys: std::collections::HashSet<&str> =
            own.iter().map(|entry| entry.key.as_str()).collect();
        all.retain(|entry| !own_keys.contains(entry.key.as_str()));
        all.extend(own);
        all
    }

    fn report_repeated(&mut self, entries: &[Entry]) {
        let mut first = std::collections::HashMap::new();
        for entry in entries.iter().filter(|entry| entry.key != "<<") {
            let Some(before) = first.insert(entry.key.as_str(), entry) else {
                continue;
            };
            if says_the_same(&before.value, &entry.value) {
                continue;
            }
            let diagnostic = Diagnostic::warning(
                "duplicate-key",
                format!("`{}` is there twice, with different values", entry.key),
            );
            self.diagnostics.push(
                diagnostic
                    .at(Place::new(self.source, entry.key_span), "again here")
                    .at(Place::new(self.source, before.key_span), "first here"),
            );
        }
    }

    /// What was read; where reading stopped early, with everything that was still open.
    fn finish(mut self) -> Parsed {
        while !self.open.is_empty() {
            self.end(Span::at(0));
        }
        Parsed {
            documents: self.documents,
            diagnostics: self.diagnostics,
        }
    }
}

/// Whether two values are the same but for where they stand.
fn says_the_same(one: &Node, other: &Node) -> bool {
    let (one, other) = (one.leaves(), other.leaves());
    let texts = |leaf: &Leaf<'_>| (leaf.path.clone(), leaf.text.to_owned());
    one.iter().map(texts).eq(other.iter().map(texts))
}

fn into_entries(node: Node) -> Vec<Entry> {
    match node.kind {
        Kind::Map(entries) => entries,
        _ => Vec::new(),
    }
}

fn size_of(node: &Node) -> usize {
    let items: usize = node.items().iter().map(size_of).sum();
    let values = node.entries().iter().map(|entry| 1 + size_of(&entry.value));
    1 + items + values.sum::<usize>()
}

fn key_of(node: &Node) -> String {
    node.as_str().unwrap_or("").to_owned()
}

fn scalar(text: &str, style: ScalarStyle) -> Kind {
    if style != ScalarStyle::Plain {
        return Kind::Scalar(text.to_owned(), Quoted::Yes);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        text => Kind::Scalar(text.to_owned(), Quoted::No),
    }
}
